/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Changes of a definition that need no other machine and no other run of a container: IMPACT_LIVE in the field tables.
 *
 * Theory of operation
 * -------------------
 *     definition  --pod_live_take()-->  frozen definition, `running`  --pod_live_send()-->  runner  -->  agent
 *
 * The frozen definition is the intent: once it is on disk, whoever comes (another podvisord, another runner) goes on from it, since
 * each runner is told what `running` has, and each agent what its runner's definition has. What the agent knows stands in the
 * runner's report by its generation.
 */
#include "supervisor/pod.h"

/* live_due: freezes and takes over. What cannot be written is tried again. */
void pod_live_take(Pod *pod);
/* limits_due: tells the runner, if it is there and is not told in vain. */
void pod_live_send(Pod *pod);
/* A report has come: tells operators when the containers have what was changed, or do not get it. */
void pod_live_note(Pod *pod);
/* Adds to pending what the containers of the machine that runs do not have. 0 or -ENOMEM. */
int pod_live_show(const Pod *pod, char ***pending);
/* The machine that it was about has ended. */
void pod_live_forget(Pod *pod);
