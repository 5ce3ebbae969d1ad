/* SPDX-License-Identifier: Apache-2.0 */
/* A pod's turn: decide, act, and show the state that follows. */
#include "base/strings.h"
#include "supervisor/networks.h"
#include "supervisor/pod-live.h"
#include "supervisor/pod-order.h"
#include "supervisor/supervisor.h"

/* States in which a pod stays, and whose beginning is worth remembering over a restart of podvisord. */
static const bool lasting[POD_STATE_MAX] = {
    [POD_INACTIVE] = true,  [POD_READY] = true,  [POD_PAUSED] = true,  [POD_BACKOFF] = true,
    [POD_SUCCEEDED] = true, [POD_FAILED] = true, [POD_WAITING] = true,
};

/* A pod that is found again in the state in which it was left has been in it all the time. */
static void note_since(Pod *pod)
{
    PodRecord *record = &pod->record;

    pod->status_built = false;
    if (pod->state == POD_RECOVERING || record->state == pod->state)
        return;
    record->state = pod->state;
    record->since = now_usec(CLOCK_REALTIME);
    if (lasting[pod->state] && record->attempt > 0)
        (void)pod_save(pod);
}

/* Which container, and why: a clause with a comma before it, or nothing. */
static char *unready_cause(const Pod *pod)
{
    const RunnerReport *report = &pod->report;

    for (size_t i = 0; i < report->n_containers; i++) {
        const ContainerReport *c = &report->containers[i];
        const char *why = c->unready ? c->probe_failure : c->message;
        if (container_does_what_it_should(c))
            continue;
        _cleanup_(freep) char *text = str_escape(why ?: "", why ? strlen(why) : 0);
        return strf(": container %s is %s%s%s", c->name ?: "?",
                    c->unready ? "not ready" : enum_to_string(&container_state_table, (int)c->state),
                    str_empty(text) ? "" : "; ", text ?: "");
    }
    return strdup("");
}

static void tell_unready(const Pod *pod)
{
    _cleanup_(freep) char *cause = unready_cause(pod);
    pod_log_event(pod, EVENT_UNREADY, 0, "%s: not ready any more%s", pod->name, cause ?: "");
}

void pod_set_state(Pod *pod, PodEvent event)
{
    PodState before = pod->state;
    int next = pod_state_next(pod->state, event);

    if (next < 0) {
        pod_log(pod, LOG_ERR, 0, "%s: the event \"%s\" cannot happen while it is %s", pod->name,
                enum_to_string(&pod_event_table, (int)event),
                enum_to_string(&pod_state_table, (int)pod->state));
        return;
    }
    if (next == (int)pod->state)
        return;
    pod_log(pod, LOG_DEBUG, 0, "%s: %s -> %s", pod->name, enum_to_string(&pod_state_table, (int)pod->state),
            enum_to_string(&pod_state_table, next));
    pod->state = (PodState)next;
    note_since(pod);
    if (pod->state == POD_READY)
        pod_log_event(pod, EVENT_READY, 0, "%s: ready", pod->name);
    if (before == POD_READY && pod->state == POD_RUNNING)
        tell_unready(pod);
    if (pod->state == POD_INDETERMINATE)
        pod_log_event(pod, EVENT_INDETERMINATE, 0, "%s: indeterminate: %s", pod->name,
                      pod->doubt ?: pod->report.message ?: "the runner cannot tell what runs");
}

/* The start is over as soon as the containers are started. */
static void note_running(Pod *pod)
{
    const PodObserved *o = &pod->observed;

    if (!o->reported || (o->state != RUNNER_RUNNING && o->state != RUNNER_PAUSED))
        return;
    if (pod->in_flight.operation == OPERATION_START) {
        pod->in_flight.operation = OPERATION_NONE;
        supervisor_unqueue(pod->supervisor, pod);
    }
    if (pod->record.running_since == 0) {
        pod->record.running_since = now_usec(CLOCK_BOOTTIME);
        (void)pod_save(pod);
    }
}

/* Both tables have the event + 1, so that a row left out says nothing. */
/* clang-format off */
static const uint8_t event_of_report[RUNNER_STATE_MAX] = {
    [RUNNER_STARTING]      = POD_EVENT_STARTING + 1,
    [RUNNER_RUNNING]       = POD_EVENT_RUNNING + 1,
    [RUNNER_PAUSED]        = POD_EVENT_PAUSED + 1,
    [RUNNER_STOPPING]      = POD_EVENT_ENDING + 1,
    [RUNNER_ENDED]         = POD_EVENT_ENDING + 1,
    [RUNNER_INDETERMINATE] = POD_EVENT_DOUBT + 1,
};

/* Why a pod rests says what it is, where its runner does not. */
static const uint8_t event_of_rule[RULE_MAX] = {
    [RULE_DOUBT]         = POD_EVENT_DOUBT + 1,
    [RULE_RUNNER_DOUBTS] = POD_EVENT_DOUBT + 1,
    [RULE_NOT_DEFINED]   = POD_EVENT_IDLE + 1,
    [RULE_HELD]          = POD_EVENT_IDLE + 1,
    [RULE_NO_AUTOSTART]  = POD_EVENT_IDLE + 1,
    [RULE_ALL_END]       = POD_EVENT_IDLE + 1,
    [RULE_CYCLIC]        = POD_EVENT_WAITING + 1,
    [RULE_AWAITS]        = POD_EVENT_WAITING + 1,
    [RULE_NO_IMAGE]      = POD_EVENT_WAITING + 1,
    [RULE_MAKING_VOLUME] = POD_EVENT_WAITING + 1,
    [RULE_SUCCEEDED]     = POD_EVENT_SUCCEEDED + 1,
    [RULE_FAILED]        = POD_EVENT_FAILED + 1,
    [RULE_BACKOFF]       = POD_EVENT_BACKOFF + 1,
    [RULE_LEAVING]       = POD_EVENT_ENDING + 1,
};
/* clang-format on */

static void show(Pod *pod, Rule rule)
{
    const PodObserved *o = &pod->observed;
    uint8_t event = event_of_rule[rule];

    if (event == 0 && o->linked && o->reported && o->phase != MACHINE_NONE && o->phase != MACHINE_ENDED)
        event = event_of_report[o->state];
    if (event == POD_EVENT_RUNNING + 1 && pod->report.ready)
        event = POD_EVENT_READY + 1;
    if (event != 0)
        pod_set_state(pod, (PodEvent)(event - 1));
}

static void wake_at(Pod *pod, usec_t wake)
{
    if (wake == USEC_INFINITY) {
        (void)sd_event_source_set_enabled(pod->timer, SD_EVENT_OFF);
        return;
    }
    (void)sd_event_source_set_time(pod->timer, wake);
    (void)sd_event_source_set_enabled(pod->timer, SD_EVENT_ONESHOT);
}

bool pod_reconcile(Pod *pod)
{
    enum { STEPS_MAX = 16 }; /* of one turn; a longer chain goes on in the next one */

    note_running(pod);
    if (pod->files_due)
        pod_files_send(pod);
    if (pod->live_due)
        pod_live_take(pod);
    if (pod->limits_due)
        pod_live_send(pod);
    if (pod->hosts_due)
        networks_send(pod);
    pod_order_look(pod);
    for (int i = 0; i < STEPS_MAX; i++) {
        Decision d = reconcile(&pod->wanted, &pod->observed, &pod->in_flight, now_usec(CLOCK_BOOTTIME));
        bool queued = d.step == STEP_QUEUE;
        pod->rule = d.rule;
        StepOutcome outcome = pod_step(pod, d);
        if (outcome == STEP_AGAIN)
            continue;
        if (outcome == STEP_GONE)
            return false;
        /* Whoever stands in line for nothing holds up the others. */
        if (!queued && pod->observed.phase != MACHINE_LAUNCHING && pod->observed.phase != MACHINE_LIVE)
            supervisor_unqueue(pod->supervisor, pod);
        pod->status_built = false;
        show(pod, d.rule);
        pod_order_update(pod);
        request_queue_settle(pod);
        wake_at(pod, d.step == STEP_KILL_RUNNER ? pod->in_flight.deadline : d.wake);
        return true;
    }
    pod_due(pod);
    return true;
}
