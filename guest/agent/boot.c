/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "guest/agent/boot.h"
#include "guest/agent/cgroup.h"
#include "guest/agent/idle.h"
#include "guest/agent/modules.h"

#define NEW_ROOT "/tmp"
enum {
    AGENT_MEMORY = 8 * 1024 * 1024, /* the agent with a full ring, a full port and all its streams */
};

/* The later root is made first, and everything is mounted in it at once. */
static const struct {
    const char *path, *type, *options;
    unsigned long flags;
} mounts[] = {
    { NEW_ROOT, "tmpfs", "mode=0755,size=4m", 0 },
    { NEW_ROOT "/proc", "proc", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
    { NEW_ROOT "/sys", "sysfs", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
    { NEW_ROOT "/dev", "devtmpfs", "mode=0755", MS_NOSUID | MS_NOEXEC },
    { NEW_ROOT "/sys/fs/cgroup", "cgroup2", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
};

static int mount_all(void)
{
    int result = 0;

    TABLE_FOREACH (m, mounts) {
        if (mkdir(m->path, 0755) < 0 && errno != EEXIST && errno != EPERM)
            result = log_error_errno(-errno, "%s could not be made", m->path);
        if (mount(m->type, m->path, m->type, m->flags, m->options) < 0)
            result = log_error_errno(-errno, "%s could not be mounted on %s", m->type, m->path);
    }
    return result;
}

/* The initial root cannot be changed by pivot_root(2), which containers need; one that is mounted on it can. */
static int change_root(void)
{
    if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return log_error_errno(-errno, "the root directory could not be changed");
    int r = dir_make_path(BOOT_RUN, 0755);
    return r < 0 ? log_error_errno(r, "%s could not be made", BOOT_RUN) : 0;
}

static int protect_agent(void)
{
    _cleanup_(closep) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write_all(fd, "-1000", 5) < 0)
        return log_error_errno(-errno, "the agent could not be kept from being killed for want of memory");
    /* A container that an exec enters must not look into the agent's copy that does so. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || reboot(RB_DISABLE_CAD) < 0)
        return log_error_errno(-errno, "the agent could not be protected");
    return 0;
}

static int raise_loopback(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return log_error_errno(-errno, "the loopback interface could not be raised");
    return 0;
}

/*
 * The kernel's own limits are for all together, so two containers that fork without end would leave nothing to the agent or to a
 * third. What processes cost is memory, which control groups keep apart: with that, each container can have a limit of its own.
 */
static int allow_processes(void)
{
    uint64_t usual = cgroup_threads_max() * CGROUP_PIDS_SHARES; /* not raised yet */
    _cleanup_(freep) char *all = strf("%llu", (unsigned long long)usual * CGROUP_PIDS_SHARES);
    _cleanup_(closep) int threads = open("/proc/sys/kernel/threads-max", O_WRONLY | O_CLOEXEC);
    _cleanup_(closep) int pids = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);

    /* Counted by user over all containers, which is nobody's business. */
    static const struct rlimit unlimited = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };
    if (setrlimit(RLIMIT_NPROC, &unlimited) < 0 || usual == 0 || !all || threads < 0 ||
        write_all(threads, all, strlen(all)) < 0 || pids < 0 || write_all(pids, "4194304", 7) < 0)
        return log_error_errno(-errno, "the limit of processes could not be raised");
    return 0;
}

static int allow_descriptors(void)
{
    static const struct rlimit files = { .rlim_cur = 65536, .rlim_max = 1048576 };
    return setrlimit(RLIMIT_NOFILE, &files) < 0
               ? log_error_errno(-errno, "the limit of descriptors could not be raised")
               : 0;
}

static int open_cgroup(void)
{
    _cleanup_(closep) int top = dir_open_at(AT_FDCWD, "/sys/fs/cgroup");
    if (top < 0)
        return log_error_errno(top, "control groups could not be opened");
    (void)cgroup_delegate(top);
    int fd = dir_make_at(top, "containers", 0755);
    if (fd < 0)
        return log_error_errno(fd, "the containers' control group could not be made");
    (void)cgroup_delegate(fd);
    int r = cgroup_leave_memory(fd, AGENT_MEMORY);
    if (r < 0)
        log_error_errno(r, "memory could not be reserved for the agent");
    return fd;
}

void boot(Uevents *u, StartTimes *start, int *ret_cgroup)
{
    static int (*const steps[])(void) = { change_root,       protect_agent,   raise_loopback,
                                          allow_descriptors, allow_processes, idle_prepare };

    (void)mount_all();
    /* Before the modules, so that no device comes unheard. */
    int r = uevents_init(u);
    if (r < 0)
        log_error_errno(r, "device events cannot be heard");
    (void)modules_load();
    start_mark(start, START_MODULES);
    TABLE_FOREACH (step, steps)
        (void)(*step)();
    *ret_cgroup = open_cgroup();
}
