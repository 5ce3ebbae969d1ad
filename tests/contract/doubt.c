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

/* The file that is damaged: the backend's checkpoint, or the runner's own. */
typedef enum Victim { OF_BACKEND, OF_RUNNER } Victim;

static char *victim_file(const Harness *h, Victim victim)
{
    return victim == OF_RUNNER ? strdup("runner.msgpack") : backend_checkpoint(h);
}

static void doubt_after(Harness *h, HarnessDamage damage, Victim victim, Bytes *ret_before)
{
    _cleanup_(freep) char *file = victim_file(h, victim);

    start_ready(h);
    (void)orphan_machine(h);
    harness_damage(h, file, damage, ret_before);
    wait_indeterminate(h, VERDICT_INDETERMINATE);
}

/* And nothing has been done to the machine in the doubt: with the record as it was, it is ours as before. */
static void doubt_until_repaired(Harness *h, HarnessDamage damage, Victim victim)
{
    _cleanup_(freep) char *file = victim_file(h, victim);
    Bytes before = { 0 };

    doubt_after(h, damage, victim, &before);
    uint64_t vmm = orphan_machine(h);
    harness_repair(h, file, &before);
    bytes_done(&before);
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready again");
    assert_int_equal(h->report.vmm_pid, vmm);
    stop_gently(h);
}

void a_truncated_checkpoint_is_a_doubt(Harness *h)
{
    doubt_until_repaired(h, DAMAGE_TRUNCATE, OF_BACKEND);
}

void a_damaged_checkpoint_is_a_doubt(Harness *h)
{
    doubt_until_repaired(h, DAMAGE_FLIP, OF_BACKEND);
}

void an_empty_checkpoint_is_a_doubt(Harness *h)
{
    doubt_until_repaired(h, DAMAGE_EMPTY, OF_BACKEND);
}

void a_checkpoint_of_the_future_is_a_doubt(Harness *h)
{
    doubt_until_repaired(h, DAMAGE_NEWER, OF_BACKEND);
}

void a_lost_checkpoint_is_a_doubt(Harness *h)
{
    doubt_until_repaired(h, DAMAGE_REMOVE, OF_BACKEND);
}

void a_damaged_checkpoint_of_the_runner_is_a_doubt(Harness *h)
{
    doubt_until_repaired(h, DAMAGE_FLIP, OF_RUNNER);
}

void a_checkpoint_of_a_future_runner_is_a_doubt(Harness *h)
{
    doubt_until_repaired(h, DAMAGE_NEWER, OF_RUNNER);
}

void the_runners_own_checkpoint_can_be_lost(Harness *h)
{
    start_ready(h);
    uint64_t vmm = orphan_machine(h);
    harness_damage(h, "runner.msgpack", DAMAGE_REMOVE, NULL);
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready again");
    assert_int_equal(h->report.vmm_pid, vmm);
    stop_gently(h);
}

void an_operator_can_have_it_adopted(Harness *h)
{
    doubt_after(h, DAMAGE_FLIP, OF_RUNNER, NULL);
    uint64_t vmm = h->report.vmm_pid;
    assert_int_equal(harness_request(h, RUNNER_FORGET, NULL, -1), -EBUSY);
    assert_int_equal(harness_request(h, RUNNER_ADOPT, NULL, -1), 0);
    harness_wait_report(h, is_ready, "the pod is ready again");
    assert_int_equal(h->report.vmm_pid, vmm);
    stop_gently(h);
}

void an_operator_can_have_it_forgotten(Harness *h)
{
    doubt_after(h, DAMAGE_FLIP, OF_BACKEND, NULL);
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
    harness_damage(h, file, DAMAGE_OTHER_BOOT, NULL);
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
    harness_damage(h, file, DAMAGE_OTHER_PROCESS, NULL);
    end_machine(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.verdict, VERDICT_DEAD_CRASHED);
    harness_bye(h);
}
