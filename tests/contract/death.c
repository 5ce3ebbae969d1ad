/* SPDX-License-Identifier: Apache-2.0 */
/* A runner's death, at any moment. */
#include <signal.h>

#include "base/process.h"
#include "tests/contract/obligations.h"
#include "tests/contract/suite.h"
#include "tests/contract/sweep.h"

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

/* --- killed anywhere -------------------------------------------------------------------------------------------------- */

static const CutOff never = { .n = UINT_MAX };

static bool has_ended(const RunnerReport *report)
{
    return report->state == RUNNER_ENDED;
}

static void sweep_report(const Sweep *s)
{
    suite_note("%zu kills on a way of %u stops, %u of them of deeds", s->n_points, s->way.stops,
               s->way.deeds);
}

/* A null machine costs next to nothing. */
static size_t kills(const Harness *h, size_t of_null, size_t of_others)
{
    return h->definition.pod.backend == BACKEND_NULL ? of_null : of_others;
}

/* Killed on the way from its exec to the ready pod: whatever it had done by then, the next runner makes one ready machine of it,
 * and ends it in good order. */
static void start_is_cut_off(Harness *h, const CutOff *at, Passed *ret)
{
    harness_freeze(h);
    if (trace_launch(h, at, is_ready, ret)) {
        harness_drop_connections(h);
        harness_launch(h);
    }
    harness_wait_report(h, is_ready, "the pod is ready");
    assert_true(harness_machine_runs(h));
    stop_gently(h);
}

void a_start_can_be_cut_off_anywhere(Harness *h)
{
    Passed way, ignored;
    Sweep s;

    start_is_cut_off(h, &never, &way);
    assert_true(way.stops > 100);
    sweep_plan(&s, &way, kills(h, 60, 8));
    for (size_t i = 0; i < s.n_points; i++)
        start_is_cut_off(h, &s.points[i], &ignored);
    sweep_report(&s);
}

/* The same from the first word of an adoption until it is ready again, one kill after the other; the machine must be the same
 * all the time. */
static void adoption_is_cut_off(Harness *h, const CutOff *at, Passed *ret)
{
    if (trace_launch(h, at, is_ready, ret))
        harness_drop_connections(h);
    else
        harness_kill_runner(h);
    assert_true(harness_machine_runs(h));
}

void an_adoption_can_be_cut_off_anywhere(Harness *h)
{
    Passed way, ignored;
    Sweep s;

    start_ready(h);
    uint64_t vmm = orphan_machine(h);
    adoption_is_cut_off(h, &never, &way);
    sweep_plan(&s, &way, kills(h, 60, 40));
    for (size_t i = 0; i < s.n_points; i++)
        adoption_is_cut_off(h, &s.points[i], &ignored);
    sweep_report(&s);
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready again");
    assert_int_equal(h->report.vmm_pid, vmm);
    stop_gently(h);
}

/* The same from the moment at which a stop is asked for: the next runner carries it on, and knows what it was. */
static void stop_is_cut_off(Harness *h, const CutOff *at, Passed *ret)
{
    start_ready(h);
    if (trace_stop(h, at, has_ended, ret)) {
        harness_drop_connections(h);
        harness_launch(h);
        /* What was not answered is asked for again, as podvisord does. */
        if (harness_stop(h, USEC_PER_MINUTE) < 0)
            harness_show(h);
    }
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_STOPPED);
    harness_bye(h);
}

void a_stop_can_be_cut_off_anywhere(Harness *h)
{
    Passed way, ignored;
    Sweep s;

    stop_is_cut_off(h, &never, &way);
    sweep_plan(&s, &way, kills(h, 60, 8));
    for (size_t i = 0; i < s.n_points; i++)
        stop_is_cut_off(h, &s.points[i], &ignored);
    sweep_report(&s);
}
