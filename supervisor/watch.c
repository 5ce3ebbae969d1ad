/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "supervisor/watch.h"

enum {
    EVENT_BUFFER_SIZE = 16 * 1024,
    NAMES_MAX = 512, /* more changed names than that, and everything is looked at */
    TARGET_MASK = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |
                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
    ANCESTOR_MASK = IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
};

typedef struct WatchedDirectory {
    char *path;
    int wd;          /* of the directory; -1: it is not there */
    int ancestor_wd; /* of the nearest ancestor, while it is not there; else -1 */
    char *awaited;   /* the name that must appear in the ancestor */
} WatchedDirectory;

struct Watch {
    sd_event_source *io;    /* the inotify queue has something */
    sd_event_source *timer; /* the debouncing time is over */
    sd_event_source *at_once;
    int fd;
    WatchedDirectory *directories;
    size_t n_directories;
    char **names; /* to be told at the end of the debouncing time */
    bool everything;
    usec_t heard; /* CLOCK_MONOTONIC of the first event of the present debouncing time */
    usec_t told;  /* when anything was told last */
    WatchFunc func;
    void *userdata;
};

static bool wd_used(const Watch *w, int wd)
{
    for (size_t i = 0; i < w->n_directories; i++)
        if (w->directories[i].wd == wd || w->directories[i].ancestor_wd == wd)
            return true;
    return false;
}

static void wd_drop(Watch *w, int *wd)
{
    int old = *wd;

    *wd = -1;
    if (old >= 0 && !wd_used(w, old))
        (void)inotify_rm_watch(w->fd, old);
}

/* The nearest ancestor that is there, and the name in it that leads on to the directory. */
static void await_directory(Watch *w, WatchedDirectory *d)
{
    _cleanup_(freep) char *path = strdup(d->path);

    for (char *slash; path && (slash = strrchr(path, '/'));) {
        *slash = 0;
        int wd = inotify_add_watch(w->fd, *path ? path : "/", ANCESTOR_MASK | IN_MASK_ADD);
        if (wd >= 0) {
            d->ancestor_wd = wd;
            (void)str_replace(&d->awaited, slash + 1);
            return;
        }
        if (!*path)
            return;
    }
}

static int look_up(Watch *w, WatchedDirectory *d)
{
    return inotify_add_watch(w->fd, d->path, TARGET_MASK | IN_MASK_ADD);
}

static void directory_arm(Watch *w, WatchedDirectory *d)
{
    wd_drop(w, &d->wd);
    wd_drop(w, &d->ancestor_wd);
    if ((d->wd = look_up(w, d)) >= 0)
        return;
    await_directory(w, d);
    /* It may have come between the two looks. */
    if ((d->wd = look_up(w, d)) >= 0)
        wd_drop(w, &d->ancestor_wd);
}

/* complete: the name came with the file that it has now, so nothing more need be awaited, but in a burst of such. */
static void note(Watch *w, const char *name, bool complete)
{
    bool known = name && strv_contains(w->names, name);

    if (!known && (!name || strv_length(w->names) >= NAMES_MAX || strv_append(&w->names, name) < 0))
        w->everything = true;
    usec_t now = now_usec(CLOCK_MONOTONIC);
    bool at_once = complete && usec_sub(now, w->told) > WATCH_DEBOUNCE;
    bool waiting = sd_event_source_get_enabled(w->timer, NULL) > 0;

    if (!waiting)
        w->heard = now;
    if (at_once) {
        sd_event_source_set_enabled(w->at_once, SD_EVENT_ONESHOT);
    } else if (!waiting) {
        sd_event_source_set_time_relative(w->timer, WATCH_DEBOUNCE);
        sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
    }
}

/* A name that was made by link(2) or symlink(2) is complete; one by open(2) is told when it is closed. */
static bool created_whole(const WatchedDirectory *d, const char *name)
{
    _cleanup_(freep) char *path = strf("%s/%s", d->path, name);
    struct stat st;

    return !path || lstat(path, &st) < 0 || S_ISLNK(st.st_mode) || st.st_nlink > 1;
}

static void directory_event(Watch *w, WatchedDirectory *d, const struct inotify_event *e)
{
    const char *name = e->len > 0 ? e->name : NULL;

    if (e->wd == d->ancestor_wd && (!name || !d->awaited || streq(name, d->awaited))) {
        directory_arm(w, d);
        note(w, NULL, false);
    }
    if (e->wd != d->wd)
        return;
    if (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
        directory_arm(w, d);
        note(w, NULL, false);
    } else if (name && (!(e->mask & IN_CREATE) || created_whole(d, name))) {
        note(w, name, e->mask & IN_MOVED_TO);
    }
}

static void dispatch(Watch *w, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW) {
        for (size_t i = 0; i < w->n_directories; i++)
            directory_arm(w, &w->directories[i]);
        note(w, NULL, false);
        return;
    }
    for (size_t i = 0; i < w->n_directories; i++)
        directory_event(w, &w->directories[i], e);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
    Watch *w = userdata;
    _Alignas(struct inotify_event) char buffer[EVENT_BUFFER_SIZE];

    ssize_t n = read(fd, buffer, sizeof buffer);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const void *)(buffer + at);
        dispatch(w, e);
        at += (ssize_t)(sizeof *e + e->len);
    }
    return 0;
}

static int tell(sd_event_source *s, void *userdata)
{
    Watch *w = userdata;
    _cleanup_(strv_freep) char **names = take_ptr(w->names);
    bool everything = w->everything;

    w->everything = false;
    w->told = now_usec(CLOCK_MONOTONIC);
    sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
    if (everything) {
        w->func(w->userdata, NULL);
        return 0;
    }
    STRV_FOREACH (name, names)
        w->func(w->userdata, *name);
    return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
    return tell(s, userdata);
}

static int sources_add(Watch *w, sd_event *event)
{
    int r = sd_event_add_io(event, &w->io, w->fd, EPOLLIN, on_io, w);
    if (r >= 0)
        r = sd_event_add_time(event, &w->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer, w);
    if (r >= 0)
        r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_defer(event, &w->at_once, tell, w);
    if (r >= 0)
        r = sd_event_source_set_enabled(w->at_once, SD_EVENT_OFF);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(w->io, "definitions-inotify");
    (void)sd_event_source_set_description(w->timer, "definitions-debounce");
    return 0;
}

int watch_new(Watch **ret, sd_event *event, char *const *directories, WatchFunc func, void *userdata)
{
    _cleanup_(watch_freep) Watch *w = calloc(1, sizeof *w);

    if (!w)
        return -ENOMEM;
    w->func = func;
    w->userdata = userdata;
    w->directories = calloc(strv_length(directories) + 1, sizeof *w->directories);
    if ((w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) < 0)
        return -errno;
    if (!w->directories)
        return -ENOMEM;
    STRV_FOREACH (path, (char **)(uintptr_t)directories) {
        WatchedDirectory *d = &w->directories[w->n_directories++];
        *d = (WatchedDirectory){ .path = strdup(*path), .wd = -1, .ancestor_wd = -1 };
        if (!d->path)
            return -ENOMEM;
    }
    int r = sources_add(w, event);
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->n_directories; i++)
        directory_arm(w, &w->directories[i]);
    *ret = take_ptr(w);
    return 0;
}

int watch_add(Watch *w, const char *directory)
{
    for (size_t i = 0; i < w->n_directories; i++)
        if (streq(w->directories[i].path, directory))
            return 0;
    WatchedDirectory *longer = reallocarray(w->directories, w->n_directories + 1, sizeof *longer);
    if (!longer)
        return -ENOMEM;
    w->directories = longer;
    WatchedDirectory *d = &longer[w->n_directories];
    *d = (WatchedDirectory){ .path = strdup(directory), .wd = -1, .ancestor_wd = -1 };
    if (!d->path)
        return -ENOMEM;
    w->n_directories++;
    directory_arm(w, d);
    return 0;
}

usec_t watch_heard(const Watch *w)
{
    return w->heard;
}

Watch *watch_free(Watch *w)
{
    if (!w)
        return NULL;
    sd_event_source_disable_unref(w->io);
    sd_event_source_disable_unref(w->timer);
    sd_event_source_disable_unref(w->at_once);
    safe_close(w->fd);
    for (size_t i = 0; i < w->n_directories; i++) {
        free(w->directories[i].path);
        free(w->directories[i].awaited);
    }
    free(w->directories);
    strv_free(w->names);
    free(w);
    return NULL;
}
