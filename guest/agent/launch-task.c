/* SPDX-License-Identifier: Apache-2.0 */
/* A new process that executes nothing: it does something itself, with the agent's power, and ends. */
#include <fcntl.h>
#include <sys/prctl.h>

#include "base/socket.h"
#include "guest/agent/launch.h"

/* The status socket goes where the next one up can be closed with all the rest. */
static int move_descriptors(const LaunchSpec *spec, int status)
{
    if (status != LAUNCH_KEPT && dup3(status, LAUNCH_KEPT, O_CLOEXEC) < 0)
        return -errno;
    if (spec->kept >= 0 && spec->kept != LAUNCH_TASK_FD && dup3(spec->kept, LAUNCH_TASK_FD, O_CLOEXEC) < 0)
        return -errno;
    return close_range(spec->kept >= 0 ? LAUNCH_TASK_FD + 1 : LAUNCH_TASK_FD, ~0U, 0) < 0 ? -errno : 0;
}

/* First out of the way of all numbers that are given out here. */
static int clear_way(LaunchSpec *spec, int *status)
{
    enum { BEYOND = LAUNCH_TASK_FD + 1 };

    if ((*status = fcntl(*status, F_DUPFD_CLOEXEC, BEYOND)) < 0)
        return -errno;
    if (spec->kept >= 0 && (spec->kept = fcntl(spec->kept, F_DUPFD_CLOEXEC, BEYOND)) < 0)
        return -errno;
    return 0;
}

int launch_task(LaunchSpec spec, int *status, Failure *f)
{
    /* Whatever a container may look at of other processes, it is not the agent's memory, of which this one has a copy. */
    int r = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
    if (r >= 0)
        r = clear_way(&spec, status);
    if (r >= 0)
        r = move_descriptors(&spec, *status);
    if (r < 0)
        return failure_set(f, r, "the process could not be prepared");
    *status = LAUNCH_KEPT;
    if ((r = packet_send(LAUNCH_KEPT, LAUNCH_WORD_READY, strlen(LAUNCH_WORD_READY), -1)) < 0)
        return failure_set(f, r, "the agent does not listen");
    (void)close(LAUNCH_KEPT);
    _exit(spec.task(spec.userdata));
}
