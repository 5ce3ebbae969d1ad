/* SPDX-License-Identifier: Apache-2.0 */
/* What the transitions do. Called by runner_dispatch() alone, in the state that the table names. */
#include "base/strings.h"
#include "runner/agent-glue.h"
#include "runner/backend-events.h"
#include "runner/runner-state.h"

/* A killed process that does not die hangs in the kernel; all that is left is to try again and to say so. */
#define KILL_TIMEOUT (5 * USEC_PER_SEC)
#define ACCURACY (50 * USEC_PER_MSEC)

static int on_deadline(sd_event_source *source, uint64_t now, void *userdata)
{
    Runner *r = userdata;

    r->deadline = sd_event_source_disable_unref(r->deadline);
    runner_dispatch(r, RUNNER_EVENT_DEADLINE);
    return 0;
}

static void deadline_clear(Runner *r)
{
    r->deadline = sd_event_source_disable_unref(r->deadline);
}

static void deadline_set(Runner *r, usec_t timeout)
{
    deadline_clear(r);
    if (timeout == USEC_INFINITY)
        return;
    int e = sd_event_add_time_relative(r->event, &r->deadline, CLOCK_MONOTONIC, timeout, ACCURACY,
                                       on_deadline, r);
    if (e < 0)
        runner_log(r, LOG_ERR, e, "Pod %s: no deadline can be set", r->definition.name);
}

/* --- starting ------------------------------------------------------------------------------------------------ */

static void start_failed(Runner *r, int error, const char *message)
{
    _cleanup_(freep) char *text =
        message ? strdup(message) : strf("the machine could not be started: %s", strerror(-error));

    r->begun = false;
    runner_ended(r, END_START_FAILED, -1, 0, text);
}

void runner_action_start(Runner *r)
{
    _cleanup_(freep) char *message = NULL;

    deadline_set(r, r->definition.pod.start_timeout);
    int e = r->backend->check(&r->definition, &message);
    if (e >= 0)
        e = r->backend->clean(r->vm);
    if (e >= 0)
        e = r->backend->start(r->vm);
    if (e < 0) {
        start_failed(r, e, message);
        return;
    }
    r->begun = true;
    runner_set_phase(r, "the machine's process");
}

/* STARTED: the machine is ours from here on, so what was asked for in the meantime can be done. */
void runner_action_connect(Runner *r)
{
    if (!r->deadline)
        deadline_set(r, r->definition.pod.start_timeout);
    runner_save(r);
    if (r->record.kill_reason != END_NONE) {
        runner_dispatch(r, RUNNER_EVENT_KILL);
        return;
    }
    if (r->backend->has_agent) {
        runner_set_phase(r, "the agent's first word");
        agent_glue_connect(r);
    } else
        runner_set_phase(r, "the containers");
    if (r->record.stop_asked)
        runner_dispatch(r, RUNNER_EVENT_STOP);
}

void runner_action_working(Runner *r)
{
    deadline_clear(r);
    r->record.configured = true;
    if (!r->backend->has_agent)
        r->record.report.limits_generation = r->definition.generation;
    runner_save(r);
    runner_set_phase(r, NULL);
}

void runner_action_start_timeout(Runner *r)
{
    const char *phase = r->record.report.phase ?: "the guest";
    _cleanup_(freep) char *message = NULL, *timeout = duration_format(r->definition.pod.start_timeout);
    bool lost = r->record.configured;

    message = strf("%s within %s; it waited for %s",
                   lost ? "the agent did not answer a new runner" : "the pod did not start",
                   timeout ?: "its time", phase);
    (void)runner_kill(r, lost ? END_AGENT_LOST : END_BOOT_TIMEOUT, message);
}

/* --- pausing ------------------------------------------------------------------------------------------------- */

void runner_action_paused(Runner *r)
{
    r->paused = true;
    deadline_clear(r);
    agent_glue_set_paused(r, true);
}

void runner_action_resumed(Runner *r)
{
    r->paused = false;
    agent_glue_set_paused(r, false);
    deadline_set(r, r->definition.pod.start_timeout);
    if (r->record.configured)
        runner_dispatch(r, RUNNER_EVENT_WORKING);
}

/* A machine that stands still cannot end. */
void runner_action_resume(Runner *r)
{
    r->paused = false;
    agent_glue_set_paused(r, false);
    (void)r->backend->resume(r->vm);
}

/* --- stopping ------------------------------------------------------------------------------------------------ */

/* By the agent where there is one, else by the backend. Negative errno: neither can. */
static int ask_to_end(Runner *r, usec_t timeout)
{
    if (r->backend->has_agent)
        return agent_glue_stop(r, timeout);
    return r->backend->stop && r->machine ? r->backend->stop(r->vm) : -ENOTCONN;
}

void runner_action_stop(Runner *r)
{
    usec_t timeout = r->stop_timeout;

    if (r->record.kill_reason != END_NONE)
        return;
    if (r->paused)
        runner_action_resume(r);
    runner_set_phase(r, "the guest's end");
    deadline_set(r, timeout);
    int e = ask_to_end(r, timeout);
    if (e >= 0)
        return;
    /* Nothing runs in there that could be asked: the containers have not been started. */
    if (!r->record.configured)
        (void)runner_kill(r, END_STOPPED, "it was stopped before its containers had been started");
}

void runner_action_stop_timeout(Runner *r)
{
    _cleanup_(freep) char *timeout = duration_format(r->stop_timeout), *message = NULL;

    if (r->record.kill_reason != END_NONE) {
        runner_set_phase(r, "the machine's process, which does not die though it was killed");
        runner_action_kill(r);
        return;
    }
    message = strf("it did not stop within %s", timeout ?: "its time");
    (void)runner_kill(r, END_KILLED, message);
}

void runner_action_kill(Runner *r)
{
    agent_glue_drop(r);
    deadline_set(r, KILL_TIMEOUT);
    int e = r->backend->kill(r->vm);
    if (e < 0)
        runner_log(r, LOG_ERR, e, "Pod %s: the machine cannot be killed", r->definition.name);
}

/* --- the end, and doubt ---------------------------------------------------------------------------------------- */

void runner_action_ended(Runner *r)
{
    const RunnerReport *report = &r->record.report;

    deadline_clear(r);
    agent_glue_drop(r);
    runner_set_phase(r, NULL);
    runner_save(r);
    runner_log(r, LOG_NOTICE, 0, "Pod %s ended: %s%s%s", r->definition.name,
               enum_to_string(&end_reason_table, (int)report->reason), report->message ? ", " : "",
               report->message ?: "");
    runner_report_changed(r);
}

void runner_action_doubt(Runner *r)
{
    deadline_clear(r);
    runner_set_phase(r, NULL);
    runner_log(r, LOG_ERR, 0, "Pod %s: nothing is started and nothing is killed, since %s",
               r->definition.name, r->record.report.message ?: "it cannot be told what runs");
}

void runner_action_recover(Runner *r)
{
    (void)str_replace(&r->record.report.message, NULL);
    runner_set_phase(r, "the machine's proof of its identity");
    int e = r->backend->adopt(r->vm);
    if (e < 0) {
        runner_doubt(r, "the machine that runs there cannot be reached", e);
        return;
    }
    r->begun = true;
    r->record.report.verdict = VERDICT_ADOPTED;
}
