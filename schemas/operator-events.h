/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What an operator must see: each event has a row with its MESSAGE_ID, its importance, what it means and what to do. The
 * rows are the only list: what writes events, `podvisor events`, the manual and the journal's catalog work by it. An
 * event keeps its MESSAGE_ID for ever; a new one takes a new one (systemd-id128 new).
 */
#include "base/macro.h"

typedef enum OperatorEvent {
    EVENT_STARTED,
    EVENT_READY,
    EVENT_ENDED,
    EVENT_FAILED,
    EVENT_ADOPTED,
    EVENT_RUNNER_LOST,
    EVENT_INDETERMINATE,
    EVENT_DEFINITION_BAD,
    EVENT_DEFINITION_CHANGED,
    EVENT_REMOVED,
    EVENT_DEGRADED,
    EVENT_HELD,
    EVENT_OUTPUT_LOST,
    EVENT_IMAGE_MISSING,
    EVENT_ORDER_CYCLE,
    EVENT_CONTAINER_OOM,
    EVENT_UNREADY,
    EVENT_LIMITS_CHANGED,
    EVENT_LIMITS_REFUSED,
    OPERATOR_EVENT_MAX,
} OperatorEvent;

typedef struct OperatorEventRow {
    const char *name;       /* the value of PODVISOR_EVENT */
    const char *message_id; /* the value of MESSAGE_ID */
    int level;              /* of <syslog.h> */
    const char *doc;        /* what has happened */
    const char *advice;     /* what to do */
} OperatorEventRow;
extern const OperatorEventRow operator_events[OPERATOR_EVENT_MAX];

/* By the value of MESSAGE_ID; NULL when it is none of ours. */
const OperatorEventRow *operator_event_find(const char *message_id);
