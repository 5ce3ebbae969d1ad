/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "supervisor/pod-files.h"
#include "supervisor/sources.h"
#include "supervisor/supervisor.h"

struct FileWatch {
    Watch *watch; /* of the directories of all sources that were ever sent */
};

/* One of a pod's sources. */
typedef struct Source {
    PodFileKind kind;
    const char *name;
    const char *path;       /* NULL: it is a credential */
    const char *credential; /* NULL: it is a path */
} Source;

/* Those that are sent; the content of some config files stands in the definition, which the runner has. */
static size_t sources_of(const PodDefinition *d, Source ret[POD_FILES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_secrets && i < SECRETS_MAX; i++)
        ret[n++] =
            (Source){ POD_FILE_SECRET, d->secrets[i].name, d->secrets[i].source, d->secrets[i].credential };
    for (size_t i = 0; i < d->n_configs && i < CONFIGS_MAX; i++)
        if (d->configs[i].source)
            ret[n++] = (Source){ POD_FILE_CONFIG, d->configs[i].name, d->configs[i].source, NULL };
    return n;
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

static int locate(const Supervisor *s, const Source *source, char **ret_directory, char **ret_file,
                  char **ret_why)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");

    if (source->path)
        return source_split(s, SOURCE_FILE, source->path, ret_directory, ret_file, ret_why);
    if (str_empty(credentials)) {
        *ret_why = strdup("podvisord was given no credentials (LoadCredential= of its unit)");
        return -ENOENT;
    }
    *ret_directory = strdup(credentials);
    *ret_file = strdup(source->credential);
    return *ret_directory && *ret_file ? 0 : -ENOMEM;
}

static const char *objection(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "it is no regular file";
    return st.st_size > POD_FILE_CONTENT_MAX ? "it is larger than 512K" : NULL;
}

/* The descriptor, or negative errno with *ret_why (malloc'ed; NULL: no memory). */
static int source_open(const Supervisor *s, const Source *source, char **ret_why)
{
    _cleanup_(freep) char *directory = NULL, *file = NULL, *why = NULL;

    int r = locate(s, source, &directory, &file, &why);
    _cleanup_(closep) int dir = r < 0 ? r : dir_reach_at(AT_FDCWD, directory);
    /* Without waiting for the writer of a pipe. */
    _cleanup_(closep) int fd = dir < 0 ? dir : file_open_at(dir, file, O_RDONLY | O_NONBLOCK, 0);
    const char *object = fd < 0 ? source_error(fd, false) : objection(fd);
    if (!object)
        return take_fd(&fd);
    if (why)
        *ret_why = take_ptr(why);
    else
        *ret_why = strf("%s: %s", source->path ?: source->credential, object);
    return fd < 0 ? fd : -EINVAL;
}

static int copy(int from, int to)
{
    uint8_t data[4096];
    size_t total = 0;
    ssize_t n;
    int r = 0;

    while (r >= 0 && (n = read(from, data, sizeof data)) != 0) {
        total += n > 0 ? (size_t)n : 0;
        r = n < 0 ? -errno : total > POD_FILE_CONTENT_MAX ? -EFBIG : write_all(to, data, (size_t)n);
    }
    explicit_bzero(data, sizeof data);
    return r;
}

/* A sealed memfd with the content, or negative errno with *ret_why. */
static int source_read(const Supervisor *s, const Source *source, char **ret_why)
{
    _cleanup_(closep) int from = source_open(s, source, ret_why);
    if (from < 0)
        return from;
    _cleanup_(closep) int to = memfd_create("pod-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r = to < 0 ? -errno : copy(from, to);
    if (r >= 0 && fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        r = -errno;
    if (r < 0)
        *ret_why = strf("%s: %s", source->path ?: source->credential, strerror(-r));
    return r < 0 ? r : take_fd(&to);
}

int pod_files_check(const Supervisor *s, const PodDefinition *definition, char **ret_error)
{
    Source sources[POD_FILES_MAX];
    size_t n = definition->backend == BACKEND_NULL ? 0 : sources_of(definition, sources);

    for (size_t i = 0; i < n; i++) {
        _cleanup_(freep) char *why = NULL;
        _cleanup_(closep) int fd = source_open(s, &sources[i], &why);
        if (fd >= 0)
            continue;
        *ret_error =
            strf("the %s %s cannot be read: %s", enum_to_string(&pod_file_kind_table, (int)sources[i].kind),
                 sources[i].name, why ?: strerror(-fd));
        return fd;
    }
    return 0;
}

/* --- sending ---------------------------------------------------------------------------------------------------------- */

static char *stale_prefix(const Source *source)
{
    return strf("%s %s: ", enum_to_string(&pod_file_kind_table, (int)source->kind), source->name);
}

/* Its line in the pod's status; why NULL: it can be read. True when the line is another one than before. */
static bool note(Pod *pod, const Source *source, const char *why)
{
    _cleanup_(freep) char *prefix = stale_prefix(source),
                          *line = prefix && why ? strf("%s%s", prefix, why) : NULL;
    char **kept = NULL;
    bool known = false;

    STRV_FOREACH (old, pod->stale_files) {
        bool same = prefix && str_after(*old, prefix);
        known |= same && line && streq(*old, line);
        if (!same)
            (void)strv_append(&kept, *old);
    }
    bool changed = line ? !known : strv_length(kept) != strv_length(pod->stale_files);
    if (line)
        (void)strv_append(&kept, line);
    strv_free(pod->stale_files);
    pod->stale_files = kept;
    return changed;
}

static void send_one(Pod *pod, const Source *source)
{
    _cleanup_(freep) char *why = NULL;
    _cleanup_(closep) int fd = source_read(pod->supervisor, source, &why);
    RunnerFile body = { .kind = source->kind, .name = (char *)(uintptr_t)source->name };

    if (fd < 0)
        body.error = why ?: (why = strdup(strerror(-fd)));
    if (note(pod, source, body.error)) {
        pod_due(pod);
        pod_log(pod, body.error ? LOG_WARNING : LOG_NOTICE, 0, "%s: the source of its %s %s %s%s%s",
                pod->name, enum_to_string(&pod_file_kind_table, (int)source->kind), source->name,
                body.error ? "cannot be read, and its last content goes on" : "can be read again",
                body.error ? ": " : "", body.error ?: "");
    }
    if (runner_link_send(pod->link, RUNNER_FILE, &body, fd) < 0) {
        /* Whoever does not listen gets another connection, and all of them again. */
        pod_log(pod, LOG_WARNING, 0, "%s: its runner takes no secrets and config files", pod->name);
        pod_drop_link(pod);
        pod->observed.alone_since = now_usec(CLOCK_BOOTTIME);
        pod_due(pod);
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* file: those whose source is called so; NULL: all. */
static void send_some(Pod *pod, const char *file)
{
    Source sources[POD_FILES_MAX];
    size_t n = sources_of(&pod->running, sources);

    for (size_t i = 0; i < n && pod->link; i++)
        if (!file || (sources[i].path && streq(base_name(sources[i].path), file)))
            send_one(pod, &sources[i]);
}

static bool has_runner(const Pod *pod)
{
    return pod->has_running && pod->running.backend != BACKEND_NULL && pod->link && pod->observed.reported &&
           reconcile_alive(&pod->observed);
}

/* Before the first look, so that no change is missed. */
static void watch_sources(Pod *pod)
{
    Source sources[POD_FILES_MAX];
    size_t n = sources_of(&pod->running, sources);

    for (size_t i = 0; i < n; i++) {
        const char *path = sources[i].path, *slash = path ? strrchr(path, '/') : NULL;
        _cleanup_(freep) char *directory =
            slash ? strndup(path, MAX((size_t)(slash - path), (size_t)1)) : NULL;
        int r = directory ? watch_add(pod->supervisor->file_watch->watch, directory) : 0;
        if (r < 0)
            pod_log(pod, LOG_WARNING, r, "%s: changes of %s are not seen", pod->name, path);
    }
}

void pod_files_send(Pod *pod)
{
    pod->files_due = false;
    if (!has_runner(pod))
        return;
    watch_sources(pod);
    send_some(pod, NULL);
}

void pod_files_forget(Pod *pod)
{
    pod->stale_files = strv_free(pod->stale_files);
}

/* --- watching --------------------------------------------------------------------------------------------------------- */

static void on_change(void *userdata, const char *name)
{
    Supervisor *s = userdata;

    for (size_t i = 0; i < s->n_pods; i++)
        if (has_runner(s->pods[i]))
            send_some(s->pods[i], name);
}

int file_watch_new(FileWatch **ret, Supervisor *supervisor)
{
    char *const none[] = { NULL };
    FileWatch *w = calloc(1, sizeof *w);

    if (!w)
        return -ENOMEM;
    int r = watch_new(&w->watch, supervisor->event, none, on_change, supervisor);
    if (r < 0) {
        file_watch_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

FileWatch *file_watch_free(FileWatch *w)
{
    if (w)
        watch_free(w->watch);
    free(w);
    return NULL;
}
