/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One suite over every backend: each row is an obligation of backends/backend.h, proved with the real runner program.
 * A row that needs what a backend cannot do is skipped, and says so.
 */
#include <stdio.h>

#include "tests/contract/obligations.h"
#include "tests/unit/guard.h"

static const char *arg_program;
static BackendKind arg_backend;

enum {
    NEEDS_NULL_OPTIONS = 1 << 0, /* a backend that plays its part as the definition says */
    NEEDS_GUEST = 1 << 1,        /* a real VMM with a real guest */
};

typedef struct Obligation {
    const char *name; /* a sentence */
    void (*prove)(Harness *h);
    unsigned needs;
} Obligation;

#define OBLIGATION(f, ...)                                                                                   \
    {                                                                                                        \
        .name = #f, .prove = f, __VA_ARGS__                                                                  \
    }
#define OF_NULL .needs = NEEDS_NULL_OPTIONS
#define OF_GUEST .needs = NEEDS_GUEST
static const Obligation obligations[] = {
    OBLIGATION(a_machine_starts_and_stops_as_asked),
    OBLIGATION(a_kill_is_reported_as_a_kill),
    OBLIGATION(a_machine_pauses_and_goes_on),
    OBLIGATION(a_paused_machine_can_be_stopped),
    OBLIGATION(a_stop_before_the_start_is_done_ends_it),
    OBLIGATION(a_stop_that_is_ignored_ends_by_force, OF_NULL),
    OBLIGATION(a_start_that_fails_says_why, OF_NULL),
    OBLIGATION(a_start_that_takes_too_long_ends_by_its_deadline, OF_NULL),
    OBLIGATION(an_end_by_itself_tells_the_status, OF_NULL),
    OBLIGATION(a_machine_that_dies_tells_its_signal),
    OBLIGATION(a_machine_is_adopted),
    OBLIGATION(a_paused_machine_is_adopted_paused),
    OBLIGATION(a_stop_is_carried_on_by_the_next_runner, OF_NULL),
    OBLIGATION(an_end_is_told_again_until_bye),
    OBLIGATION(an_end_that_nobody_saw_is_a_crash),
    OBLIGATION(an_end_in_good_order_waits_for_a_runner, OF_NULL),
    OBLIGATION(a_runner_that_is_told_to_go_leaves_the_machine),
    OBLIGATION(a_second_runner_is_refused),
    OBLIGATION(a_new_attempt_is_a_new_machine),
    OBLIGATION(a_start_can_be_cut_off_anywhere),
    OBLIGATION(an_adoption_can_be_cut_off_anywhere),
    OBLIGATION(a_stop_can_be_cut_off_anywhere),
    OBLIGATION(a_truncated_checkpoint_is_a_doubt),
    OBLIGATION(a_damaged_checkpoint_is_a_doubt),
    OBLIGATION(an_empty_checkpoint_is_a_doubt),
    OBLIGATION(a_checkpoint_of_the_future_is_a_doubt),
    OBLIGATION(a_lost_checkpoint_is_a_doubt),
    OBLIGATION(a_damaged_checkpoint_of_the_runner_is_a_doubt),
    OBLIGATION(a_checkpoint_of_a_future_runner_is_a_doubt),
    OBLIGATION(the_runners_own_checkpoint_can_be_lost),
    OBLIGATION(an_operator_can_have_it_adopted),
    OBLIGATION(an_operator_can_have_it_forgotten),
    OBLIGATION(a_machine_of_another_attempt_is_foreign),
    OBLIGATION(a_checkpoint_from_before_a_reboot_is_a_crash),
    OBLIGATION(a_process_of_the_same_number_is_not_touched, OF_NULL),
    OBLIGATION(a_runner_outlives_podvisord),
    OBLIGATION(an_end_without_podvisord_is_told_when_it_is_back),
    OBLIGATION(what_podvisord_does_not_mean_ends_the_connection_only),
    OBLIGATION(a_bye_before_the_end_is_refused),
    OBLIGATION(a_checkpoint_that_cannot_be_written_is_written_later),
    OBLIGATION(a_guest_that_hangs_ends_by_its_deadline_with_its_last_lines, OF_GUEST),
    OBLIGATION(a_guest_that_powers_off_by_itself_is_told_so, OF_GUEST),
    OBLIGATION(a_kernel_that_panics_is_told_with_its_words, OF_GUEST),
    OBLIGATION(a_missing_vmm_says_what_to_install, OF_GUEST),
    OBLIGATION(a_vmm_that_is_none_ends_the_start, OF_GUEST),
    OBLIGATION(a_missing_image_is_told_with_its_container, OF_GUEST),
    OBLIGATION(a_vmm_that_hangs_can_be_killed, OF_GUEST),
};

/* What a test works with; freed by teardown(), which also runs after a failure. */
typedef struct Fixture {
    const Obligation *obligation;
    Harness harness;
} Fixture;

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->obligation = *state;
    harness_init(&f->harness, arg_program, arg_backend);
    *state = f;
    return 0;
}

static void prove(void **state)
{
    Fixture *f = *state;

    if (f->obligation->needs & NEEDS_NULL_OPTIONS && arg_backend != BACKEND_NULL) {
        print_message("           (only a null machine can be told to do this)\n");
        skip();
    }
    if (f->obligation->needs & NEEDS_GUEST && arg_backend == BACKEND_NULL) {
        print_message("           (a null machine has no guest)\n");
        skip();
    }
    f->obligation->prove(&f->harness);
}

static int teardown(void **state)
{
    Fixture *f = *state;

    harness_done(&f->harness);
    free(f);
    return 0;
}

static int run(const char *name, const char *only)
{
    struct CMUnitTest tests[ELEMENTSOF(obligations)];

    for (size_t i = 0; i < ELEMENTSOF(obligations); i++)
        tests[i] = (struct CMUnitTest){
            .name = obligations[i].name,
            .test_func = prove,
            .setup_func = setup,
            .teardown_func = teardown,
            .initial_state = (void *)(uintptr_t)&obligations[i],
        };
    if (only)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    int backend = argc >= 3 ? enum_from_string(&backend_kind_table, argv[1]) : -EINVAL;

    if (backend < 0) {
        fprintf(stderr, "Usage: %s BACKEND RUNNER-PROGRAM [TEST]\n", argv[0]);
        return 2;
    }
    arg_backend = (BackendKind)backend;
    arg_program = argv[2];
    test_guard();
    return run(argv[1], argv[3]);
}
