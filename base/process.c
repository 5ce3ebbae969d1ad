/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/process.h"
#include "base/strings.h"

/* Field 22 of /proc/PID/stat, counted behind the name, which may hold blanks and parentheses. */
static int stat_parse(char *text, char *ret_state, uint64_t *ret_start_time)
{
    enum { FIELDS_FROM_STATE_TO_START_TIME = 19 };
    char *p = strrchr(text, ')'), *field;

    if (!p || p[1] != ' ')
        return -EIO;
    p += 2;
    *ret_state = *p;
    for (int i = 0; i < FIELDS_FROM_STATE_TO_START_TIME; i++)
        if (!strsep(&p, " "))
            return -EIO;
    field = strsep(&p, " ");
    return field ? parse_unsigned(field, ret_start_time) : -EIO;
}

static int process_stat(pid_t pid, char *ret_state, uint64_t *ret_start_time)
{
    char path[64], text[1024] = { 0 };

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    if (read(fd, text, sizeof text - 1) < 0)
        return -errno;
    return stat_parse(text, ret_state, ret_start_time);
}

/* It runs, and /proc says that it does not. */
static bool is_hidden(pid_t pid)
{
    _cleanup_(closep) int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    return fd >= 0 && !process_ended(fd);
}

int process_identify(pid_t pid, ProcessId *ret)
{
    ProcessId id = { .pid = pid };
    char state;

    int r = process_stat(pid, &state, &id.start_time);
    if (r < 0 && (r != -ESRCH || !is_hidden(pid)))
        return r;
    if ((r = id128_boot(&id.boot)) < 0)
        return r;
    *ret = id;
    return 0;
}

int process_open(const ProcessId *id)
{
    ProcessId now;
    char state = 0;
    uint64_t start_time;

    if (id->pid <= 0)
        return -ESRCH;
    _cleanup_(closep) int fd = (int)syscall(SYS_pidfd_open, id->pid, 0);
    if (fd < 0)
        return -errno;
    /* The pidfd holds whoever has the number now; only then is it asked whether that is ours. */
    int r = process_identify(id->pid, &now);
    if (r < 0)
        return r;
    if (now.start_time != id->start_time || !id128_equal(now.boot, id->boot))
        return -ESRCH;
    if (now.start_time == 0)
        return process_ended(fd) ? -ESRCH : take_fd(&fd);
    if ((r = process_stat(id->pid, &state, &start_time)) < 0)
        return r;
    if (state == 'Z' || state == 'X')
        return -ESRCH;
    return take_fd(&fd);
}

int process_signal(int pidfd, int signal)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

bool process_ended(int pidfd)
{
    struct pollfd p = { .fd = pidfd, .events = POLLIN };
    return poll(&p, 1, 0) > 0;
}

/* "SigCgt:\t0000000180014a07" and its like: bit n - 1 is signal n. */
static bool status_has_signal(const char *status, const char *key, int signal)
{
    const char *line = strstr(status, key);

    return line && (strtoull(line + strlen(key), NULL, 16) >> (signal - 1)) & 1;
}

static bool read_proc(pid_t pid, const char *file, char *text, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (n <= 0)
        return false;
    text[n] = 0;
    return true;
}

/* In sigwait(3) and its like the kernel takes the awaited signals out of the mask that it shows, and only there. */
static bool waits_for_signals(pid_t pid)
{
    char text[256];

    return !read_proc(pid, "syscall", text, sizeof text) || strtol(text, NULL, 10) == SYS_rt_sigtimedwait;
}

bool process_hears(pid_t pid, int signal)
{
    char status[4096];

    if (!read_proc(pid, "status", status, sizeof status))
        return true;
    return signal == SIGKILL || status_has_signal(status, "\nSigCgt:", signal) ||
           status_has_signal(status, "\nSigBlk:", signal) || waits_for_signals(pid);
}
