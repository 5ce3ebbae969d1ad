/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/password-agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/macro.h"

enum {
    READY_PATIENCE = 5000, /* milliseconds */
    NOTIFY_FD = 3,
};

static int spawn(int notify, pid_t *ret)
{
    static const char *const words[] = { "pkttyagent", "--notify-fd", "3", NULL };
    posix_spawn_file_actions_t actions;

    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    r = posix_spawn_file_actions_adddup2(&actions, notify, NOTIFY_FD);
    if (r == 0)
        r = posix_spawnp(ret, words[0], &actions, NULL, (char **)(uintptr_t)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

int password_agent_start(pid_t *ret)
{
    int ends[2];

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return 1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_(closep) int ready = ends[0];
    int r = spawn(ends[1], ret);
    safe_close(ends[1]);
    if (r < 0)
        return r == -ENOENT ? 1 : r;
    /* It closes its end when polkit knows of it, or when it has ended. */
    struct pollfd poll_fd = { .fd = ready, .events = POLLIN };
    (void)poll(&poll_fd, 1, READY_PATIENCE);
    return 0;
}

void password_agent_stop(pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGTERM);
    (void)kill(pid, SIGCONT);
    (void)waitpid(pid, NULL, 0);
}
