/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The process by which a machine sees a directory of the host: virtiofsd, one for each such volume.
 *
 * Theory of operation
 * -------------------
 *     us                                  child
 *                      <- what it is --   opens the directory, and looks whose it is
 *     decides as whom     -- go on ->
 *                      <- apart ------    user and mount namespace of its own
 *     gives it one user   -- go on ->     is that user; opens the directory again, as the only thing that is mounted for virtiofsd
 *                      <- end of it --    exec
 *
 * It has one user and one group of the host, those that own the directory, and in its namespace they are root: so what root of the pod
 * makes is the owner's, and of the host's files it can do what the owner could, to those beneath the directory. A directory of root's is
 * read as nobody, and cannot be shared for writing. Where we are not root, it is us.
 *
 * That nothing may be written is an attribute of its mount, and so the host's kernel sees to it. virtiofsd then puts itself into
 * further namespaces, with the directory for a root, without a network, and behind a filter of system calls.
 *
 * It lives as long as the connection that it serves: one end of that is here, until the VMM has it. So none is left over by a runner
 * that is killed, nor by a VMM.
 */
#include <sys/types.h>

#include "base/process.h"
#include "schemas/run-definition.h"

typedef struct ShareCommand {
    const char *program;   /* virtiofsd, an absolute path */
    const char *directory; /* as of RunDisk: one that is allowed, and what is shared below it */
    const char *file;
    bool read_only;
    int listener; /* a unix socket, at which the VMM is connected already */
    int log;      /* takes what it says */
} ShareCommand;

typedef struct ShareProcess {
    ProcessId id;
    int pidfd; /* our child's */
} ShareProcess;

/* Blocks until virtiofsd is executed, which is some milliseconds. 0; or negative errno with *ret_message, a clause that says what is in the
 * way (malloc'ed; NULL: the error is all there is to say). On failure there is no process. */
int share_process_start(const ShareCommand *command, ShareProcess *ret, char **ret_message) _warn_unused_;
