/* SPDX-License-Identifier: Apache-2.0 */
/* What the obligations are made of. */
#include "tests/contract/obligations.h"

bool is_ready(const RunnerReport *report)
{
    return report->state == RUNNER_RUNNING && report->ready;
}

void start_ready(Harness *h)
{
    if (h->ready) {
        h->ready = false;
        return;
    }
    harness_freeze(h);
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready");
    assert_true(h->report.vmm_pid > 0);
    assert_true(harness_machine_runs(h));
}

void stop_gently(Harness *h)
{
    if (h->shares) {
        harness_wait_report(h, is_ready, "the pod is ready for the next one");
        h->ready = true;
        return;
    }
    assert_int_equal(harness_stop(h, 30 * USEC_PER_SEC), 0);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_STOPPED);
    harness_bye(h);
}

uint64_t orphan_machine(Harness *h)
{
    uint64_t vmm = h->report.vmm_pid;

    harness_kill_runner(h);
    assert_true(harness_machine_runs(h));
    return vmm;
}

void end_machine(Harness *h)
{
    harness_kill_machine(h);
    assert_false(harness_machine_runs(h));
}
