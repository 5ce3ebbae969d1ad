/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "supervisor/recovery.h"

DEFINE_ENUM_TABLE(
    run_path_verdict, "run path verdict",
    RUN_PATH_MAX, [RUN_PATH_NOTHING] = { "nothing", "nothing had been begun" },
    [RUN_PATH_STALE] = { "stale", "it is of another boot of the host, so nothing of it can run" },
    [RUN_PATH_AT_REST] = { "at-rest", "nothing runs, and what is to be remembered is remembered" },
    [RUN_PATH_NOT_STARTED] = { "not-started", "a start was meant, and not begun" },
    [RUN_PATH_ALIVE] = { "alive", "its machine may live; its runner comes back, or is launched again" },
    [RUN_PATH_DOUBT] = { "doubt", "it cannot be told what runs" });

/* --- the verdict -------------------------------------------------------------------------------------------------- */

enum { ANY = -1, BAD = -2, NO = 0, YES = 1, MOVING = -3 };

/* The first row that fits decides; the last one fits all. */
const RunPathRow run_path_rows[] = {
    /* record, frozen, vm, boot, phase, attempt */
    { CHECKPOINT_ABSENT, CHECKPOINT_ABSENT, NO, ANY, ANY, ANY, RUN_PATH_NOTHING,
      "podvisord ended before it had recorded anything" },
    { CHECKPOINT_ABSENT, ANY, ANY, ANY, ANY, ANY, RUN_PATH_DOUBT,
      "a machine was launched from here, but podvisord's record of it is missing" },
    { BAD, ANY, ANY, ANY, ANY, ANY, RUN_PATH_DOUBT, "podvisord's record cannot be used" },
    { CHECKPOINT_GOOD, ANY, ANY, NO, ANY, ANY, RUN_PATH_STALE, "the host was booted since" },
    { CHECKPOINT_GOOD, ANY, ANY, YES, MACHINE_NONE, ANY, RUN_PATH_AT_REST, "nothing had been launched" },
    { CHECKPOINT_GOOD, ANY, ANY, YES, MACHINE_ENDED, ANY, RUN_PATH_AT_REST, "its machine's end is recorded" },
    { CHECKPOINT_GOOD, CHECKPOINT_ABSENT, ANY, YES, MACHINE_LAUNCHING, ANY, RUN_PATH_NOT_STARTED,
      "podvisord ended before it launched the runner" },
    { CHECKPOINT_GOOD, CHECKPOINT_GOOD, ANY, YES, MACHINE_LAUNCHING, NO, RUN_PATH_NOT_STARTED,
      "podvisord ended before it launched the runner" },
    { CHECKPOINT_GOOD, CHECKPOINT_GOOD, ANY, YES, MOVING, YES, RUN_PATH_ALIVE, "its machine may live" },
    { CHECKPOINT_GOOD, CHECKPOINT_GOOD, ANY, YES, MOVING, NO, RUN_PATH_DOUBT,
      "the frozen definition is not the one that was launched" },
    { CHECKPOINT_GOOD, CHECKPOINT_ABSENT, ANY, YES, MOVING, ANY, RUN_PATH_DOUBT,
      "a machine was launched, but its frozen definition is missing" },
    { ANY, ANY, ANY, ANY, ANY, ANY, RUN_PATH_DOUBT, "the frozen definition cannot be used" },
};
const size_t n_run_path_rows = ELEMENTSOF(run_path_rows);

static bool outcome_fits(int row, CheckpointOutcome outcome)
{
    if (row == BAD)
        return outcome != CHECKPOINT_GOOD && outcome != CHECKPOINT_ABSENT;
    return row == ANY || row == (int)outcome;
}

static bool flag_fits(int row, bool flag)
{
    return row == ANY || row == (int)flag;
}

static bool phase_fits(int row, MachinePhase phase)
{
    if (row == MOVING)
        return phase == MACHINE_LAUNCHING || phase == MACHINE_LIVE || phase == MACHINE_STOPPING;
    return row == ANY || row == (int)phase;
}

RunPathVerdict run_path_verdict(const RunPathFacts *f, const char **ret_why)
{
    const RunPathRow *row = run_path_rows;

    while (!outcome_fits(row->record, f->record) || !outcome_fits(row->frozen, f->frozen) ||
           !flag_fits(row->vm, f->vm) || !flag_fits(row->same_boot, f->same_boot) ||
           !phase_fits(row->phase, f->phase) || !flag_fits(row->same_attempt, f->same_attempt))
        row++;
    *ret_why = row->why;
    return row->verdict;
}

/* --- what is on disk ---------------------------------------------------------------------------------------------- */

static int read_whole(int dir, Recovered *ret)
{
    Recovered r = { 0 };
    RunPathFacts facts = { 0 };
    _cleanup_(freep) char *record_detail = NULL, *frozen_detail = NULL;
    const char *why;
    struct stat st;
    Id128 boot;

    int error = id128_boot(&boot);
    if (error < 0)
        return error;
    facts.record = checkpoint_read(dir, &pod_record_kind, &r.record, NULL, &record_detail);
    facts.frozen = checkpoint_read(dir, &run_definition_kind, &r.definition, NULL, &frozen_detail);
    facts.vm = fstatat(dir, RUN_VM_DIR, &st, AT_SYMLINK_NOFOLLOW) == 0;
    r.has_record = facts.record == CHECKPOINT_GOOD;
    r.has_definition = facts.frozen == CHECKPOINT_GOOD;
    facts.same_boot = r.has_record && id128_equal(r.record.boot, boot);
    facts.phase = r.record.phase;
    facts.same_attempt = r.has_record && r.has_definition && r.record.attempt == r.definition.attempt &&
                         id128_equal(r.record.uuid, r.definition.uuid);

    r.verdict = run_path_verdict(&facts, &why);
    const char *detail = facts.record != CHECKPOINT_GOOD ? record_detail : frozen_detail;
    r.why = r.verdict == RUN_PATH_DOUBT && detail ? strf("%s: %s", why, detail) : strdup(why);
    if (!r.why) {
        recovered_done(&r);
        return -ENOMEM;
    }
    *ret = r;
    return 0;
}

int run_path_read(int pods, const char *name, Recovered *ret)
{
    _cleanup_(closep) int dir = dir_open_at(pods, name);

    int r = dir < 0 ? dir : read_whole(dir, ret);
    if (r >= 0 || r == -ENOENT)
        return r;
    char *why = strf("its run path cannot be read: %s", strerror(-r));
    if (!why)
        return -ENOMEM;
    *ret = (Recovered){ .verdict = RUN_PATH_DOUBT, .why = why };
    return 0;
}

void recovered_done(Recovered *r)
{
    free(r->why);
    if (r->has_record)
        schema_done(&pod_record_schema, &r->record);
    if (r->has_definition)
        schema_done(&run_definition_schema, &r->definition);
    *r = (Recovered){ 0 };
}

/* --- what runs ---------------------------------------------------------------------------------------------------- */

static int command_line(pid_t pid, Bytes *ret)
{
    enum { COMMAND_LINE_MAX = 64 * 1024 };
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    uint8_t *p = bytes_reserve(ret, COMMAND_LINE_MAX);
    if (!p)
        return -ENOMEM;
    ssize_t n = read(fd, p, COMMAND_LINE_MAX - 1);
    if (n < 0)
        return -errno;
    ret->size = (size_t)n;
    return bytes_terminate(ret);
}

/* The pod of the first path below pods_path in a command line; NULL: there is none, or no memory. */
static char *names_pod(const Bytes *line, const char *pods_path)
{
    size_t n = strlen(pods_path);
    const uint8_t *hit = line->size > 0 ? memmem(line->data, line->size, pods_path, n) : NULL;

    if (!hit || hit[n] != '/')
        return NULL;
    const char *name = (const char *)hit + n + 1;
    return strndup(name, strcspn(name, "/,"));
}

static bool is_runner(const Bytes *line)
{
    const char *program = (const char *)line->data, *slash = strrchr(program, '/');

    return str_after(slash ? slash + 1 : program, "podvisor-runner-") != NULL;
}

static int add_process(RunProcesses *p, const char *pods_path, pid_t pid, Bytes *line)
{
    line->size = 0;
    if (command_line(pid, line) < 0)
        return 0;
    _cleanup_(freep) char *name = names_pod(line, pods_path);
    if (!name)
        return 0;
    RunProcess *longer = reallocarray(p->items, p->n_items + 1, sizeof *longer);
    if (!longer)
        return -ENOMEM;
    p->items = longer;
    RunProcess item = { .runner = is_runner(line) };
    if (process_identify(pid, &item.id) < 0)
        return 0;
    item.name = take_ptr(name);
    p->items[p->n_items++] = item;
    return 0;
}

int run_processes_find(const char *pods_path, RunProcesses *ret)
{
    _cleanup_(closedirp) DIR *proc = opendir("/proc");
    RunProcesses p = { 0 };
    Bytes line = { 0 };
    uint64_t pid;
    int r = 0;

    if (!proc)
        return -errno;
    for (struct dirent *e; r >= 0 && (e = readdir(proc));)
        if (parse_unsigned(e->d_name, &pid) == 0 && (pid_t)pid != getpid())
            r = add_process(&p, pods_path, (pid_t)pid, &line);
    bytes_done(&line);
    if (r < 0) {
        run_processes_done(&p);
        return r;
    }
    *ret = p;
    return 0;
}

ProcessId run_processes_of(const RunProcesses *p, const char *name, bool runner)
{
    for (size_t i = 0; i < p->n_items; i++)
        if (streq(p->items[i].name, name) && (p->items[i].runner || !runner))
            return p->items[i].id;
    return (ProcessId){ 0 };
}

void run_processes_done(RunProcesses *p)
{
    for (size_t i = 0; i < p->n_items; i++)
        free(p->items[i].name);
    free(p->items);
    *p = (RunProcesses){ 0 };
}
