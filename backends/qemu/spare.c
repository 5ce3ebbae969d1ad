/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "backends/qemu/spare.h"
#include "base/file.h"
#include "base/strings.h"

/* The lock of a spare that nobody can take any more. */
#define ENDED_FILE "ended"

enum { END_TIMEOUT_MSEC = 5000 };

int spare_end(int directory)
{
    ProcessId id;

    if (renameat(directory, VMM_LOCK_FILE, directory, ENDED_FILE) < 0 && errno != ENOENT)
        return -errno;
    pid_t holder = vmm_lock_holder(directory, ENDED_FILE);
    int r = holder > 0 ? process_identify(holder, &id) : -ESRCH;
    _cleanup_(closep) int pidfd = r < 0 ? r : process_open(&id);
    /* Whoever the pidfd is of holds it still, so nobody else can have its number. */
    if (pidfd < 0 || vmm_lock_holder(directory, ENDED_FILE) != holder)
        return pidfd < 0 && pidfd != -ESRCH ? pidfd : 0;
    if ((r = process_signal(pidfd, SIGKILL)) < 0)
        return r == -ESRCH ? 0 : r;
    struct pollfd p = { .fd = pidfd, .events = POLLIN };
    if (poll(&p, 1, END_TIMEOUT_MSEC) <= 0)
        return -ETIMEDOUT;
    (void)waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
    return 1;
}

/* A guardian has its directory locked as long as it lives. */
static void sweep_one(int work, const char *name)
{
    _cleanup_(closep) int directory = dir_open_at(work, name);

    if (directory < 0 || flock(directory, LOCK_EX | LOCK_NB) < 0 || spare_end(directory) < 0)
        return;
    (void)tree_remove_at(work, name);
}

void spare_sweep(const char *work)
{
    _cleanup_(closedirp) DIR *d = opendir(work);

    for (struct dirent *e; d && (e = readdir(d));)
        if (str_after(e->d_name, SPARE_PREFIX))
            sweep_one(dirfd(d), e->d_name);
}
