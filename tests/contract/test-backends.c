/* SPDX-License-Identifier: Apache-2.0 */
/* One suite over every backend: each row is an obligation of backends/backend.h, proved with the real runner program. */
#include <signal.h>
#include <stdio.h>

#include "tests/contract/harness.h"

static bool is_ready(const RunnerReport *report)
{
    return report->state == RUNNER_RUNNING && report->ready;
}

static void a_machine_starts_and_stops_as_asked(Harness *h)
{
    harness_freeze(h);
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready");
    assert_int_equal(h->report.verdict, VERDICT_NONE);
    assert_true(h->report.vmm_pid > 0);
    assert_true(harness_machine_runs(h));

    assert_int_equal(harness_stop(h, 30 * USEC_PER_SEC), 0);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_STOPPED);
    harness_bye(h);
}

typedef struct Obligation {
    const char *name; /* a sentence */
    void (*prove)(Harness *h);
} Obligation;

#define OBLIGATION(f)                                                                                        \
    {                                                                                                        \
#f, f                                                                                                \
    }
static const Obligation obligations[] = {
    OBLIGATION(a_machine_starts_and_stops_as_asked),
};

static const char *arg_program;
static BackendKind arg_backend;

static void prove(void **state)
{
    const Obligation *o = *state;
    Harness h;

    harness_init(&h, arg_program, arg_backend);
    o->prove(&h);
    harness_done(&h);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[ELEMENTSOF(obligations)];
    int backend = argc == 3 ? enum_from_string(&backend_kind_table, argv[1]) : -EINVAL;

    if (backend < 0) {
        fprintf(stderr, "Usage: %s BACKEND RUNNER-PROGRAM\n", argv[0]);
        return 2;
    }
    arg_backend = (BackendKind)backend;
    arg_program = argv[2];
    for (size_t i = 0; i < ELEMENTSOF(obligations); i++)
        tests[i] = (struct CMUnitTest){
            .name = obligations[i].name,
            .test_func = prove,
            .initial_state = (void *)(uintptr_t)&obligations[i],
        };
    return cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
}
