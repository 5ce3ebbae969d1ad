/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The pod's secrets and config files on their way through the runner: from podvisord, as sealed memfds, or from the definition, to the
 * agent, in pieces. They are in memory here and nowhere else: in no checkpoint, no message and no log.
 *
 * An agent's session gets all of them when it begins, since what an earlier one got is not known; the agent leaves alone what is
 * the same. Later each one again that has changed.
 */
#include "runner/agent-client.h"
#include "schemas/run-definition.h"

typedef struct PodFiles PodFiles;

/* name: of a file that the agent did not take, kind as a word; message: the agent's, or NULL. */
typedef void (*PodFilesRefusedFunc)(void *userdata, const char *kind, const char *name, int error,
                                    const char *message);

/* The definition outlives it. */
int pod_files_new(const PodDefinition *pod, PodFilesRefusedFunc refused, void *userdata, PodFiles **ret);
PodFiles *pod_files_free(PodFiles *f);
bool pod_files_any(const PodFiles *f);
/* A new content, from podvisord. Takes *fd if it is one. -ENOENT: none of that name is declared; -EINVAL: no sealed memfd of a right size. */
int pod_files_take(PodFiles *f, const RunnerFile *message, int *fd);
/* True when each one has a content. */
bool pod_files_complete(const PodFiles *f);
/* A session with the agent has begun: it has none of them. */
void pod_files_rewind(PodFiles *f);
/* Sends what the session has not got, as far as there is room. 1: it has got all that there is; 0: the rest another time; or
 * negative errno. */
int pod_files_pump(PodFiles *f, AgentClient *client);
