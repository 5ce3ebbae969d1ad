/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The pid namespace that a pod's containers share where the pod says so (share_pids). It lasts as long as its first process does,
 * which is a copy of the agent that has given everything up: no files, no power, an empty root directory. It takes in whatever
 * loses its parent in there. Should it ever end, all of the namespace ends with it, and the next container makes a new one.
 */
#include "guest/agent/children.h"
#include "guest/agent/failure.h"
#include "guest/agent/platform.h"

typedef struct PidNamespace {
    Child keeper;
} PidNamespace;

void pid_namespace_init(PidNamespace *n);
/* A pidfd (borrowed) for a process to be born in its namespace; negative errno with f. */
int pid_namespace_get(PidNamespace *n, Children *children, const Platform *p, Failure *f);
