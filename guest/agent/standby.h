/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Two processes that wait in a template for the first container of a copy. To make a process with its namespaces, its confinement and the
 * kernel's file systems that it sees, is the same for most containers, and takes a sixth of a copy's start where the processor is
 * emulated; so a template has it already.
 *
 *     the one that waits     in the container's control group, with all its namespaces and streams; it has given up the system calls that a
 *                            container may not have, and so can make no file system any more, nor mount one
 *     its usher              the agent's own, in the mount namespace of the other, with the file systems that that one made
 *
 *     agent --- container ---> usher --- container ---> the one that waits
 *                                |                           |
 *                       makes it a root directory     becomes the program
 *
 * What the agent mounts for the container, the images' disks and volumes, comes into that namespace by itself, until the container's root
 * is entered. The usher ends long after that, since to end costs as much as to begin: its namespace must not outlive the container.
 *
 * A container that they do not suit gets a process of its own, and these are ended.
 */
#include "guest/agent/children.h"
#include "guest/agent/launch.h"
#include "guest/agent/platform.h"
#include "schemas/agent.h"

typedef struct Standby {
    Child child; /* pid 0: there is none */
    Child usher; /* pid 0: there is none, or it is through */
    int socket;
    int outputs[2]; /* what the program will write */
} Standby;

void standby_init(Standby *s);
/* Into the control group of this descriptor. 0 or negative errno: then there is none, and all goes on without. */
int standby_make(Standby *s, Children *children, Platform *p, int cgroup);
/* True when it is the container's process from here on; outputs: the caller's, of stdout and stderr. */
bool standby_take(Standby *s, Children *children, const AgentContainer *config, int outputs[2],
                  Launched *ret);
void standby_end(Standby *s, Children *children);
