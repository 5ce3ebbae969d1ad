/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a container sees as "/". In two parts:
 *
 * The agent's part, once per boot, below its run directory:
 *     images/DISK               the image, read-only, shared by the containers that use it
 *     volumes/NAME              tmpfs or a disk (volumes.h); of a scratch, its files
 *     scratch/NAME              the whole of a scratch: files, and layers of containers
 *     files/                    secrets and config files (files.h)
 *     shm                       tmpfs, /dev/shm of all
 *     containers/NAME/layer     tmpfs, or a part of a scratch, for what the container writes; it outlives restarts of the container
 *     containers/NAME/root      overlay of the two; NAME is .first for the first container of a copy, whose name its template did not know
 *     etc/{hosts,hostname}
 *
 * The process's part, at each start, in its own mount namespace: /proc, /sys, /dev, volumes on top of the overlay, then the
 * change of root. When its last process ends, all of that is gone by itself.
 */
#include "guest/agent/failure.h"
#include "guest/agent/platform.h"
#include "schemas/agent.h"

/* How much each container may write to its root directory, and all of them to /dev/shm, where the pod does not say so itself. */
void rootfs_decide_sizes(const Platform *p, AgentConfigure *configure);
/* The directories, volumes and files that all containers share. */
int rootfs_prepare(const Platform *p, const AgentConfigure *configure, Failure *f);
/* Those of them that the network's addresses stand in, anew: containers that run see the change. 0 or negative errno. */
int rootfs_write_network(const Platform *p, const AgentConfigure *configure);
/* The names of hosts, with these other pods; containers that run see them at once. 0 or negative errno. */
int rootfs_name_hosts(const Platform *p, const AgentConfigure *configure, char *const *peers);
/* The overlay of one container; fine to repeat. -ENODEV in f: the image's disk is not there yet. */
int rootfs_make(Platform *p, const AgentConfigure *configure, const AgentContainer *c, Failure *f);
/* In a template, before anything is known of a pod: the places of all this, and what of it does not depend on images; `usual` is a pod of
 * one container that says nothing of itself. Fine to repeat. 0 or negative errno: then a copy makes itself what is missing. */
int rootfs_make_ahead(Platform *p, AgentConfigure *usual);
/* RUN/containers/NAME: malloc'ed, NULL: no memory. */
char *rootfs_container_dir(const Platform *p, const AgentContainer *c);
/* In a new process that knows its container later: what rootfs_enter() would mount for any, over a socket to who calls that and
 * rootfs_enter_take(). 0 or negative errno. */
int rootfs_enter_ahead(int socket);
int rootfs_enter_take(int socket);
/* In the new process, in a mount namespace of its own: its "/" becomes the container's. */
int rootfs_enter(const Platform *p, const AgentContainer *c, Failure *f);
