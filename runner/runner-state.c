/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/runner-state.h"
#include "runner/supervisor-link.h"

DEFINE_ENUM_TABLE(runner_event, "runner event",
                  RUNNER_EVENT_MAX, [RUNNER_EVENT_START] = { "start", "there is nothing to recover" },
                  [RUNNER_EVENT_STARTED] = { "started", "the machine runs and is ours" },
                  [RUNNER_EVENT_WORKING] = { "working", "the agent has started the containers" },
                  [RUNNER_EVENT_PAUSED] = { "paused", "the machine's processors have stopped" },
                  [RUNNER_EVENT_RESUMED] = { "resumed", "the machine's processors go on" },
                  [RUNNER_EVENT_STOP] = { "stop", "the machine is to end" },
                  [RUNNER_EVENT_KILL] = { "kill", "the machine is to be killed" },
                  [RUNNER_EVENT_DEADLINE] = { "deadline", "what was waited for has not come" },
                  [RUNNER_EVENT_ENDED] = { "ended", "the machine is gone" },
                  [RUNNER_EVENT_DOUBT] = { "doubt", "it cannot be told whose machine runs" },
                  [RUNNER_EVENT_ADOPT] = { "adopt", "an operator asks to try again" });

#define TO(state, act)                                                                                       \
    {                                                                                                        \
        .taken = true, .next = (state), .action = (act)                                                      \
    }

static const RunnerTransition transitions[][RUNNER_EVENT_MAX] = {
    [RUNNER_ADOPTING] = {
        [RUNNER_EVENT_START] = TO(RUNNER_STARTING, runner_action_start),
        [RUNNER_EVENT_STARTED] = TO(RUNNER_STARTING, runner_action_connect),
        [RUNNER_EVENT_STOP] = TO(RUNNER_ADOPTING, NULL), /* carried out when the machine has proved itself */
        [RUNNER_EVENT_KILL] = TO(RUNNER_ADOPTING, NULL),
        [RUNNER_EVENT_ENDED] = TO(RUNNER_ENDED, runner_action_ended),
        [RUNNER_EVENT_DOUBT] = TO(RUNNER_INDETERMINATE, runner_action_doubt),
    },
    [RUNNER_STARTING] = {
        [RUNNER_EVENT_STARTED] = TO(RUNNER_STARTING, runner_action_connect),
        [RUNNER_EVENT_WORKING] = TO(RUNNER_RUNNING, runner_action_working),
        [RUNNER_EVENT_PAUSED] = TO(RUNNER_PAUSED, runner_action_paused),
        [RUNNER_EVENT_STOP] = TO(RUNNER_STOPPING, runner_action_stop),
        [RUNNER_EVENT_KILL] = TO(RUNNER_STOPPING, runner_action_kill),
        [RUNNER_EVENT_DEADLINE] = TO(RUNNER_STARTING, runner_action_start_timeout),
        [RUNNER_EVENT_ENDED] = TO(RUNNER_ENDED, runner_action_ended),
    },
    [RUNNER_RUNNING] = {
        [RUNNER_EVENT_PAUSED] = TO(RUNNER_PAUSED, runner_action_paused),
        [RUNNER_EVENT_STOP] = TO(RUNNER_STOPPING, runner_action_stop),
        [RUNNER_EVENT_KILL] = TO(RUNNER_STOPPING, runner_action_kill),
        [RUNNER_EVENT_ENDED] = TO(RUNNER_ENDED, runner_action_ended),
    },
    [RUNNER_PAUSED] = {
        [RUNNER_EVENT_RESUMED] = TO(RUNNER_STARTING, runner_action_resumed),
        [RUNNER_EVENT_STOP] = TO(RUNNER_STOPPING, runner_action_stop),
        [RUNNER_EVENT_KILL] = TO(RUNNER_STOPPING, runner_action_kill),
        [RUNNER_EVENT_ENDED] = TO(RUNNER_ENDED, runner_action_ended),
    },
    [RUNNER_STOPPING] = {
        [RUNNER_EVENT_PAUSED] = TO(RUNNER_STOPPING, runner_action_resume), /* a pause that was under way */
        [RUNNER_EVENT_STARTED] = TO(RUNNER_STOPPING, NULL),                /* a kill in the middle of a start */
        [RUNNER_EVENT_STOP] = TO(RUNNER_STOPPING, runner_action_stop),
        [RUNNER_EVENT_KILL] = TO(RUNNER_STOPPING, runner_action_kill),
        [RUNNER_EVENT_DEADLINE] = TO(RUNNER_STOPPING, runner_action_stop_timeout),
        [RUNNER_EVENT_ENDED] = TO(RUNNER_ENDED, runner_action_ended),
    },
    [RUNNER_ENDED] = {
        [RUNNER_EVENT_STOP] = TO(RUNNER_ENDED, NULL), /* it is what was asked for */
        [RUNNER_EVENT_KILL] = TO(RUNNER_ENDED, NULL),
    },
    [RUNNER_INDETERMINATE] = {
        [RUNNER_EVENT_ADOPT] = TO(RUNNER_ADOPTING, runner_action_recover),
        [RUNNER_EVENT_ENDED] = TO(RUNNER_ENDED, runner_action_ended), /* an operator: forget it, nothing runs */
    },
};
_Static_assert(ELEMENTSOF(transitions) == RUNNER_STATE_MAX, "every state has a row");

/* What a state means for those who asked to pause it or to let it go on, and wait. */
static void answer_awaiting(Runner *r, RunnerState state)
{
    if (state == RUNNER_STOPPING || state == RUNNER_ENDED)
        supervisor_link_settle(r->link, -ECANCELED, "it ends");
    else
        supervisor_link_settle(r->link, 0, NULL);
}

static void runner_set_state(Runner *r, RunnerState state, RunnerEvent event)
{
    RunnerState before = r->record.report.state;

    if (before == state)
        return;
    runner_log(r, LOG_INFO, 0, "Pod %s: %s -> %s (%s)", r->definition.name,
               enum_to_string(&runner_state_table, (int)before),
               enum_to_string(&runner_state_table, (int)state),
               enum_to_string(&runner_event_table, (int)event));
    r->record.report.state = state;
    runner_save(r);
    runner_report_changed(r);
    answer_awaiting(r, state);
}

bool runner_dispatch(Runner *r, RunnerEvent event)
{
    const RunnerTransition *t = &transitions[r->record.report.state][event];

    if (!t->taken) {
        runner_log(r, LOG_DEBUG, 0, "Pod %s: %s means nothing while %s", r->definition.name,
                   enum_to_string(&runner_event_table, (int)event),
                   enum_to_string(&runner_state_table, (int)r->record.report.state));
        return false;
    }
    runner_set_state(r, t->next, event);
    if (t->action)
        t->action(r);
    return true;
}
