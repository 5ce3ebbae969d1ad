/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/usage.h"

static int read_proc(pid_t pid, const char *file, char *buffer, size_t size)
{
    char path[64];

    if (pid <= 0)
        return -ESRCH;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buffer, size - 1);
    if (n < 0)
        return -errno;
    buffer[n] = 0;
    return 0;
}

uint64_t process_memory(pid_t pid)
{
    char text[256];
    unsigned long long size, resident;

    if (read_proc(pid, "statm", text, sizeof text) < 0 || sscanf(text, "%llu %llu", &size, &resident) != 2)
        return 0;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

usec_t process_cpu_time(pid_t pid)
{
    char text[1024];
    unsigned long long user, system_time;

    if (read_proc(pid, "stat", text, sizeof text) < 0)
        return 0;
    /* Fields 14 and 15, counted behind the name, which may hold blanks and parentheses. */
    const char *p = strrchr(text, ')');
    if (!p || sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system_time) != 2)
        return 0;
    return (user + system_time) * USEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
}
