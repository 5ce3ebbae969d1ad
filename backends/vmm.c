/* SPDX-License-Identifier: Apache-2.0 */
#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/vmm.h"
#include "base/confine.h"
#include "base/file.h"
#include "base/strings.h"
#include "base/units.h"

enum {
    LOCK_MODE = 0600,
    RELEASE_TIMEOUT_MSEC = 10000, /* from the gate to the exec; only a host that hangs needs longer */
    CHILD_FAILED = 127,
};

/* What the child was at when it failed; the numbers cross the gate. */
typedef enum ChildStep {
    CHILD_LOCK,
    CHILD_LIMITS,
    CHILD_STREAMS,
    CHILD_DESCRIPTORS,
    CHILD_EXEC,
    CHILD_STEP_MAX,
} ChildStep;

static const char *const child_step_words[CHILD_STEP_MAX] = {
    [CHILD_LOCK] = "the machine lock cannot be taken",
    [CHILD_LIMITS] = "what it may do cannot be limited",
    [CHILD_STREAMS] = "its standard streams cannot be set up",
    [CHILD_DESCRIPTORS] = "its descriptors cannot be set up",
    [CHILD_EXEC] = "the program cannot be executed",
};

typedef struct ChildFailure {
    int32_t step;
    int32_t error;
} ChildFailure;

/*
 * Whatever the runner may do beyond an ordinary process, the machine may not. no_new_privs keeps an exec as root from gaining
 * capabilities anew, so the bounding set, which not every host lets us empty, is one more lock only.
 */
static int child_privileges(void)
{
    if (geteuid() == 0 && setgroups(0, NULL) < 0 && errno != EPERM)
        return -errno;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    if (capng_get_caps_process() < 0)
        return -EPERM;
    if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
        return 0;
    capng_clear(CAPNG_SELECT_BOTH);
    (void)capng_apply(CAPNG_SELECT_BOUNDS);
    return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

static const struct {
    int resource;
    rlim_t max;
} child_rlimits[] = {
    { RLIMIT_CORE,
      0 }, /* no file with a guest's memory; that QEMU may not be looked into does not outlast its exec */
    { RLIMIT_MSGQUEUE, 0 },
    { RLIMIT_RTPRIO, 0 },
    { RLIMIT_NOFILE, 4096 },
};

static int child_limit(int resource, rlim_t max)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) < 0)
        return -errno;
    limit.rlim_max = MIN(limit.rlim_max, max);
    limit.rlim_cur = MIN(limit.rlim_cur, max);
    return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

/* What root owns root may write, without any capability: only two devices are left to it. */
static int child_files(void)
{
    static const char *const writable[] = { "/dev/null", "/dev/kvm" };
    int fds[ELEMENTSOF(writable)];
    size_t n = 0;

    TABLE_FOREACH (path, writable) {
        int fd = open(*path, O_PATH | O_CLOEXEC);
        if (fd >= 0)
            fds[n++] = fd;
    }
    int r = confine_writes(fds, n);
    while (n > 0)
        safe_close(fds[--n]);
    return r;
}

/* It makes no file for others, stands in nobody's way, and can do nothing that it need not. */
static int child_limits(void)
{
    int r = child_privileges();

    (void)umask(077);
    TABLE_FOREACH (limit, child_rlimits)
        r = r < 0 ? r : child_limit(limit->resource, limit->max);
    if (r >= 0 && chdir("/") < 0)
        r = -errno;
    return r < 0 ? r : child_files();
}

static int child_streams(int stderr_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return -errno;
    int out = stderr_fd >= 0 ? stderr_fd : null;
    if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
        return -errno;
    return 0;
}

static int descriptor_compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Closes all but 0, 1, 2 and those to keep: the runner's own lock must not live on in a child that waits. */
static int child_close_others(const int *keep, size_t n)
{
    unsigned first = 3;

    for (size_t i = 0; i < n; i++) {
        unsigned fd = (unsigned)keep[i];
        if (fd > first && syscall(SYS_close_range, first, fd - 1, 0) < 0)
            return -errno;
        first = MAX(first, fd + 1);
    }
    return syscall(SYS_close_range, first, ~0U, 0) < 0 ? -errno : 0;
}

static int child_descriptors(const VmmCommand *c, int lock, int gate)
{
    int keep[VMM_FDS_MAX + 3];
    size_t n = 0;

    for (size_t i = 0; i < c->n_fds; i++)
        keep[n++] = c->fds[i];
    keep[n++] = lock;
    for (size_t i = 0; i < n; i++)
        if (fcntl(keep[i], F_SETFD, 0) < 0)
            return -errno;
    keep[n++] = gate;
    if (c->stderr_fd >= 0)
        keep[n++] = c->stderr_fd;
    qsort(keep, n, sizeof keep[0], descriptor_compare);
    return child_close_others(keep, n);
}

static void child_signals(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* After all that changes what it may do, by which this would be forgotten. Who has ended before cannot be waited for any more. */
static int child_die_with(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

static int child_exec(const VmmCommand *c, int lock, pid_t parent, ChildStep *step)
{
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C";
    /* Only the first heap of glibc grows by more than a page at a time, and a translator of a guest's code would have another. */
    char arenas[] = "MALLOC_ARENA_MAX=1", pad[] = "MALLOC_TOP_PAD_=1048576";
    char *environment[] = { path, lang, arenas, pad, NULL };

    *step = CHILD_LOCK;
    if (flock(lock, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    *step = CHILD_LIMITS;
    int r = child_limits();
    if (r < 0)
        return r;
    *step = CHILD_STREAMS;
    if ((r = child_streams(c->stderr_fd)) < 0)
        return r;
    *step = CHILD_EXEC;
    child_signals();
    r = c->dies_with_us ? child_die_with(parent) : 0;
    if (r < 0)
        return r;
    execve(c->arguments[0], c->arguments, environment);
    return -errno;
}

static void child_run(const VmmCommand *c, int lock, int gate, pid_t parent)
{
    ChildStep step = CHILD_DESCRIPTORS;
    char go;

    (void)setsid();
    int r = child_descriptors(c, lock, gate);
    if (read(gate, &go, 1) != 1)
        _exit(CHILD_FAILED);
    if (r >= 0)
        r = child_exec(c, lock, parent, &step);
    ChildFailure failure = { .step = step, .error = -r };
    (void)!send(gate, &failure, sizeof failure, MSG_NOSIGNAL);
    _exit(CHILD_FAILED);
}

static int lock_open(int vm_dir, int flags)
{
    return file_open_at(vm_dir, VMM_LOCK_FILE, O_RDWR | flags, LOCK_MODE);
}

int vmm_fork(const VmmCommand *command, VmmChild *ret)
{
    VmmChild child = { .pidfd = -1, .gate = -1 };
    int pair[2];

    if (command->n_fds > VMM_FDS_MAX)
        return -E2BIG;

    _cleanup_(closep) int lock = lock_open(command->vm_dir, O_CREAT);
    if (lock < 0)
        return lock;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    child.gate = pair[0];

    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        safe_close(pair[0]);
        child_run(command, lock, pair[1], parent);
    }
    int r = pid < 0 ? -errno : 0;
    safe_close(pair[1]);
    if (r >= 0)
        r = process_identify(pid, &child.id);
    if (r >= 0 && (child.pidfd = process_open(&child.id)) < 0)
        r = child.pidfd;
    if (r < 0) {
        vmm_child_done(&child);
        return r;
    }
    *ret = child;
    return 0;
}

/* 0 when the gate closed by an exec, else what the child tells. */
static int gate_wait(int gate, ChildFailure *ret)
{
    struct pollfd p = { .fd = gate, .events = POLLIN };

    int n;
    do
        n = poll(&p, 1, RELEASE_TIMEOUT_MSEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : -ETIMEDOUT;
    ssize_t size = recv(gate, ret, sizeof *ret, 0);
    if (size < 0)
        return -errno;
    if (size == 0)
        return 0;
    if (size != sizeof *ret || ret->step < 0 || ret->step >= CHILD_STEP_MAX)
        return -EBADMSG;
    return -MAX(ret->error, 1);
}

static void child_end(VmmChild *child)
{
    (void)process_signal(child->pidfd, SIGKILL);
    (void)waitid(P_PIDFD, (id_t)child->pidfd, &(siginfo_t){ 0 }, WEXITED);
}

int vmm_release(VmmChild *child, char **ret_message)
{
    ChildFailure failure = { .step = CHILD_EXEC };

    *ret_message = NULL;
    int r = send(child->gate, "", 1, MSG_NOSIGNAL) < 0 ? -errno : gate_wait(child->gate, &failure);
    child->gate = safe_close(child->gate);
    if (r >= 0)
        return 0;
    *ret_message = strf("%s: %s", child_step_words[failure.step], strerror(-r));
    child_end(child);
    return r;
}

void vmm_child_done(VmmChild *child)
{
    /* The child reads the end of the gate and exits; it is reaped so that none is left as a zombie. */
    bool waits = child->gate >= 0;

    child->gate = safe_close(child->gate);
    if (waits && child->pidfd >= 0)
        child_end(child);
    child->pidfd = safe_close(child->pidfd);
}

int vmm_reap(int pidfd, int64_t *ret_code, uint64_t *ret_signal)
{
    siginfo_t info = { 0 };

    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
        return errno == ECHILD ? 0 : -errno;
    if (info.si_pid == 0)
        return -EBUSY;
    bool exited = info.si_code == CLD_EXITED;
    *ret_code = exited ? info.si_status : -1;
    *ret_signal = exited ? 0 : (uint64_t)info.si_status;
    return 1;
}

int vmm_is_locked(int vm_dir)
{
    _cleanup_(closep) int lock = lock_open(vm_dir, 0);
    if (lock == -ENOENT)
        return 0;
    if (lock < 0)
        return lock;
    if (flock(lock, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 1 : -errno;
    return file_has_record_lock(lock);
}
