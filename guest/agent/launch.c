/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/socket.h"
#include "base/strings.h"
#include "guest/agent/launch.h"

/*
 * fork() with a control group and namespaces. The child's copy of libc keeps no state that a change of its process number would
 * upset, because this program has one thread.
 */
static pid_t clone_process(const LaunchSpec *spec, int *ret_pidfd)
{
    struct clone_args args = {
        .flags = CLONE_PIDFD | (spec->cgroup >= 0 ? CLONE_INTO_CGROUP : 0) | spec->namespaces,
        .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)MAX(spec->cgroup, 0),
    };
    long pid = syscall(SYS_clone3, &args, sizeof args);
    return pid < 0 ? -errno : (pid_t)pid;
}

/* Processes that are made from now on are born in the pid namespace; the agent itself stays where it is. */
static int point_pid_namespace(int fd)
{
    return setns(fd, CLONE_NEWPID) < 0 ? -errno : 0;
}

pid_t launch_clone(const LaunchSpec *spec, int *ret_pidfd)
{
    if (spec->pid_namespace_of < 0)
        return clone_process(spec, ret_pidfd);

    _cleanup_(closep) int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    int r = own < 0 ? -errno : point_pid_namespace(spec->pid_namespace_of);
    if (r < 0)
        return r;
    pid_t pid = clone_process(spec, ret_pidfd);
    if (pid != 0 && point_pid_namespace(own) < 0)
        abort(); /* every later container would be born inside this one */
    return pid;
}

int launch_socket(int *ret_ours, int *ret_theirs)
{
    int sockets[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        return -errno;
    *ret_ours = sockets[0];
    *ret_theirs = sockets[1];
    return fcntl(sockets[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int launch(const LaunchSpec *spec, Launched *ret, Failure *f)
{
    _cleanup_(closep) int ours = -1, theirs = -1;
    int pidfd = -1;

    int r = launch_socket(&ours, &theirs);
    if (r < 0)
        return failure_set(f, r, "no process could be made");
    pid_t pid = launch_clone(spec, &pidfd);
    if (pid == 0)
        launch_child(spec, theirs);
    if (pid < 0)
        return failure_set(f, pid, "no process could be made");
    *ret = (Launched){ .pid = pid, .pidfd = pidfd, .status = take_fd(&ours) };
    return 0;
}

/* "failed -2 some text" */
static void parse_failure(const char *word, Failure *f)
{
    char *text;
    long error = strtol(word, &text, 10);

    failure_say(f, error < 0 && error > -4096 ? (int)error : -EIO, "%s", text + (*text == ' '));
}

LaunchNews launch_news(int status, bool *ready, int *ret_terminal, Failure *f)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int fd = -1;

    ssize_t n = packet_receive(status, FAILURE_TEXT_MAX + 64, &packet, &fd);
    if (n == -EAGAIN)
        return LAUNCH_NOTHING;
    if (n <= 0)
        return *ready ? LAUNCH_STARTED : LAUNCH_DIED;
    if (bytes_terminate(&packet) < 0)
        return LAUNCH_DIED;
    const char *word = (const char *)packet.data, *failure = str_after(word, LAUNCH_WORD_FAILED);
    if (failure) {
        parse_failure(failure, f);
        return LAUNCH_FAILED;
    }
    if (streq(word, LAUNCH_WORD_TERMINAL) && fd >= 0) {
        *ret_terminal = take_fd(&fd);
        return LAUNCH_TERMINAL;
    }
    *ready = true;
    return launch_news(status, ready, ret_terminal, f);
}
