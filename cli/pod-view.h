/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Pods as people see them: the table of `list`, the page of `status`, the story of a failure. Pure: the time is an argument. */
#include "cli/client.h"
#include "cli/pod-memory.h"
#include "cli/table.h"

Colour pod_state_colour(PodState state);
/* True where a machine of the pod may run. */
bool pod_state_runs(PodState state);
/* Ended for good, and not as it should. */
bool container_is_lost(const ContainerReport *container);

/* now: CLOCK_REALTIME. 0 or negative errno, here and below. */
int pod_table_print(const PodList *list, usec_t now, const TableStyle *style, FILE *f);
/* memory: what it costs; NULL where that was not looked at. */
int pod_page_print(const PodStatus *status, const PodMemory *memory, usec_t now, bool colours, FILE *f);

/* What the pods of the list cost, part by part; memories: one for each. */
int pod_memory_table_print(const PodList *list, const PodMemory *memories, const TableStyle *style, FILE *f);
/* "57M: guest 10M, VMM 46M, runner 668K", "not known". NULL: no memory, here and below. */
char *pod_memory_text(const PodMemory *memory);
/* "28M of its 192M are in memory: 6M its own, 22M of the template"; "" where there is no guest. */
char *pod_memory_guest_text(const PodMemory *memory);

/* Why the pod ended or does not come up, its console's last lines, and what to look at next. "web: did not start: ..." */
void pod_failure_print(const PodStatus *status, const char *what, usec_t now, FILE *f);
