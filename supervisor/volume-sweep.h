/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Files that were made for one start of a pod: copies of directories that are shares, and scratch disks. They are removed when the
 * machine has ended, and what a podvisord that was killed, or a host that went down, could not remove any more, by the next podvisord:
 * so there is none of a pod of which no machine can be. A machine that is there in spite of all keeps its own, by its descriptor.
 */
#include "supervisor/pod.h"

/* The pod's. */
void volume_sweep(const Pod *pod);
/* Those of all pods that have no machine, or that nobody knows, and all unfinished ones; when each pod was recovered, and none makes anything. */
void volume_sweep_all(Supervisor *s);
/* What the scratch disks of the pod's machine take of the host's disk now, and the most that they can. */
void volume_scratch_use(const Pod *pod, uint64_t *ret_used, uint64_t *ret_size);
