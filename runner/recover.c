/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "runner/backend-events.h"
#include "runner/end.h"
#include "runner/recovery.h"
#include "runner/runner-state.h"
#include "runner/start-marks.h"

/* From the gate to the exec, or from the last word to the end, it takes a millisecond; a host that swaps may need seconds. */
#define LOOK_INTERVAL (20 * USEC_PER_MSEC)
#define LOOK_TIMEOUT (5 * USEC_PER_SEC)

/* The old record goes on when it is of this attempt; otherwise the new one stays as it was made. */
static CheckpointOutcome record_load(Runner *r, bool *ret_same, char **ret_detail)
{
    RunnerRecord record;
    CheckpointEnvelope envelope = { 0 };

    CheckpointOutcome outcome =
        checkpoint_read(r->vm_dir, &runner_checkpoint, &record, &envelope, ret_detail);
    *ret_same = false;
    if (outcome != CHECKPOINT_GOOD)
        return outcome;
    *ret_same = record.attempt == r->definition.attempt && id128_equal(envelope.pod, r->definition.uuid);
    r->record_generation = *ret_same ? envelope.generation : 0;
    schema_done(&checkpoint_envelope_schema, &envelope);
    if (!*ret_same) {
        schema_done(&runner_record_schema, &record);
        return outcome;
    }
    schema_done(&runner_record_schema, &r->record);
    r->record = record;
    return outcome;
}

static void record_begin(Runner *r, bool ended)
{
    RunnerReport *report = &r->record.report;

    r->record.attempt = r->definition.attempt;
    if (ended)
        return;
    report->state = RUNNER_ADOPTING;
    report->ready = false;
    report->vmm_pid = 0;
    (void)str_replace(&report->message, NULL);
}

/* Those of an earlier machine. */
static void forget_helpers(RunnerReport *report)
{
    free(report->helpers);
    report->helpers = NULL;
    report->n_helpers = 0;
}

static void recover_start(Runner *r, const BackendFacts *facts)
{
    r->record.configured = r->record.completed = r->record.power_button = false;
    forget_helpers(&r->record.report);
    if (start_marks_begin(r, r->born) < 0)
        runner_log(r, LOG_WARNING, -ENOMEM, "Pod %s: the times of its start are not all recorded",
                   r->definition.name);
    runner_dispatch(r, RUNNER_EVENT_START);
}

static int on_look(sd_event_source *source, uint64_t now, void *userdata)
{
    Runner *r = userdata;

    r->deadline = sd_event_source_disable_unref(r->deadline);
    runner_recover(r);
    return 0;
}

void runner_look_again(Runner *r, const char *message, int error)
{
    int e = -ETIMEDOUT;

    r->begun = false;
    r->deadline = sd_event_source_disable_unref(r->deadline);
    if (usec_sub(now_usec(CLOCK_MONOTONIC), r->looking_since) < LOOK_TIMEOUT)
        e = sd_event_add_time_relative(r->event, &r->deadline, CLOCK_MONOTONIC, LOOK_INTERVAL, 1, on_look, r);
    if (e < 0)
        runner_doubt(r, message, error);
}

static void recover_look_again(Runner *r, const BackendFacts *facts)
{
    runner_look_again(r,
                      facts->process ? "a process of the machine neither begins nor ends"
                                     : "a machine runs, but it is not the recorded process",
                      0);
}

static void recover_adopt(Runner *r, const BackendFacts *facts)
{
    int e = r->backend->adopt(r->vm);

    if (e < 0) {
        /* A machine that is about to end has closed its door already. */
        runner_look_again(r, "the machine that runs there cannot be reached", e);
        return;
    }
    r->begun = true;
    runner_set_phase(r, "the machine's proof of its identity");
}

static void recover_report_end(Runner *r, const BackendFacts *facts)
{
    const BackendEnd *end = &facts->end;
    bool recorded = facts->step == BACKEND_STEP_ENDED;

    if (r->record.report.state == RUNNER_ENDED) {
        runner_report_changed(r);
        return;
    }
    runner_ended(r, recorded ? end->reason : END_LOST, recorded ? end->exit_code : -1,
                 recorded ? end->exit_signal : 0,
                 recorded ? end->message : "the machine ended while no runner watched");
}

static void recover_wait(Runner *r, const BackendFacts *facts)
{
    runner_dispatch(r, RUNNER_EVENT_DOUBT);
}

static void (*const recover_actions[RECOVERY_ACTION_MAX])(Runner *r, const BackendFacts *facts) = {
    [RECOVERY_START] = recover_start,
    [RECOVERY_ADOPT] = recover_adopt,
    [RECOVERY_LOOK_AGAIN] = recover_look_again,
    [RECOVERY_REPORT_END] = recover_report_end,
    [RECOVERY_WAIT] = recover_wait,
};

/* Why the operator has to decide: the row's words, and what is wrong with the checkpoint where that is the cause. */
static void recover_explain(Runner *r, const RecoveryRow *row, const char *runner_detail,
                            const char *backend_detail)
{
    const char *detail = backend_detail ?: runner_detail;

    if (row->action != RECOVERY_WAIT)
        return;
    free(r->record.report.message);
    r->record.report.message = detail ? strf("%s: %s", row->why, detail) : strdup(row->why);
}

void runner_recover(Runner *r)
{
    _cleanup_(backend_facts_done) BackendFacts backend = { 0 };
    _cleanup_(freep) char *detail = NULL;
    RecoveryFacts facts = { .backend = &backend };

    r->looking_since = r->looking_since ?: now_usec(CLOCK_MONOTONIC);
    facts.runner = record_load(r, &facts.runner_same, &detail);
    facts.runner_ended = facts.runner_same && r->record.report.state == RUNNER_ENDED;
    int e = r->backend->inspect(r->vm, &backend);
    if (e < 0) {
        record_begin(r, false);
        runner_doubt(r, "what an earlier runner left cannot be looked at", e);
        return;
    }
    const RecoveryRow *row = recovery_find(&facts);
    record_begin(r, facts.runner_ended && row->action == RECOVERY_REPORT_END);
    r->record.report.verdict = row->verdict;
    recover_explain(r, row, facts.runner == CHECKPOINT_ABSENT ? NULL : detail, backend.detail);
    runner_log(r, row->action == RECOVERY_WAIT ? LOG_ERR : LOG_INFO, 0,
               "Pod %s, attempt %llu: %s, so: %s (%s)", r->definition.name,
               (unsigned long long)r->definition.attempt, enum_to_string(&verdict_table, (int)row->verdict),
               enum_to_string(&recovery_action_table, (int)row->action),
               r->record.report.message ?: row->why);
    recover_actions[row->action](r, &backend);
}
