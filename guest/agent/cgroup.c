/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/file.h"
#include "base/strings.h"
#include "guest/agent/cgroup.h"

static int put(int cgroup, const char *file, const char *format, ...) _printf_(3, 4);
static int put(int cgroup, const char *file, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    _cleanup_(freep) char *value = strf_va(format, args);
    va_end(args);
    if (!value)
        return -ENOMEM;
    _cleanup_(closep) int fd = file_open_at(cgroup, file, O_WRONLY, 0);
    return fd < 0 ? fd : write_all(fd, value, strlen(value));
}

/* A file of one number; otherwise what there is instead. */
static uint64_t get(int cgroup, const char *file, uint64_t otherwise)
{
    _cleanup_(closep) int fd = file_open_at(cgroup, file, O_RDONLY, 0);
    uint64_t value;
    char text[32];

    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return otherwise;
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return parse_unsigned(text, &value) < 0 ? otherwise : value;
}

int cgroup_delegate(int dir)
{
    static const char *const controllers[] = { "+memory", "+pids", "+cpu", "+io" };

    TABLE_FOREACH (controller, controllers)
        (void)put(dir, "cgroup.subtree_control", "%s", *controller);
    return 0;
}

int cgroup_leave_memory(int dir, uint64_t reserve)
{
    _cleanup_(closep) int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    char text[4096];

    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return -EIO;
    text[n] = 0;
    const char *available = strstr(text, "MemAvailable:");
    uint64_t bytes = available ? strtoull(available + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
    if (bytes <= reserve)
        return -ENOMEM;
    return put(dir, "memory.max", "%llu", (unsigned long long)(bytes - reserve));
}

int cgroup_make(int dir, const char *name)
{
    int fd = dir_make_at(dir, name, 0755);
    if (fd >= 0)
        /* One process that is killed for want of memory takes the container with it, so that its end is seen. */
        (void)put(fd, "memory.oom.group", "1");
    return fd;
}

uint64_t cgroup_threads_max(void)
{
    return get(AT_FDCWD, "/proc/sys/kernel/threads-max", 0) / CGROUP_PIDS_SHARES;
}

int cgroup_limit(int cgroup, const ContainerLimits *limits, uint64_t pids_share)
{
    enum { PERIOD = 100000, CPU_WEIGHT_USUAL = 100 };
    int r = 0;

    if (limits->memory != SIZE_INFINITY)
        r = put(cgroup, "memory.max", "%llu", (unsigned long long)limits->memory);
    if (limits->pids == 0 && pids_share > 0)
        (void)put(cgroup, "pids.max", "%llu", (unsigned long long)pids_share);
    else if (r >= 0 && limits->pids > 0)
        r = put(cgroup, "pids.max", "%llu", (unsigned long long)limits->pids);
    if (r >= 0 && limits->cpu > 0)
        r = put(cgroup, "cpu.max", "%llu %d", (unsigned long long)MAX(limits->cpu * PERIOD, 1000), PERIOD);
    if (r >= 0 && limits->cpu_weight != 0 && limits->cpu_weight != CPU_WEIGHT_USUAL)
        r = put(cgroup, "cpu.weight", "%llu", (unsigned long long)limits->cpu_weight);
    return r == -ENOENT ? -EOPNOTSUPP : r;
}

uint64_t cgroup_memory_peak(int cgroup)
{
    return get(cgroup, "memory.peak", 0);
}

uint64_t cgroup_memory_max(int cgroup)
{
    return get(cgroup, "memory.max", SIZE_INFINITY);
}

int cgroup_kill(int cgroup)
{
    return put(cgroup, "cgroup.kill", "1");
}

uint64_t cgroup_oom_kills(int cgroup)
{
    _cleanup_(closep) int fd = file_open_at(cgroup, "memory.events", O_RDONLY, 0);
    char text[1024];

    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return 0;
    text[n] = 0;
    const char *count = strstr(text, "oom_kill ");
    return count ? strtoull(count + strlen("oom_kill "), NULL, 10) : 0;
}
