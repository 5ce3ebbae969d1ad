/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "backends/oom.h"
#include "base/strings.h"

/* Where each kind of hierarchy keeps the count; the line of /proc/PID/cgroup, then the file. */
static const struct {
    const char *controllers; /* as in "4:memory:/path" */
    const char *file;
} places[] = {
    { "", "/sys/fs/cgroup%s/memory.events" },
    { "", "/sys/fs/cgroup/unified%s/memory.events" },
    { "memory", "/sys/fs/cgroup/memory%s/memory.oom_control" },
};

static bool text_read(const char *path, char *text, size_t size)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;

    text[MAX(n, 0)] = 0;
    return n > 0;
}

/* The number behind "oom_kill " at the beginning of a line. */
static bool count_read(const char *path, uint64_t *ret)
{
    char text[4096];

    if (!text_read(path, text, sizeof text))
        return false;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        const char *number = str_after(line, "oom_kill ");
        if (number)
            return parse_unsigned(number, ret) >= 0;
    }
    return false;
}

static char *count_file(const char *controllers, const char *group)
{
    for (size_t i = 0; i < ELEMENTSOF(places); i++) {
        uint64_t count;
        const char *mark = strstr(places[i].file, "%s");
        if (!streq(controllers, places[i].controllers))
            continue;
        _cleanup_(freep) char *path =
            strf("%.*s%s%s", (int)(mark - places[i].file), places[i].file, group, mark + 2);
        if (path && count_read(path, &count))
            return take_ptr(path);
    }
    return NULL;
}

void oom_watch(OomWatch *w, pid_t pid)
{
    char path[64], text[8192];

    oom_watch_done(w);
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    if (!text_read(path, text, sizeof text))
        return;
    char *rest = text;
    for (char *line; !w->file && (line = strsep(&rest, "\n"));) {
        (void)strsep(&line, ":");
        char *controllers = strsep(&line, ":");
        if (controllers && line)
            w->file = count_file(controllers, streq(line, "/") ? "" : line);
    }
    if (w->file && !count_read(w->file, &w->kills))
        oom_watch_done(w);
}

bool oom_seen(const OomWatch *w)
{
    uint64_t now;

    return w->file && count_read(w->file, &now) && now > w->kills;
}

void oom_watch_done(OomWatch *w)
{
    free(w->file);
    *w = (OomWatch){ 0 };
}
