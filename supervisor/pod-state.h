/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The state that a pod shows (schemas/pod-status.h), as a table of [state][event]. The state decides nothing: decisions
 * come from the facts (supervisor/reconcile.h). It is how those are told to people, and the table is the list of the
 * changes that can happen; any other is a bug of ours, told in the log, and leaves the state as it is.
 */
#include "schemas/pod-status.h"

typedef enum PodEvent {
    POD_EVENT_FOUND,    /* after a restart of podvisord: a machine may live */
    POD_EVENT_IDLE,     /* nothing runs, and nothing is to run */
    POD_EVENT_WAITING,  /* something that it needs is not there */
    POD_EVENT_QUEUED,   /* it waits for its turn */
    POD_EVENT_LAUNCHED, /* a new attempt was begun */
    POD_EVENT_STARTING, /* the runner reports a machine that starts */
    POD_EVENT_RUNNING,  /* the runner reports running containers */
    POD_EVENT_READY,    /* ... that all do what they should */
    POD_EVENT_PAUSED,
    POD_EVENT_ENDING,  /* the machine was told to end, or has ended and its runner is leaving */
    POD_EVENT_BACKOFF, /* it waits before its next start */
    POD_EVENT_SUCCEEDED,
    POD_EVENT_FAILED,
    POD_EVENT_DOUBT,
    POD_EVENT_MAX,
} PodEvent;
extern const EnumTable pod_event_table;

/* The state after event; -EINVAL when the event cannot happen in that state. */
int pod_state_next(PodState state, PodEvent event);
