/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be believed leads to a doubt, and never to a kill. */
#include "tests/contract/obligations.h"

/* The backend's checkpoint in RUN/vm. */
static char *backend_checkpoint(const Harness *h)
{
    return strf("%s.msgpack", enum_to_string(&backend_kind_table, (int)h->definition.pod.backend));
}

static void wait_indeterminate(Harness *h, Verdict verdict)
{
    uint64_t vmm = h->report.vmm_pid;

    harness_launch(h);
    harness_wait_state(h, RUNNER_INDETERMINATE);
    assert_int_equal(h->report.verdict, verdict);
    assert_non_null(h->report.message);
    assert_true(harness_machine_runs(h));
    assert_int_equal(harness_stop(h, USEC_PER_SEC), -EBUSY);
    assert_int_equal(harness_request(h, RUNNER_KILL, NULL, -1), -EBUSY);
    assert_true(harness_machine_runs(h));
    h->report.vmm_pid = vmm; /* for harness_done() */
}

typedef void (*Damage)(Harness *h, const char *file);

static void doubt_after(Harness *h, Damage damage, bool of_runner)
{
    _cleanup_(freep) char *file = of_runner ? strdup("runner.msgpack") : backend_checkpoint(h);

    start_ready(h);
    (void)orphan_machine(h);
    damage(h, file);
    wait_indeterminate(h, VERDICT_INDETERMINATE);
}

static void truncated(Harness *h, const char *file)
{
    harness_damage(h, file, DAMAGE_TRUNCATE);
}

static void flipped(Harness *h, const char *file)
{
    harness_damage(h, file, DAMAGE_FLIP);
}

static void emptied(Harness *h, const char *file)
{
    harness_damage(h, file, DAMAGE_EMPTY);
}

static void newer(Harness *h, const char *file)
{
    harness_damage(h, file, DAMAGE_NEWER);
}

static void removed(Harness *h, const char *file)
{
    harness_damage(h, file, DAMAGE_REMOVE);
}

void a_truncated_checkpoint_is_a_doubt(Harness *h)
{
    doubt_after(h, truncated, false);
}

void a_damaged_checkpoint_is_a_doubt(Harness *h)
{
    doubt_after(h, flipped, false);
}

void an_empty_checkpoint_is_a_doubt(Harness *h)
{
    doubt_after(h, emptied, false);
}

void a_checkpoint_of_the_future_is_a_doubt(Harness *h)
{
    doubt_after(h, newer, false);
}

void a_lost_checkpoint_is_a_doubt(Harness *h)
{
    doubt_after(h, removed, false);
}

void a_damaged_checkpoint_of_the_runner_is_a_doubt(Harness *h)
{
    doubt_after(h, flipped, true);
}

void a_checkpoint_of_a_future_runner_is_a_doubt(Harness *h)
{
    doubt_after(h, newer, true);
}

void the_runners_own_checkpoint_can_be_lost(Harness *h)
{
    start_ready(h);
    uint64_t vmm = orphan_machine(h);
    harness_damage(h, "runner.msgpack", DAMAGE_REMOVE);
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready again");
    assert_int_equal(h->report.vmm_pid, vmm);
    stop_gently(h);
}

void an_operator_can_have_it_adopted(Harness *h)
{
    doubt_after(h, flipped, true);
    uint64_t vmm = h->report.vmm_pid;
    assert_int_equal(harness_request(h, RUNNER_FORGET, NULL, -1), -EBUSY);
    assert_int_equal(harness_request(h, RUNNER_ADOPT, NULL, -1), 0);
    harness_wait_report(h, is_ready, "the pod is ready again");
    assert_int_equal(h->report.vmm_pid, vmm);
    stop_gently(h);
}

void an_operator_can_have_it_forgotten(Harness *h)
{
    doubt_after(h, flipped, false);
    assert_int_equal(harness_request(h, RUNNER_FORGET, NULL, -1), -EBUSY);
    end_machine(h);
    assert_int_equal(harness_request(h, RUNNER_FORGET, NULL, -1), 0);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_LOST);
    harness_bye(h);
}

void a_machine_of_another_attempt_is_foreign(Harness *h)
{
    start_ready(h);
    (void)orphan_machine(h);
    harness_freeze(h);
    wait_indeterminate(h, VERDICT_FOREIGN);
}

void a_checkpoint_from_before_a_reboot_is_a_crash(Harness *h)
{
    _cleanup_(freep) char *file = backend_checkpoint(h);

    start_ready(h);
    (void)orphan_machine(h);
    harness_damage(h, file, DAMAGE_OTHER_BOOT);
    end_machine(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.verdict, VERDICT_DEAD_CRASHED);
    harness_bye(h);
}

void a_process_of_the_same_number_is_not_touched(Harness *h)
{
    _cleanup_(freep) char *file = backend_checkpoint(h);

    /* As if the machine had died, and its number been given to another: the checkpoint names a process of the same pid that has
     * begun at another time. */
    start_ready(h);
    (void)orphan_machine(h);
    harness_damage(h, file, DAMAGE_OTHER_PROCESS);
    end_machine(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.verdict, VERDICT_DEAD_CRASHED);
    harness_bye(h);
}
