/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <systemd/sd-login.h>

#include "base/file.h"
#include "base/process.h"
#include "base/socket.h"
#include "base/strings.h"
#include "supervisor/unit.h"

enum { DROP_IN_MAX = 64 * 1024 };

/* Not /run/systemd/system.control: what podvisord itself sets stands there. */
static const char *const host_directories[] = {
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    NULL,
};

char *unit_of_pod(const char *name)
{
    return strf(UNIT_PREFIX "%s" UNIT_SUFFIX, name);
}

char *unit_pod_of_process(pid_t pid)
{
    _cleanup_(freep) char *unit = NULL;

    if (sd_pid_get_unit(pid, &unit) < 0)
        return NULL;
    const char *name = str_after(unit, UNIT_PREFIX);
    if (!name || !str_ends_with(name, UNIT_SUFFIX))
        return NULL;
    return strndup(name, strlen(name) - strlen(UNIT_SUFFIX));
}

/* A line "KEY=" or "KEY = ", not a comment. */
static bool line_sets(const char *line, const char *key)
{
    line += strspn(line, " \t");
    const char *rest = str_after(line, key);
    return rest && rest[strspn(rest, " \t")] == '=';
}

static bool file_sets(int dir, const char *file, const char *key)
{
    Bytes text = { 0 };
    bool sets = false;

    if (file_read_at(dir, file, DROP_IN_MAX, &text) < 0)
        return false;
    _cleanup_(freep) char *copy = strndup((const char *)text.data ?: "", text.size);
    bytes_done(&text);
    char *at = copy;
    for (char *line; !sets && at && (line = strsep(&at, "\n"));)
        sets = line_sets(line, key);
    return sets;
}

static bool directory_sets(const char *path, const char *key)
{
    _cleanup_(closedirp) DIR *d = opendir(path);

    for (struct dirent *e; d && (e = readdir(d));)
        if (str_ends_with(e->d_name, ".conf") && file_sets(dirfd(d), e->d_name, key))
            return true;
    return false;
}

bool unit_drop_in_sets(const char *const *directories, const char *name, const char *key)
{
    for (const char *const *directory = directories ?: host_directories; *directory; directory++) {
        _cleanup_(freep) char *own = strf("%s/" UNIT_PREFIX "%s" UNIT_SUFFIX ".d", *directory, name);
        _cleanup_(freep) char *all = strf("%s/" UNIT_PREFIX UNIT_SUFFIX ".d", *directory);
        if ((own && directory_sets(own, key)) || (all && directory_sets(all, key)))
            return true;
    }
    return false;
}

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = text; (at = strstr(at, word)); at += length)
        if ((at == text || strchr(" \n", at[-1])) && strchr(" \n", at[length]))
            return true;
    return false;
}

/* The unified tree says what it has; beside or instead of it, a controller of the old kind has a tree of its own. */
bool unit_has_controller(const char *cgroups, const char *controller)
{
    _cleanup_(closep) int dir = dir_reach_at(AT_FDCWD, cgroups);
    _cleanup_(closep) int own = dir < 0 ? dir : dir_reach_at(dir, controller);
    Bytes text = { 0 };

    if (dir < 0 || own >= 0)
        return true;
    if (file_read_at(dir, "cgroup.controllers", DROP_IN_MAX, &text) < 0)
        return true;
    _cleanup_(freep) char *words = strndup((const char *)text.data ?: "", text.size);
    bytes_done(&text);
    return !words || has_word(words, controller);
}

/* All four numbers of the process's user are this one: it has not come to it by a set-user-ID program. */
static bool runs_as(pid_t pid, uid_t uid)
{
    enum { STATUS_MAX = 64 * 1024 };
    _cleanup_(bytes_done) Bytes text = { 0 };
    _cleanup_(freep) char *path = strf("/proc/%d/status", (int)pid);
    unsigned real, effective, saved, file;

    if (!path || file_read_at(AT_FDCWD, path, STATUS_MAX, &text) < 0 || bytes_terminate(&text) < 0)
        return false;
    const char *line = strstr((const char *)text.data, "\nUid:");
    return line && sscanf(line, "\nUid: %u %u %u %u", &real, &effective, &saved, &file) == 4 && real == uid &&
           effective == uid && saved == uid && file == uid;
}

char *unit_pod_of_peer(int socket, pid_t *ret_pid)
{
    uid_t uid;

    if (socket_peer(socket, ret_pid, &uid) < 0)
        return NULL;
    _cleanup_(closep) int pidfd = (int)syscall(SYS_pidfd_open, *ret_pid, 0);
    if (pidfd < 0)
        return NULL;
    _cleanup_(freep) char *pod = unit_pod_of_process(*ret_pid);
    return pod && runs_as(*ret_pid, uid) && !process_ended(pidfd) ? take_ptr(pod) : NULL;
}
