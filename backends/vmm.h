/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The process that is a machine: how it is locked, spawned, and reaped. For all backends.
 *
 * The gate: the child of vmm_fork() waits before its exec until vmm_release(). In between the backend writes the child's
 * identity into its checkpoint. A runner that dies before the release takes the child with it, since the gate
 * closes; so no VMM ever runs that is not recorded. Behind the gate the child takes the machine lock, and ends when it is held.
 */
#include <sys/types.h>

#include "base/process.h"
#include "schemas/run-definition.h"

#define VMM_LOCK_FILE RUN_MACHINE_LOCK_FILE
enum { VMM_FDS_MAX = 128 };

typedef struct VmmCommand {
    char *const *arguments; /* arguments[0]: absolute path of the program */
    int vm_dir;             /* where the lock is */
    /* At most VMM_FDS_MAX: the only ones besides 0, 1, 2 and the lock that the VMM gets, under the same numbers. */
    const int *fds;
    size_t n_fds;
    bool dies_with_us; /* a machine that is nobody's but ours */
    int stderr_fd;     /* becomes 1 and 2; -1: /dev/null. 0 is /dev/null. */
} VmmCommand;

typedef struct VmmChild {
    ProcessId id;
    int pidfd; /* -1: none */
    int gate;  /* -1: released or none */
} VmmChild;

/* Forks a child that waits: own session, no signals blocked, environment of PATH and LANG=C only. 0 or negative errno. */
int vmm_fork(const VmmCommand *command, VmmChild *ret) _warn_unused_;

/*
 * Lets it go and waits (some milliseconds) for its exec. 0; -EWOULDBLOCK: another holds the machine lock; or the error of exec, with *ret_message
 * saying in words what failed (malloc'ed). On failure the child is gone and reaped.
 */
int vmm_release(VmmChild *child, char **ret_message) _warn_unused_;

/* Closes what is open. A child that was not released ends by that. */
void vmm_child_done(VmmChild *child);

/* How the process ended: 1 with *ret_code (-1 when by signal) and *ret_signal (0 when by exit); 0 when this cannot be known since it is
 * no child of ours. Call it when the pidfd is readable; reaps. Negative errno otherwise. */
int vmm_reap(int pidfd, int64_t *ret_code, uint64_t *ret_signal);

/*
 * 1: somebody holds the machine lock, 0: nobody does, or negative errno. Takes it for an instant, creates nothing. It is held by
 * flock(2) of a VMM from here, or by the record locks of a QEMU that somebody else made, whose disk it is.
 */
int vmm_is_locked(int vm_dir);

/* The process that took the lock on this file, as the kernel has it; 0: nobody holds it, or it cannot be told. Only one that is still alive, and
 * holds it still, when it has been opened is known to be that. */
pid_t vmm_lock_holder(int dir, const char *file);
