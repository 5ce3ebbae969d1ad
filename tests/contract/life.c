/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's life, and podvisord's. */
#include <signal.h>

#include "tests/contract/obligations.h"

/* --- a machine's life ------------------------------------------------------------------------------------------------ */

void a_machine_starts_and_stops_as_asked(Harness *h)
{
    start_ready(h);
    assert_int_equal(h->report.verdict, VERDICT_NONE);
    assert_int_equal(h->report.n_containers, 1);
    stop_gently(h);
}

void a_kill_is_reported_as_a_kill(Harness *h)
{
    start_ready(h);
    assert_int_equal(harness_request(h, RUNNER_KILL, NULL, -1), 0);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_KILLED);
    harness_bye(h);
}

void a_machine_pauses_and_goes_on(Harness *h)
{
    start_ready(h);
    assert_int_equal(harness_request(h, RUNNER_PAUSE, NULL, -1), 0);
    harness_wait_state(h, RUNNER_PAUSED);
    assert_int_equal(harness_request(h, RUNNER_RESUME, NULL, -1), 0);
    harness_wait_report(h, is_ready, "the pod goes on");
    stop_gently(h);
}

void a_paused_machine_can_be_stopped(Harness *h)
{
    start_ready(h);
    assert_int_equal(harness_request(h, RUNNER_PAUSE, NULL, -1), 0);
    harness_wait_state(h, RUNNER_PAUSED);
    stop_gently(h);
}

void a_stop_before_the_start_is_done_ends_it(Harness *h)
{
    h->definition.pod.null.start_delay = USEC_PER_MINUTE;
    harness_freeze(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_STARTING);
    assert_int_equal(harness_stop(h, 30 * USEC_PER_SEC), 0);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_STOPPED);
    harness_bye(h);
}

void a_stop_that_is_ignored_ends_by_force(Harness *h)
{
    h->definition.pod.null.ignore_stop = true;
    start_ready(h);
    assert_int_equal(harness_stop(h, 200 * USEC_PER_MSEC), 0);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_KILLED);
    assert_non_null(strstr(h->report.message, "200ms"));
    harness_bye(h);
}

void a_start_that_fails_says_why(Harness *h)
{
    h->definition.pod.null.fail_start = true;
    harness_freeze(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_START_FAILED);
    assert_non_null(h->report.message);
    harness_bye(h);
}

void a_start_that_takes_too_long_ends_by_its_deadline(Harness *h)
{
    h->definition.pod.start_timeout = USEC_PER_SEC;
    h->definition.pod.null.start_delay = USEC_PER_MINUTE;
    harness_freeze(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_BOOT_TIMEOUT);
    assert_non_null(strstr(h->report.message, "1s"));
    harness_bye(h);
}

void an_end_by_itself_tells_the_status(Harness *h)
{
    h->definition.pod.null.run_time = 50 * USEC_PER_MSEC;
    h->definition.pod.null.exit_code = 3;
    harness_freeze(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_COMPLETED);
    assert_int_equal(h->report.containers[0].state, CONTAINER_ENDED);
    assert_int_equal(h->report.containers[0].exit_code, 3);
    harness_bye(h);
}

static void machine_dies(Harness *h, uint64_t *ret_signal)
{
    start_ready(h);
    end_machine(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_VMM_SIGNAL);
    *ret_signal = h->report.exit_signal;
    harness_bye(h);
}

void a_machine_that_dies_is_told_to_have_been_killed(Harness *h)
{
    uint64_t ignored;

    machine_dies(h, &ignored);
}

void a_machine_that_dies_tells_its_signal(Harness *h)
{
    uint64_t number;

    machine_dies(h, &number);
    assert_int_equal(number, SIGKILL);
}

/* --- podvisord ---------------------------------------------------------------------------------------------------------- */

void a_runner_outlives_podvisord(Harness *h)
{
    start_ready(h);
    for (int i = 0; i < 3; i++) {
        uint64_t vmm = h->report.vmm_pid;
        harness_leave(h);
        harness_return(h);
        h->report.ready = false;
        harness_wait_report(h, is_ready, "the report after podvisord came back");
        assert_int_equal(h->report.vmm_pid, vmm);
    }
    stop_gently(h);
}

void an_end_without_podvisord_is_told_when_it_is_back(Harness *h)
{
    start_ready(h);
    harness_leave(h);
    end_machine(h);
    harness_return(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_VMM_SIGNAL);
    harness_bye(h);
}

void what_podvisord_does_not_mean_ends_the_connection_only(Harness *h)
{
    start_ready(h);
    harness_send_raw(h, "\xc1", 1);
    harness_drop_link(h);
    harness_accept(h);
    stop_gently(h);
}

void a_bye_before_the_end_is_refused(Harness *h)
{
    start_ready(h);
    assert_int_equal(harness_request(h, RUNNER_BYE, NULL, -1), -EBUSY);
    stop_gently(h);
}

void a_checkpoint_that_cannot_be_written_is_written_later(Harness *h)
{
    start_ready(h);
    /* A directory in the place of the temporary file: as a full disk, but for the runner's record alone. */
    harness_block_file(h, ".runner.msgpack.new", true);
    assert_int_equal(harness_request(h, RUNNER_PAUSE, NULL, -1), 0);
    harness_wait_state(h, RUNNER_PAUSED);
    assert_int_equal(harness_request(h, RUNNER_RESUME, NULL, -1), 0);
    harness_wait_report(h, is_ready, "the pod goes on");
    int watch = harness_watch_file(h, "runner.msgpack");
    harness_block_file(h, ".runner.msgpack.new", false);
    harness_wait_watch(h, watch);
    stop_gently(h);
}
