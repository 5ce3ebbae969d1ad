/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What podvisord says about a pod: a sentence with the fields of schemas/log-fields.h, and of events a MESSAGE_ID. */
#include "base/log.h"
#include "schemas/operator-events.h"
#include "schemas/report.h"

typedef struct Pod Pod;

/* A message about a pod, with its fields. Returns error. */
int pod_log(const Pod *pod, int level, int error, const char *format, ...) _printf_(4, 5);
/* An operator's event; the sentence begins with the pod's name. */
void pod_log_event(const Pod *pod, OperatorEvent event, int error, const char *format, ...) _printf_(4, 5);
/* The event of each container that was killed for want of memory since the report before; as often as anybody can read it. */
void pod_tell_oom(Pod *pod, const RunnerReport *before, const RunnerReport *after);
