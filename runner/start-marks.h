/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The times of this start (schemas/start-times.h), as the runner knows them: podvisord's marks come with the definition, the backend's by
 * BackendContext.start, the agent's in its reports, and the rest are marked here.
 *
 * A runner that adopts a machine goes on with the marks that the one before had recorded. Where there are none, since that was of an older
 * podvisor, it marks nothing: what it would see for the first time is not what happened for the first time.
 */
#include "runner/runner.h"
#include "schemas/agent.h"

/* Of a machine that is about to be started; born: when this runner's process was there. 0 or -ENOMEM. */
int start_marks_begin(Runner *r, usec_t born);
/* A step of the runner's own; the first time counts. */
void start_marks_add(Runner *r, StartMark mark);
/* The pod is ready: what is known now is recorded. */
void start_marks_ready(Runner *r);
/* What the guest's clock showed at a moment between asked and answered (CLOCK_MONOTONIC). */
void start_marks_clock(Runner *r, usec_t asked, usec_t answered, const AgentClock *clock);
/* What the agent says of the rows that are the guest's; its containers are looked for by the names of the definition. */
void start_marks_take(Runner *r, const StartTimes *told);
/* The container has written something; the first time of a start that was seen counts, and is recorded. */
void start_marks_output(Runner *r, const char *container);
