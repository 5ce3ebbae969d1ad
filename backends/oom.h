/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Was it the kernel, for want of memory? A signal 9 does not say who sent it, but the control group counts the kills of this
 * kind. Where several machines share a group, a kill of a neighbour at the same time cannot be told apart.
 */
#include <sys/types.h>

#include "base/macro.h"

typedef struct OomWatch {
    char *file; /* with a line "oom_kill N"; NULL: this host has none for the process */
    uint64_t kills;
} OomWatch;

/* Remembers the count of the process's control group. Never fails: without a count, nothing is claimed later. */
void oom_watch(OomWatch *w, pid_t pid);
/* Has the count grown since? */
bool oom_seen(const OomWatch *w);
void oom_watch_done(OomWatch *w);
