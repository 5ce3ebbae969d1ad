/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the agent does itself on a stream (schemas/task.h), each in a process of its own, so that nothing that is slow holds up the
 * loop, and nothing that a container's files do to it reaches further.
 *
 * A copy sees the container's files as the container does, from its mount namespace, but is none of its processes: not in its pid
 * namespace, so that the container cannot find it, and not in its control group, so that memory for a copy is no reason to kill
 * the container. It ends when the container ends.
 */
#include "guest/agent/launch.h"
#include "schemas/agent.h"

/* Theirs, beside those of the containers, none of which can have the name. */
#define TASK_CGROUP "tasks.agent"

typedef struct Agent Agent;
typedef struct Container Container;

/* What a task's process works on: a copy of the agent's memory, in which nothing moves. */
typedef struct TaskWork {
    Agent *agent;
    const Container *container; /* NULL: of none */
    const ExecRequest *request;
} TaskWork;

/* Fills what is the task's of a spec. work lives until the launch. 0 or negative errno with f. */
int task_prepare(TaskWork *work, LaunchSpec *spec, Failure *f);

/* The tasks; each returns an exit status. */
int task_copy_in(void *work);
int task_copy_out(void *work);
int task_processes(void *work);
int task_statistics(void *work);
int task_ping(void *work);
