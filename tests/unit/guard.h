/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Nothing that a test launches outlives it, however it ends: by its assertions, by a signal, by meson's patience.
 *
 * test_guard() is called first in main(). The tests go on in a child; the process itself stays behind as the guardian: whatever
 * loses its parent, a runner or a machine in a session of its own, becomes its child, and is killed when the tests have
 * ended. It ends as they did.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macro.h"
#include "base/strings.h"

/* Children that were launched while others were killed are found in the next round. */
static inline void guard_kill_children(void)
{
    char path[64];
    Bytes text = { 0 };

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    if (file_read_at(AT_FDCWD, path, 1024 * 1024, &text) < 0 || bytes_terminate(&text) < 0)
        return;
    _cleanup_(strv_freep) char **pids = strv_split((const char *)text.data, " \n");
    STRV_FOREACH (pid, pids)
        (void)kill((pid_t)strtol(*pid, NULL, 10), SIGKILL);
    bytes_done(&text);
}

/* The exit status of the tests; all other children are reaped meanwhile, as init would. */
static inline int guard_wait(pid_t tests)
{
    int status = 0;

    for (pid_t pid = 0; pid != tests;) {
        pid = waitpid(-1, &status, 0);
        if (pid < 0 && errno != EINTR)
            return 99;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline volatile pid_t *guard_tests(void)
{
    static volatile pid_t tests;
    return &tests;
}

static inline void guard_on_signal(int signal)
{
    (void)kill(*guard_tests(), SIGKILL);
}

/* In the guardian, and in the tests. The signals come when it is known whom to pass them on to. */
static inline pid_t guard_fork(void)
{
    const struct sigaction action = { .sa_handler = guard_on_signal };
    sigset_t ends, before;

    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &ends, &before);
    pid_t tests = fork();
    if (tests > 0) {
        *guard_tests() = tests;
        (void)sigaction(SIGTERM, &action, NULL);
        (void)sigaction(SIGINT, &action, NULL);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return tests;
}

static inline _unused_ void test_guard(void)
{
    pid_t guardian = getpid();

    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        _exit(99);
    pid_t tests = guard_fork();
    if (tests < 0)
        _exit(99);
    if (tests == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != guardian)
            _exit(99);
        return;
    }
    int status = guard_wait(tests);
    do
        guard_kill_children();
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
    _exit(status);
}
