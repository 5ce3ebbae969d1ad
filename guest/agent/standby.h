/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A process that waits to become the first container of a copy. To make a process with its namespaces, and the kernel's file systems that it
 * sees, is the same for all containers, and takes a tenth of a copy's start where the processor is emulated; so a template has it
 * already.
 *
 *     template   made, in the first container's control group, with a pid namespace of its own: it mounts what it can ahead, where
 *                nobody sees it, gives up most of the system calls that a container may not have, and waits for a word; of the
 *                agent's descriptors it has none
 *     copy       told what the container is, with its streams; from there on it is as any new process (launch.h), and the
 *                container's child
 *
 * A container that it does not suit gets a process of its own, and this one is ended.
 */
#include "guest/agent/children.h"
#include "guest/agent/launch.h"
#include "guest/agent/platform.h"
#include "schemas/agent.h"

typedef struct Standby {
    Child child; /* pid 0: there is none */
    int socket;
} Standby;

void standby_init(Standby *s);
/* Into the control group of this descriptor. 0 or negative errno: then there is none, and all goes on without. */
int standby_make(Standby *s, Children *children, Platform *p, int cgroup);
/* True when it is the container's process from here on; stdio as in LaunchSpec. */
bool standby_take(Standby *s, Children *children, const AgentContainer *config, const int stdio[3],
                  Launched *ret);
void standby_end(Standby *s, Children *children);
