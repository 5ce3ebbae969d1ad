/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "guest/agent/children.h"

static void child_unlink(Children *c, Child *child)
{
    for (Child **p = &c->first; *p; p = &(*p)->next)
        if (*p == child) {
            *p = child->next;
            break;
        }
    child->next = NULL;
    child->pid = 0;
    child->pidfd = safe_close(child->pidfd);
}

static Child *child_find(Children *c, pid_t pid)
{
    Child *child = c->first;

    while (child && child->pid != pid)
        child = child->next;
    return child;
}

static void on_signal(void *userdata, uint32_t events)
{
    struct signalfd_siginfo discarded[8];
    Children *c = userdata;
    siginfo_t info;

    while (read(c->signals, discarded, sizeof discarded) > 0)
        continue;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
            return;
        Child *child = child_find(c, info.si_pid);
        if (!child)
            continue;
        bool exited = info.si_code == CLD_EXITED;
        child_unlink(c, child);
        child->on_end(child->userdata, exited ? info.si_status : -1, exited ? 0 : info.si_status);
    }
}

int children_init(Children *c, Loop *loop)
{
    sigset_t all, chld;

    *c = (Children){ .loop = loop, .watch = { .func = on_signal, .userdata = c }, .signals = -1 };
    sigfillset(&all);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        return -errno;
    c->signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    if (c->signals < 0)
        return -errno;
    return loop_watch(loop, &c->watch, c->signals, EPOLLIN);
}

void children_done(Children *c)
{
    while (c->first)
        children_forget(c, c->first);
    loop_unwatch(c->loop, &c->watch);
    c->signals = safe_close(c->signals);
}

void children_add(Children *c, Child *child, pid_t pid, int pidfd)
{
    child->pid = pid;
    child->pidfd = pidfd;
    child->next = c->first;
    c->first = child;
}

pid_t children_release(Children *c, Child *child, int *ret_pidfd)
{
    pid_t pid = child->pid;

    *ret_pidfd = take_fd(&child->pidfd);
    child_unlink(c, child);
    return pid;
}

void children_forget(Children *c, Child *child)
{
    if (child->pid == 0)
        return;
    (void)pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
    (void)waitid(P_PIDFD, (id_t)child->pidfd, &(siginfo_t){ 0 }, WEXITED);
    child_unlink(c, child);
}
