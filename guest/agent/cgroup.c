/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/sysmacros.h>

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
    /* What is left to a container is of what is left to all of them. */
    (void)put(dir, "memory.low", "max");
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

enum { LIMIT_TEXT_MAX = 48, CPU_PERIOD = 100000, CPU_WEIGHT_USUAL = 100 };

static const char *number_or_max(char text[LIMIT_TEXT_MAX], uint64_t value, bool limited)
{
    if (!limited)
        return "max";
    (void)snprintf(text, LIMIT_TEXT_MAX, "%llu", (unsigned long long)value);
    return text;
}

static const char *cpu_text(char text[LIMIT_TEXT_MAX], double cpu)
{
    uint64_t quota = (uint64_t)MAX(cpu * CPU_PERIOD, 1000);
    char number[LIMIT_TEXT_MAX];

    (void)snprintf(text, LIMIT_TEXT_MAX, "%.20s %d", number_or_max(number, quota, cpu > 0), CPU_PERIOD);
    return text;
}

/* The kernel would kill what has more than it is to have from now on; so what can be given back is, and the rest is told. */
static int make_room(int cgroup, uint64_t limit)
{
    uint64_t used = limit == SIZE_INFINITY ? 0 : get(cgroup, "memory.current", 0);

    if (used <= limit)
        return 0;
    (void)put(cgroup, "memory.reclaim", "%llu", (unsigned long long)(used - limit));
    return get(cgroup, "memory.current", 0) <= limit ? 0 : -EBUSY;
}

int cgroup_limit(int cgroup, const ContainerLimits *limits, uint64_t pids_share, const uint64_t *fresh)
{
    uint64_t weight = limits->cpu_weight ?: CPU_WEIGHT_USUAL, pids = limits->pids ?: pids_share;
    uint64_t pids_now = fresh ? *fresh : 0;
    char text[8][LIMIT_TEXT_MAX];
    const struct {
        const char *file, *value;
        bool asked;          /* else the file may be missing */
        const char *kernels; /* what is in it when it is fresh */
    } rows[] = {
        { "memory.max", number_or_max(text[0], limits->memory, limits->memory != SIZE_INFINITY),
          limits->memory != SIZE_INFINITY, "max" },
        { "memory.swap.max", number_or_max(text[6], limits->swap, limits->swap != SIZE_INFINITY),
          limits->swap > 0, "max" },
        { "pids.max", number_or_max(text[1], pids, pids > 0), limits->pids > 0,
          number_or_max(text[7], pids_now, pids_now > 0) },
        { "cpu.max", cpu_text(text[2], limits->cpu), limits->cpu > 0, "max 100000" },
        { "cpu.weight", number_or_max(text[3], weight, true), weight != CPU_WEIGHT_USUAL, "100" },
        { "memory.high", number_or_max(text[4], limits->memory_high, limits->memory_high != SIZE_INFINITY),
          limits->memory_high != SIZE_INFINITY, "max" },
        { "memory.low", number_or_max(text[5], limits->memory_low, true), limits->memory_low > 0, "0" },
    };
    int r = make_room(cgroup, limits->memory), result = r;

    /* Each for itself: that one cannot be is no reason against the others. */
    for (size_t i = r < 0; i < ELEMENTSOF(rows); i++) {
        if (fresh && streq(rows[i].value, rows[i].kernels))
            continue;
        r = put(cgroup, rows[i].file, "%s", rows[i].value);
        if (r < 0 && rows[i].asked && result >= 0)
            result = r;
    }
    return result == -ENOENT ? -EOPNOTSUPP : result;
}

int cgroup_limit_io(int cgroup, dev_t disk, const IoLimits *io)
{
    char text[4][LIMIT_TEXT_MAX];
    int r = put(cgroup, "io.max", "%u:%u rbps=%s wbps=%s riops=%s wiops=%s", major(disk), minor(disk),
                number_or_max(text[0], io->read_bps, io_limit_given(io->read_bps)),
                number_or_max(text[1], io->write_bps, io_limit_given(io->write_bps)),
                number_or_max(text[2], io->read_iops, io->read_iops > 0),
                number_or_max(text[3], io->write_iops, io->write_iops > 0));

    if (!io_limits_given(io))
        return 0;
    return r == -ENOENT ? -EOPNOTSUPP : r;
}

uint64_t cgroup_memory_used(int cgroup)
{
    return get(cgroup, "memory.current", 0);
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
