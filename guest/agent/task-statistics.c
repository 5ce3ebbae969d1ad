/* SPDX-License-Identifier: Apache-2.0 */
/* What containers and machine have used, from the guest's kernel. */
#include <stdio.h>

#include "base/file.h"
#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/kernel-file.h"
#include "guest/agent/task.h"
#include "schemas/statistics.h"

/* --- control groups --------------------------------------------------------------------------------------------------- */

typedef struct Row {
    const char *file;
    const char *word; /* NULL: the file is one number */
    size_t offset;    /* of a uint64_t in ContainerStatistics */
} Row;

#define ROW(file, word, member)                                                                              \
    {                                                                                                        \
        file, word, offsetof(ContainerStatistics, member)                                                    \
    }
static const Row rows[] = {
    ROW("cpu.stat", "usage_usec", cpu_time),
    ROW("cpu.stat", "user_usec", cpu_user),
    ROW("cpu.stat", "system_usec", cpu_system),
    ROW("cpu.stat", "throttled_usec", cpu_throttled),
    ROW("memory.current", NULL, memory),
    ROW("memory.peak", NULL, memory_peak),
    ROW("memory.max", NULL, memory_limit),
    ROW("memory.swap.current", NULL, swap),
    ROW("pids.current", NULL, pids),
    ROW("pids.max", NULL, pids_limit),
    ROW("memory.events", "oom_kill", oom_kills),
};

static void read_rows(int cgroup, ContainerStatistics *s)
{
    _cleanup_(bytes_done) Bytes text = { 0 };

    TABLE_FOREACH (row, rows) {
        uint64_t *to = (uint64_t *)(void *)((char *)s + row->offset);
        if (!row->word)
            *to = kernel_file_number(cgroup, row->file);
        else
            (void)kernel_text_number(kernel_file_read(cgroup, row->file, &text), row->word, to);
    }
}

/* "8:0 rbytes=1 wbytes=2 rios=3 ...", a line for each disk. */
static void read_io(int cgroup, ContainerStatistics *s)
{
    _cleanup_(bytes_done) Bytes text = { 0 };
    const char *at = kernel_file_read(cgroup, "io.stat", &text);

    for (const char *p = at; (p = strstr(p, "rbytes=")); p++)
        s->io_read += strtoull(p + strlen("rbytes="), NULL, 10);
    for (const char *p = at; (p = strstr(p, "wbytes=")); p++)
        s->io_written += strtoull(p + strlen("wbytes="), NULL, 10);
}

static void fill_container(int groups, const Container *c, usec_t now, ContainerStatistics *s)
{
    char name[CONTAINER_GROUP_SIZE];
    _cleanup_(closep) int cgroup =
        openat(groups, container_group(c, name), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    *s = (ContainerStatistics){ .name = c->config->definition.name, .runs = container_runs(c) };
    s->running_for = s->runs && c->started > 0 ? MAX(usec_sub(now, c->started), (usec_t)1) : 0;
    if (cgroup < 0)
        return;
    read_rows(cgroup, s);
    read_io(cgroup, s);
}

/* --- the machine -------------------------------------------------------------------------------------------------------- */

static void fill_machine(Statistics *s)
{
    _cleanup_(bytes_done) Bytes text = { 0 };
    const char *meminfo = kernel_file_read(AT_FDCWD, "/proc/meminfo", &text);
    uint64_t kib = 0;
    char path[64];

    if (kernel_text_number(meminfo, "MemTotal", &kib))
        s->memory_total = kib * 1024;
    if (kernel_text_number(meminfo, "MemAvailable", &kib))
        s->memory_available = kib * 1024;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)getppid());
    if (kernel_text_number(kernel_file_read(AT_FDCWD, path, &text), "VmRSS", &kib))
        s->agent_memory = kib * 1024;
    s->uptime = now_usec(CLOCK_BOOTTIME);
    s->processors = (uint64_t)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
}

/* The columns of /proc/net/dev. */
static const size_t columns[] = {
    offsetof(InterfaceStatistics, received),
    offsetof(InterfaceStatistics, received_packets),
    offsetof(InterfaceStatistics, received_errors),
    offsetof(InterfaceStatistics, received_dropped),
    SIZE_MAX, /* fifo, frame, compressed, multicast */
    SIZE_MAX,
    SIZE_MAX,
    SIZE_MAX,
    offsetof(InterfaceStatistics, sent),
    offsetof(InterfaceStatistics, sent_packets),
    offsetof(InterfaceStatistics, sent_errors),
    offsetof(InterfaceStatistics, sent_dropped),
};

/* "  eth0: 1 2 3 ..."; false: it is no line of an interface that counts. */
static bool read_interface(char *line, InterfaceStatistics *ret)
{
    char *colon = strchr(line, ':'), *name = line + strspn(line, " ");

    if (!colon)
        return false;
    *colon = 0;
    if (streq(name, "lo"))
        return false;
    char *p = colon + 1;
    *ret = (InterfaceStatistics){ .name = name };
    TABLE_FOREACH (column, columns) {
        uint64_t value = strtoull(p, &p, 10);
        if (*column != SIZE_MAX)
            *(uint64_t *)(void *)((char *)ret + *column) = value;
    }
    return true;
}

static void read_interfaces(Bytes *text, InterfaceStatistics *items, Statistics *s)
{
    char *rest = (char *)(uintptr_t)kernel_file_read(AT_FDCWD, "/proc/net/dev", text);

    s->interfaces = items;
    for (char *line; *rest && (line = strsep(&rest, "\n"));) {
        if (s->n_interfaces < STATISTICS_INTERFACES_MAX && read_interface(line, &items[s->n_interfaces]))
            s->n_interfaces++;
        if (!rest)
            break;
    }
}

int task_statistics(void *work)
{
    const TaskWork *w = work;
    ContainerStatistics containers[CONTAINERS_MAX];
    InterfaceStatistics interfaces[STATISTICS_INTERFACES_MAX];
    _cleanup_(bytes_done) Bytes network = { 0 }, packed = { 0 };
    Statistics s = { .containers = containers };
    usec_t now = now_usec(CLOCK_REALTIME);

    s.n_containers = MIN(w->agent->n_containers, ELEMENTSOF(containers));
    for (size_t i = 0; i < s.n_containers; i++) {
        fill_container(LAUNCH_TASK_FD, &w->agent->containers[i], now, &containers[i]);
        s.cpu_time = usec_add(s.cpu_time, containers[i].cpu_time);
        s.memory += containers[i].memory;
        s.pids += containers[i].pids;
    }
    fill_machine(&s);
    read_interfaces(&network, interfaces, &s);
    if (schema_to_bytes(&statistics_schema, &s, &packed) < 0)
        return EXIT_FAILURE;
    return write_all(STDOUT_FILENO, packed.data, packed.size) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
