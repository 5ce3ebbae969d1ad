/* SPDX-License-Identifier: Apache-2.0 */
/* A runner's death, at any moment. */
#include <signal.h>

#include "base/process.h"
#include "tests/contract/obligations.h"

void a_machine_is_adopted(Harness *h)
{
    start_ready(h);
    for (int i = 0; i < 3; i++) {
        uint64_t vmm = orphan_machine(h);
        harness_launch(h);
        harness_wait_report(h, is_ready, "the pod is ready again");
        assert_int_equal(h->report.verdict, VERDICT_ADOPTED);
        assert_int_equal(h->report.vmm_pid, vmm);
    }
    stop_gently(h);
}

void a_paused_machine_is_adopted_paused(Harness *h)
{
    start_ready(h);
    assert_int_equal(harness_request(h, RUNNER_PAUSE, NULL, -1), 0);
    harness_wait_state(h, RUNNER_PAUSED);
    (void)orphan_machine(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_PAUSED);
    assert_int_equal(harness_request(h, RUNNER_RESUME, NULL, -1), 0);
    harness_wait_report(h, is_ready, "the pod goes on");
    stop_gently(h);
}

void a_stop_is_carried_on_by_the_next_runner(Harness *h)
{
    h->definition.pod.stop_timeout = USEC_PER_SEC;
    h->definition.pod.null.ignore_stop = true;
    start_ready(h);
    assert_int_equal(harness_stop(h, USEC_PER_MINUTE), 0);
    (void)orphan_machine(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_KILLED);
    harness_bye(h);
}

void an_end_is_told_again_until_bye(Harness *h)
{
    start_ready(h);
    assert_int_equal(harness_stop(h, 30 * USEC_PER_SEC), 0);
    harness_wait_state(h, RUNNER_ENDED);
    harness_kill_runner(h);
    for (int i = 0; i < 2; i++) {
        harness_launch(h);
        harness_wait_state(h, RUNNER_ENDED);
        assert_int_equal(h->report.reason, END_STOPPED);
        if (i == 0)
            harness_kill_runner(h);
    }
    harness_bye(h);
}

void an_end_that_nobody_saw_is_a_crash(Harness *h)
{
    start_ready(h);
    (void)orphan_machine(h);
    end_machine(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.verdict, VERDICT_DEAD_CRASHED);
    assert_int_equal(h->report.reason, END_LOST);
    harness_bye(h);
}

void an_end_in_good_order_waits_for_a_runner(Harness *h)
{
    h->definition.pod.null.run_time = 300 * USEC_PER_MSEC;
    start_ready(h);
    (void)orphan_machine(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.verdict, VERDICT_ADOPTED);
    assert_int_equal(h->report.reason, END_COMPLETED);
    harness_bye(h);
}

void a_runner_that_is_told_to_go_leaves_the_machine(Harness *h)
{
    enum { INTERRUPTED = 75 };

    start_ready(h);
    assert_success(process_signal(h->pidfd, SIGTERM));
    uint64_t vmm = h->report.vmm_pid;
    assert_int_equal(harness_wait_exit(h), INTERRUPTED);
    assert_true(harness_machine_runs(h));
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready again");
    assert_int_equal(h->report.vmm_pid, vmm);
    stop_gently(h);
}

void a_second_runner_is_refused(Harness *h)
{
    start_ready(h);
    assert_int_equal(harness_run_another(h), 1);
    assert_true(harness_machine_runs(h));
    stop_gently(h);
}

void a_new_attempt_is_a_new_machine(Harness *h)
{
    start_ready(h);
    stop_gently(h);
    start_ready(h);
    assert_int_equal(h->report.verdict, VERDICT_NONE);
    stop_gently(h);
}

/* How many system calls lie between two kills: PODVISOR_TEST_STEP, or what keeps the suite short. */
static unsigned step_of(const Harness *h, unsigned for_null, unsigned for_others)
{
    const char *wish = getenv("PODVISOR_TEST_STEP");
    uint64_t step;

    if (wish && parse_unsigned(wish, &step) == 0 && step > 0)
        return (unsigned)step;
    return h->definition.pod.backend == BACKEND_NULL ? for_null : for_others;
}

/*
 * Killed at every system call from its exec until it rests: whatever it had done by then, the next runner makes one
 * ready machine of it, and ends it in good order.
 */
void a_start_can_be_cut_off_anywhere(Harness *h)
{
    const unsigned step = step_of(h, 7, 60);

    for (unsigned n = 0;; n += step) {
        harness_freeze(h);
        bool killed = harness_spawn_killed_at(h, n);
        if (killed) {
            harness_drop_connections(h);
            harness_spawn(h);
        }
        harness_accept(h);
        harness_wait_report(h, is_ready, "the pod is ready");
        assert_true(harness_machine_runs(h));
        stop_gently(h);
        if (!killed) {
            assert_true(n > 50);
            print_message("           (cut off at each of %u stops, one in %u)\n", n, step);
            return;
        }
    }
}

/* The same from the first word of an adoption until it rests; the machine must be the same all the time. */
void an_adoption_can_be_cut_off_anywhere(Harness *h)
{
    const unsigned step = step_of(h, 7, 60);

    start_ready(h);
    uint64_t vmm = orphan_machine(h);
    for (unsigned n = 0;; n += step) {
        bool killed = harness_spawn_killed_at(h, n);
        if (!killed) {
            harness_accept(h);
            break;
        }
        assert_true(harness_machine_runs(h));
        harness_drop_connections(h);
    }
    harness_wait_report(h, is_ready, "the pod is ready");
    assert_int_equal(h->report.vmm_pid, vmm);
    stop_gently(h);
}

/* The same from the moment at which a stop is asked for: the next runner carries it on, and knows what it was. */
void a_stop_can_be_cut_off_anywhere(Harness *h)
{
    const unsigned step = step_of(h, 7, 60);

    for (unsigned n = 0;; n += step) {
        start_ready(h);
        bool killed = harness_stop_killed_at(h, n);
        if (killed) {
            harness_drop_connections(h);
            harness_launch(h);
            /* What was not answered is asked for again, as podvisord does. */
            if (harness_stop(h, USEC_PER_MINUTE) < 0)
                harness_show(h);
        }
        harness_wait_state(h, RUNNER_ENDED);
        assert_int_equal(h->report.reason, END_STOPPED);
        harness_bye(h);
        if (!killed) {
            print_message("           (cut off at each of %u stops, one in %u)\n", n, step);
            return;
        }
    }
}
