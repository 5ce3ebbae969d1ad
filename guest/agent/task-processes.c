/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container's control group, as they know themselves. */
#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/beneath.h"
#include "guest/agent/identity.h"
#include "guest/agent/kernel-file.h"
#include "guest/agent/task.h"
#include "schemas/statistics.h"

/* What of /proc is read of each; the buffers are used again. */
typedef struct Look {
    Bytes status, stat, command, passwd;
    usec_t uptime;
    uint64_t ticks; /* of a second */
} Look;

static void look_done(Look *l)
{
    bytes_done(&l->status);
    bytes_done(&l->stat);
    bytes_done(&l->command);
    bytes_done(&l->passwd);
}

/* The number that it has inside: behind that of the agent's own namespace, or the same where there is no other. */
static uint64_t inner_number(const char *status, const char *word)
{
    const char *line = strstr(status, word);
    char *end;

    if (!line)
        return 0;
    uint64_t outer = strtoull(line + strlen(word), &end, 10);
    const char *rest = end + strspn(end, " \t");
    return *rest >= '0' && *rest <= '9' ? strtoull(rest, NULL, 10) : outer;
}

static usec_t ticks_to_usec(const Look *l, uint64_t ticks)
{
    return ticks / l->ticks * USEC_PER_SEC + ticks % l->ticks * USEC_PER_SEC / l->ticks;
}

/* Behind the name, which may have anything in it but the last closing bracket. */
static void read_stat(Look *l, const char *stat, ProcessReport *p, uint64_t *ret_parent)
{
    enum { PARENT = 4, USER_TIME = 14, SYSTEM_TIME = 15, START_TIME = 22 };
    const char *at = strrchr(stat, ')');
    char state[2] = { 0 };

    if (!at || at[1] != ' ' || !at[2])
        return;
    state[0] = at[2];
    p->state = strdup(state);
    char *rest = (char *)(uintptr_t)at + 3;
    for (int field = PARENT; field <= START_TIME; field++) {
        uint64_t value = strtoull(rest, &rest, 10);
        if (field == PARENT)
            *ret_parent = value;
        if (field == USER_TIME || field == SYSTEM_TIME)
            p->cpu_time += ticks_to_usec(l, value);
        if (field == START_TIME)
            p->age = usec_sub(l->uptime, ticks_to_usec(l, value));
    }
}

/* Arguments stand one after the other, each with its NUL; a process may write there what it likes. */
static char *command_of(Look *l, int proc, const char *status)
{
    const char *text = kernel_file_read(proc, "cmdline", &l->command);
    size_t size = MIN(l->command.size, (size_t)STATISTICS_COMMAND_MAX);
    const char *name = str_after(status, "Name:\t");

    while (size > 0 && text[size - 1] == 0)
        size--;
    if (size == 0)
        return strf("[%.*s]", name ? (int)strcspn(name, "\n") : 1, name ?: "?");
    char *command = malloc(size + 1);
    if (!command)
        return NULL;
    for (size_t i = 0; i < size; i++)
        command[i] = text[i] ? text[i] : ' ';
    command[size] = 0;
    return command;
}

static void read_identity(Look *l, const char *status, ProcessReport *p)
{
    const char *line = strstr(status, "\nUid:");
    char *end;
    uint64_t kib = 0;

    if (line) {
        (void)strtoull(line + strlen("\nUid:"), &end, 10);
        p->uid = strtoull(end, NULL, 10); /* whose power it has, not whose it is */
        p->user = identity_name(&l->passwd, (uid_t)p->uid);
    }
    if (kernel_text_number(status, "VmRSS", &kib))
        p->memory = kib * 1024;
}

static uint64_t inner_number_of(uint64_t pid)
{
    _cleanup_(bytes_done) Bytes text = { 0 };
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%llu/status", (unsigned long long)pid);
    return pid > 0 ? inner_number(kernel_file_read(AT_FDCWD, path, &text), "\nNSpid:") : 0;
}

/* False when it is gone. */
static bool read_process(Look *l, uint64_t pid, ProcessReport *p, uint64_t *ret_parent)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%llu", (unsigned long long)pid);
    _cleanup_(closep) int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return false;
    const char *status = kernel_file_read(proc, "status", &l->status);
    if (!*status)
        return false;
    *p = (ProcessReport){ .pid = inner_number(status, "\nNSpid:") };
    read_stat(l, kernel_file_read(proc, "stat", &l->stat), p, ret_parent);
    read_identity(l, status, p);
    p->command = command_of(l, proc, status);
    return true;
}

static int by_pid(const void *a, const void *b)
{
    const ProcessReport *x = a, *y = b;
    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static bool has(const char *numbers, uint64_t pid)
{
    for (const char *p = numbers; *p; p += strcspn(p, "\n"), p += *p == '\n')
        if (strtoull(p, NULL, 10) == pid)
            return true;
    return false;
}

static void read_list(Look *l, const char *numbers, ProcessList *list)
{
    const Field *field = schema_field(&process_list_schema, "processes");
    uint64_t parent = 0;

    for (const char *p = numbers; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        uint64_t pid = strtoull(p, NULL, 10);
        ProcessReport report, *to;
        if (list->n_processes >= STATISTICS_PROCESSES_MAX) {
            list->left_out++;
            continue;
        }
        if (!read_process(l, pid, &report, &parent))
            continue;
        /* The parent of the first one is the agent, of whom a container knows nothing. */
        report.parent = has(numbers, parent) ? inner_number_of(parent) : 0;
        if ((to = field_append(field, list)))
            *to = report;
    }
    if (list->n_processes > 0)
        qsort(list->processes, list->n_processes, sizeof *list->processes, by_pid);
}

/* The image's names of users; none is no trouble. */
static void read_passwd(const Container *c, Bytes *ret)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/root", (int)c->child.pid);
    _cleanup_(closep) int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0)
        (void)identity_read_passwd(root, ret);
}

int task_processes(void *work)
{
    const TaskWork *w = work;
    _cleanup_(look_done) Look l = { .uptime = now_usec(CLOCK_BOOTTIME) };
    _cleanup_(bytes_done) Bytes numbers = { 0 }, packed = { 0 };
    ProcessList list = { 0 };

    l.ticks = (uint64_t)MAX(sysconf(_SC_CLK_TCK), 1L);
    read_passwd(w->container, &l.passwd);
    read_list(&l, kernel_file_read(LAUNCH_TASK_FD, "cgroup.procs", &numbers), &list);
    int r = schema_to_bytes(&process_list_schema, &list, &packed);
    schema_done(&process_list_schema, &list);
    if (r < 0)
        return EXIT_FAILURE;
    return write_all(STDOUT_FILENO, packed.data, packed.size) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
