/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What an operator must see: each event has a row with its MESSAGE_ID, its importance, what it means and what to do. The
 * rows are the only list; the manual and the journal's catalog come from it.
 *
 * Fields of every message about a pod: PODVISOR_POD, PODVISOR_POD_UUID, PODVISOR_GENERATION, PODVISOR_STATE,
 * PODVISOR_REASON; and of an event PODVISOR_EVENT and MESSAGE_ID.
 */
#include "base/log.h"
#include "schemas/schema.h"

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

typedef struct Pod Pod;

/* A message about a pod, with its fields. Returns error. */
int pod_log(const Pod *pod, int level, int error, const char *format, ...) _printf_(4, 5);
/* An operator's event; the sentence begins with the pod's name. */
void pod_log_event(const Pod *pod, OperatorEvent event, int error, const char *format, ...) _printf_(4, 5);
