/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/recovery.h"

DEFINE_ENUM_TABLE(recovery_action, "recovery action",
                  RECOVERY_ACTION_MAX, [RECOVERY_START] = { "start", "the machine is started" },
                  [RECOVERY_ADOPT] = { "adopt", "the machine is taken over if it proves to be ours" },
                  [RECOVERY_LOOK_AGAIN] = { "look-again",
                                            "it is looked at again for some seconds; then it is a doubt" },
                  [RECOVERY_REPORT_END] = { "report-end", "the end is reported" },
                  [RECOVERY_WAIT] = { "wait", "nothing is done until an operator decides" });

#define BIT(x) (1u << (x))
enum {
    ANY = ~0u,
    FREE = BIT(SIGN_NOTHING),
    ALIVE = BIT(SIGN_PROCESS) | BIT(SIGN_BOTH),
};

const RecoveryRow recovery_table[] = {
    { BIT(TRUST_DAMAGED), ANY, ANY, VERDICT_INDETERMINATE, RECOVERY_WAIT,
      "a checkpoint is there but cannot be believed" },

    { BIT(TRUST_ENDED), ANY, FREE, VERDICT_DEAD_CLEAN, RECOVERY_REPORT_END,
      "the end of this attempt is recorded" },
    { BIT(TRUST_ENDED), ANY, ANY, VERDICT_INDETERMINATE, RECOVERY_WAIT,
      "the end of this attempt is recorded, but a machine runs" },

    { BIT(TRUST_ABSENT), ANY, FREE, VERDICT_NONE, RECOVERY_START, "no machine was started before" },
    { BIT(TRUST_ABSENT), ANY, ANY, VERDICT_INDETERMINATE, RECOVERY_WAIT,
      "a machine runs, but no checkpoint tells of it" },

    { BIT(TRUST_OLD), ANY, FREE, VERDICT_NONE, RECOVERY_START, "the machine of an earlier attempt is gone" },
    { BIT(TRUST_OLD), ANY, ANY, VERDICT_FOREIGN, RECOVERY_WAIT, "the machine of another attempt runs" },

    { BIT(TRUST_REBOOT), BIT(BACKEND_STEP_NONE), FREE, VERDICT_NONE, RECOVERY_START,
      "no machine was started before" },
    { BIT(TRUST_REBOOT), BIT(BACKEND_STEP_ENDED), FREE, VERDICT_DEAD_CLEAN, RECOVERY_REPORT_END,
      "the machine had ended, and its end is recorded" },
    { BIT(TRUST_REBOOT), ANY, FREE, VERDICT_DEAD_CRASHED, RECOVERY_REPORT_END,
      "the machine ended when the host was restarted" },
    { BIT(TRUST_REBOOT), ANY, ANY, VERDICT_FOREIGN, RECOVERY_WAIT,
      "the checkpoint is from before the host was restarted, but a machine runs" },

    { BIT(TRUST_GOOD), BIT(BACKEND_STEP_ENDED), FREE, VERDICT_DEAD_CLEAN, RECOVERY_REPORT_END,
      "the machine had ended, and its end is recorded" },
    { BIT(TRUST_GOOD), BIT(BACKEND_STEP_ENDED), BIT(SIGN_LOCKED), VERDICT_NONE, RECOVERY_LOOK_AGAIN,
      "the machine's end is recorded; its last threads are on their way out, or another machine runs" },
    { BIT(TRUST_GOOD), BIT(BACKEND_STEP_ENDED), ANY, VERDICT_INDETERMINATE, RECOVERY_WAIT,
      "the machine's end is recorded, but a machine runs" },
    { BIT(TRUST_GOOD), BIT(BACKEND_STEP_NONE), FREE, VERDICT_NONE, RECOVERY_START,
      "no machine was started before" },
    { BIT(TRUST_GOOD), BIT(BACKEND_STEP_NONE), ANY, VERDICT_INDETERMINATE, RECOVERY_WAIT,
      "a machine runs, but the checkpoint says that none was started" },
    { BIT(TRUST_GOOD), BIT(BACKEND_STEP_STARTING), BIT(SIGN_PROCESS), VERDICT_NONE, RECOVERY_LOOK_AGAIN,
      "the machine's process is on its way to its exec, or gives up since its runner is gone" },
    { BIT(TRUST_GOOD), ANY, ALIVE, VERDICT_ADOPTED, RECOVERY_ADOPT, "the recorded machine runs" },
    { BIT(TRUST_GOOD), ANY, BIT(SIGN_LOCKED), VERDICT_NONE, RECOVERY_LOOK_AGAIN,
      "the last threads of the recorded machine are on their way out, or another machine runs" },
    { BIT(TRUST_GOOD), BIT(BACKEND_STEP_STARTING), FREE, VERDICT_NONE, RECOVERY_START,
      "the start was cut off before a machine ran" },
    { BIT(TRUST_GOOD), BIT(BACKEND_STEP_RUNNING), FREE, VERDICT_DEAD_CRASHED, RECOVERY_REPORT_END,
      "the machine ended while no runner watched" },
};
const size_t recovery_table_length = ELEMENTSOF(recovery_table);

static bool damaged(CheckpointOutcome outcome)
{
    return outcome != CHECKPOINT_GOOD && outcome != CHECKPOINT_ABSENT;
}

static RecoveryTrust trust_of(const RecoveryFacts *f)
{
    const BackendFacts *b = f->backend;

    if (damaged(b->checkpoint) || damaged(f->runner))
        return TRUST_DAMAGED;
    if (f->runner_same && f->runner_ended)
        return TRUST_ENDED;
    if (b->checkpoint == CHECKPOINT_ABSENT)
        return TRUST_ABSENT;
    if (!b->same_machine)
        return TRUST_OLD;
    return b->same_boot ? TRUST_GOOD : TRUST_REBOOT;
}

static RecoverySign sign_of(const BackendFacts *b)
{
    if (b->locked)
        return b->process ? SIGN_BOTH : SIGN_LOCKED;
    return b->process ? SIGN_PROCESS : SIGN_NOTHING;
}

const RecoveryRow *recovery_find(const RecoveryFacts *facts)
{
    RecoveryTrust trust = trust_of(facts);
    RecoverySign sign = sign_of(facts->backend);
    BackendStep step = facts->backend->step;

    TABLE_FOREACH (row, recovery_table)
        if (row->trust & BIT(trust) && row->steps & BIT(step) && row->signs & BIT(sign))
            return row;
    assert(!"every combination of facts has a row");
    return NULL;
}
