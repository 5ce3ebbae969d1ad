/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/agent/capabilities.h"
#include "guest/agent/mounts.h"
#include "guest/agent/pid-namespace.h"

/* Nothing of the agent is to be found by way of /proc/1 in a container. */
static int leave_root(const Platform *p)
{
    static const char *const options[] = { "mode=0555", "size=4k", NULL };

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    int r = mount_at("tmpfs", NULL, options, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, p->run);
    if (r < 0)
        return r;
    return chdir(p->run) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
                   chdir("/") < 0
               ? -errno
               : 0;
}

static int give_up_power(void)
{
    int r = capabilities_bound(0);
    if (r >= 0)
        r = capabilities_keep(0, false);
    return r >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : r;
}

/* Everything is blocked, as in the agent; children whose parent does not want to know of them are reaped by the kernel. */
static void __attribute__((noreturn)) keep(const Platform *p)
{
    (void)prctl(PR_SET_NAME, "pod");
    if (signal(SIGCHLD, SIG_IGN) == SIG_ERR || leave_root(p) < 0 || close_range(0, ~0U, 0) < 0 ||
        give_up_power() < 0)
        _exit(1);
    for (;;)
        pause();
}

static void on_end(void *userdata, int code, int signal) {}

void pid_namespace_init(PidNamespace *n)
{
    n->keeper = (Child){ .pidfd = -1, .on_end = on_end };
}

int pid_namespace_get(PidNamespace *n, Children *children, const Platform *p, Failure *f)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = CLONE_PIDFD | CLONE_NEWPID,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };

    if (n->keeper.pid > 0)
        return n->keeper.pidfd;
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        keep(p);
    if (pid < 0)
        return failure_set(f, -errno, "the pid namespace could not be made");
    children_add(children, &n->keeper, (pid_t)pid, pidfd);
    return pidfd;
}
