/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Between the runner and its agent: when to connect, what to send first, what its answers mean for the pod. */
#include "runner/runner.h"
#include "schemas/agent.h"

/* Begins to connect; tries again by itself until it is dropped. */
void agent_glue_connect(Runner *r);
/* Closes the channel and every exec; no more is tried. */
void agent_glue_drop(Runner *r);
/* A guest that stands still answers no ping. */
void agent_glue_set_paused(Runner *r, bool paused);
/* Asks the agent to end the containers and power off; -ENOTCONN: there is no session. */
int agent_glue_stop(Runner *r, usec_t timeout);
/* A request of podvisord: 1 when the reply comes later, else 0 or negative errno. Takes *fd when it uses it. */
int agent_glue_exec(Runner *r, uint64_t id, const ExecRequest *request, int *fd, char **ret_message);
