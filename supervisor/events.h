/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What podvisord says about a pod: a sentence with the fields of schemas/log-fields.h, and of events a MESSAGE_ID. */
#include "base/log.h"
#include "schemas/operator-events.h"

typedef struct Pod Pod;

/* A message about a pod, with its fields. Returns error. */
int pod_log(const Pod *pod, int level, int error, const char *format, ...) _printf_(4, 5);
/* An operator's event; the sentence begins with the pod's name. */
void pod_log_event(const Pod *pod, OperatorEvent event, int error, const char *format, ...) _printf_(4, 5);
