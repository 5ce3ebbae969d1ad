/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The sources of a pod's secrets and config files: read by podvisord, which may, and sent to the runner as sealed memfds.
 *
 * Theory of operation
 * -------------------
 * A start is refused while a source cannot be read. The contents go to each runner when it has said what it sees, and one of them
 * again when something has changed in the directory of its source: watched by one inotify for all pods, and looked at a moment later,
 * when whoever writes has finished. A source that cannot be read any more changes nothing for the containers; that it is so stands
 * in the pod's status until it can be read again.
 *
 * Nothing of a content is kept here: it goes from the file into the memfd that is sent.
 */
#include "supervisor/pod.h"

typedef struct FileWatch FileWatch;

int file_watch_new(FileWatch **ret, Supervisor *supervisor);
FileWatch *file_watch_free(FileWatch *w);
DEFINE_CLEANUP(FileWatch *, file_watch_free)

/* Every source can be read: 0, or negative errno with *ret_error, a sentence that names it (malloc'ed). */
int pod_files_check(const Supervisor *s, const PodDefinition *definition, char **ret_error);
/* The pod's runner has come: it gets all of them. */
void pod_files_send(Pod *pod);
/* No runner has them any more. */
void pod_files_forget(Pod *pod);
