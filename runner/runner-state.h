/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The runner's state machine: RunnerState (schemas/report.h), what can happen, and one table of what follows.
 *
 *     ADOPTING       recovery is under way: the recorded machine has not proved to be ours yet. Nothing may be signalled.
 *     STARTING       the machine is coming up: no STARTED yet, or the agent has not started the containers. start_timeout runs.
 *     RUNNING        the containers were started. The agent is pinged.
 *     PAUSED         the processors stand still; no deadline runs.
 *     STOPPING       the end was asked for, gently or not; a deadline runs, after which it is killed (again).
 *     ENDED          the machine's process is gone; the end is in record.report and is told until `bye`.
 *     INDETERMINATE  there may be a machine that cannot be proved ours. Only adopt and forget lead on.
 */
#include "runner/runner.h"

typedef enum RunnerEvent {
    RUNNER_EVENT_START,   /* recovery says: start */
    RUNNER_EVENT_STARTED, /* the machine runs and is ours */
    RUNNER_EVENT_WORKING, /* the agent has started the containers */
    RUNNER_EVENT_PAUSED,
    RUNNER_EVENT_RESUMED,
    RUNNER_EVENT_STOP,     /* record.stop_asked has been set */
    RUNNER_EVENT_KILL,     /* record.kill_reason has been set */
    RUNNER_EVENT_DEADLINE, /* what the state waits for has not come */
    RUNNER_EVENT_ENDED,    /* the report's end has been filled */
    RUNNER_EVENT_DOUBT,
    RUNNER_EVENT_ADOPT, /* an operator: try again to prove it */
    RUNNER_EVENT_MAX,
} RunnerEvent;
extern const EnumTable runner_event_table;

typedef struct RunnerTransition {
    bool taken; /* false: the event means nothing in this state */
    RunnerState next;
    void (*action)(Runner *r); /* after the state is set; may dispatch further events */
} RunnerTransition;

/* False when the event means nothing in the present state. */
bool runner_dispatch(Runner *r, RunnerEvent event);

/* The actions of the table, in runner-actions.c. */
void runner_action_start(Runner *r);
void runner_action_connect(Runner *r);
void runner_action_working(Runner *r);
void runner_action_paused(Runner *r);
void runner_action_resumed(Runner *r);
void runner_action_resume(Runner *r);
void runner_action_stop(Runner *r);
void runner_action_kill(Runner *r);
void runner_action_start_timeout(Runner *r);
void runner_action_stop_timeout(Runner *r);
void runner_action_ended(Runner *r);
void runner_action_doubt(Runner *r);
void runner_action_recover(Runner *r);
