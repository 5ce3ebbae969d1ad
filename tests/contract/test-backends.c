/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One suite over every backend: each row is an obligation of backends/backend.h, proved with the real runner programs. Prints
 * one table of what came of it; PODVISOR_TEST_TABLE names a file that gets it too.
 */
#include <sched.h>
#include <stdio.h>

#include "base/units.h"
#include "tests/contract/libvirt-host.h"
#include "tests/contract/sweep.h"
#include "tests/contract/table.h"
#include "tests/unit/guard.h"

enum { WORKERS_MAX = 8 };

static int usage(const char *program)
{
    fprintf(stderr,
            "Usage: %s [--only PART] BACKEND=RUNNER-PROGRAM ...\n\n"
            "  --only PART   only obligations whose names have this in them\n\n"
            "A BACKEND= without a program is one that is not built.\n",
            program);
    return 2;
}

/* A guest keeps one processor busy while it boots; one more than there are, since much of the rest is waiting. */
static unsigned workers(void)
{
    const char *wish = getenv("PODVISOR_TEST_JOBS");
    uint64_t n;
    cpu_set_t cpus;

    if (wish && parse_unsigned(wish, &n) == 0 && n > 0)
        return (unsigned)MIN(n, (uint64_t)WORKERS_MAX);
    return sched_getaffinity(0, sizeof cpus, &cpus) < 0 ? 1
                                                        : (unsigned)MIN(CPU_COUNT(&cpus), (int)WORKERS_MAX);
}

static int take_backend(Suite *s, const char *argument)
{
    _cleanup_(freep) char *word = strndup(argument, strcspn(argument, "="));
    const char *program = str_after(argument + strlen(word), "=");
    int backend = enum_from_string(&backend_kind_table, word);

    if (backend < 0 || !program)
        return -EINVAL;
    if (!*program)
        (void)snprintf(s->absent[backend], SUITE_NOTE_MAX, "not built");
    else if (backend != BACKEND_LIBVIRT || libvirt_host_find(s->absent[backend], SUITE_NOTE_MAX))
        s->programs[backend] = strdup(program);
    return 0;
}

static void choose_cells(Suite *s, const char *only)
{
    for (size_t row = 0; row < n_obligations; row++)
        for (int backend = 0; backend < BACKEND_KIND_MAX; backend++)
            if (s->programs[backend] && obligations[row].exempt[backend] == EXEMPT_NOT &&
                (!only || strstr(obligations[row].name, only)))
                s->cells[row][backend].state = CELL_WAITING;
}

static void table_write(const Suite *s)
{
    const char *path = getenv("PODVISOR_TEST_TABLE");
    FILE *file = path ? fopen(path, "we") : NULL;

    table_print(s, stdout);
    if (!file)
        return;
    table_print(s, file);
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    test_guard();
    Suite *s = suite_new();
    const char *only = NULL;
    int n_backends = 0;

    TABLE_FOREACH (backend, matrix_columns)
        (void)snprintf(s->absent[*backend], SUITE_NOTE_MAX, "not asked for");
    for (int i = 1; i < argc; i++) {
        if (streq(argv[i], "--only") && i + 1 < argc)
            only = argv[++i];
        else if (take_backend(s, argv[i]) < 0)
            return usage(argv[0]);
        else
            n_backends++;
    }
    if (n_backends == 0)
        return usage(argv[0]);
    (void)sweep_seed();
    choose_cells(s, only);
    suite_run(s, workers());
    unsigned failures = suite_failures(s);
    table_print_failures(s);
    (void)putchar('\n');
    table_write(s);
    test_dir_done(&s->dir);
    return failures > 0;
}
