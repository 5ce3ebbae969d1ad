/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The pod's volumes, below the agent's run directory, at volumes/NAME: memory at once, disks when they have appeared and a container
 * that sees them, or has its layer on them, is about to start, shares that are live when such a container is. A disk is mounted once, for all containers; it is left in order when the machine ends.
 */
#include "guest/agent/failure.h"
#include "guest/agent/platform.h"
#include "schemas/agent.h"

/* Those that are memory. */
int volumes_make(const Platform *p, const AgentConfigure *configure, Failure *f);
/* The disks that the container needs; fine to repeat. -ENODEV in f: one is not there yet. */
int volumes_mount(Platform *p, const AgentConfigure *configure, const ContainerDefinition *d, Failure *f);
/* Swap space for the container, if it is to have any; fine to repeat. -ENODEV in f: its disk is not there yet. */
int volumes_swap(Platform *p, const AgentConfigure *configure, const ContainerDefinition *d, Failure *f);
/* Nothing uses them any more: what was written is on the disks, and these need no repair. */
void volumes_end(const Platform *p, const AgentConfigure *configure);
