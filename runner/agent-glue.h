/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Between the runner and its agent: when to connect, what to say, and what the agent's words mean for the pod.
 *
 * Secrets and config files go to each session, before configure and whenever one has changed (runner/pod-files.h).
 *
 *     STARTED -> connect -> hello ... welcome -+-> clock -> configure -> reply -> WORKING    a guest that has just booted
 *                   ^                          +-> clock; WORKING                            one that was configured before
 *                   +---- the channel broke, garbage came, or one that was configured is silent: wait, then again
 *
 * What ends the machine: an agent that speaks no version of ours, or refuses the configuration (END_AGENT_REFUSED); one that is
 * silent for about a minute and a half, or sends garbage AGENT_GARBAGE_MAX times in a row (END_AGENT_LOST). Until the first welcome
 * start_timeout of the pod is the only deadline (END_BOOT_TIMEOUT); a copy of a template has AGENT_WAKE_TIMEOUT (END_NOT_WOKEN).
 */
#include "runner/runner.h"
#include "schemas/agent.h"

enum { AGENT_GARBAGE_MAX = 5 };
#define AGENT_RETRY_MIN (200 * USEC_PER_MSEC)
#define AGENT_RETRY_MAX (5 * USEC_PER_SEC)
#define AGENT_RETURN_TIMEOUT (60 * USEC_PER_SEC)  /* for the welcome of an agent that has been configured */
#define AGENT_CHANNEL_PATIENCE (5 * USEC_PER_SEC) /* ... over one connection; then over another one */
#define AGENT_WAKE_TIMEOUT                                                                                   \
    (20 * USEC_PER_SEC) /* for the first welcome of a copy of a template, which has nothing else to do */
#define AGENT_CONFIGURE_TIMEOUT (300 * USEC_PER_SEC) /* start_timeout is nearly always shorter */

/* Begins to connect; tries again by itself until it is dropped. */
void agent_glue_connect(Runner *r);
/* Closes the channel and every exec; no more is tried. Output that came is written. */
void agent_glue_drop(Runner *r);
/* Output up to this number is safe: it is remembered, and the agent is told. */
void agent_glue_log_safe(Runner *r, uint64_t seq);
/* A guest that stands still answers no ping; when it goes on, its clock is seen to. */
void agent_glue_set_paused(Runner *r, bool paused);
/* Asks the agent to end the containers and power off; -ENOTCONN: there is no session (it is asked when there is one). */
int agent_glue_stop(Runner *r, usec_t timeout);
/* A secret or config file has come from podvisord, or cannot be read any more. Takes *fd if it uses it. 0 or negative errno (logged). */
int agent_glue_file(Runner *r, const RunnerFile *file, int *fd);
/* The definition has other limits of containers than before: the agent is told. */
void agent_glue_limits_changed(Runner *r);
/* There are other names of other pods: runner->peers. */
void agent_glue_hosts_changed(Runner *r);
/* For pod_files_new(), with the Runner. */
void agent_glue_file_refused(void *userdata, const char *kind, const char *name, int error,
                             const char *message);
/* A request of podvisord: 0, or negative errno. Takes *fd when it returns 0. */
int agent_glue_exec(Runner *r, const ExecRequest *request, int *fd, char **ret_message);
