/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A control group (version 2) per container: limits, the certain end of all of its processes, and the truth about
 * kills for want of memory.
 */
#include <sys/types.h>

#include "schemas/pod-definition.h"

/* By so much the agent raises the kernel's limits of processes, so that each container, and the agent, can have a limit of its own. */
enum { CGROUP_PIDS_SHARES = CONTAINERS_MAX + 1 };

/* Mounts nothing; dir is the directory under which containers get theirs. Controllers that it lacks are no error here. */
int cgroup_delegate(int dir);
/*
 * Whatever containers do, with programs or with files in memory, `reserve` of the memory that is available now stays free for the
 * agent and the kernel: the machine as a whole is never out of memory, which would be its end once nothing is left to kill.
 */
int cgroup_leave_memory(int dir, uint64_t reserve);
/* How many threads the machine's memory is for, as the kernel thinks, whose limit has been raised; 0 when that cannot be read. */
uint64_t cgroup_threads_max(void);
/* Makes the group below dir: its descriptor or negative errno. */
int cgroup_make(int dir, const char *name) _warn_unused_;
/*
 * Repeatable, also with other limits while processes run. pids_share: how many processes there may be where limits does not say, as far as
 * that can be limited; 0: any number. fresh: of a group that has just been made, how many there may be now, which is the only limit that it
 * may have; NULL: its limits are not known. 0; -EOPNOTSUPP when a limit is asked for
 * whose controller is not there; -EBUSY when more memory is used than limits allows: that limit stays what it was; other negative errno.
 * What can be set is set, whatever is returned.
 */
int cgroup_limit(int cgroup, const ContainerLimits *limits, uint64_t pids_share, const uint64_t *fresh);
/* What it may read and write of one disk. Repeatable; as above. */
int cgroup_limit_io(int cgroup, dev_t disk, const IoLimits *io);
/* The most memory that its processes ever had at once; 0 where that is not counted. */
uint64_t cgroup_memory_peak(int cgroup);
/* What it uses now. */
uint64_t cgroup_memory_used(int cgroup);
/* How much memory all below it may have; SIZE_INFINITY where that is not limited. */
uint64_t cgroup_memory_max(int cgroup);
/* SIGKILL to every process in it, also to those that are being forked. */
int cgroup_kill(int cgroup);
/* How many of its processes were killed for want of memory since it was made; 0 where that is not counted. */
uint64_t cgroup_oom_kills(int cgroup);
