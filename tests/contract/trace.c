/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/units.h"
#include "tests/contract/trace.h"

enum {
    THREADS_MAX = 32,
    SYSCALL_STOP = SIGTRAP | 0x80,
    OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL,
};

/* What changes the world outside of the process. */
static const long deeds[] = {
    SYS_bind,      SYS_clone,
    SYS_clone3,    SYS_connect,
    SYS_execve,    SYS_fcntl,
    SYS_flock,     SYS_fork,
    SYS_fsync,     SYS_kill,
    SYS_listen,    SYS_mkdirat,
    SYS_rename,    SYS_renameat,
    SYS_renameat2, SYS_sendmsg,
    SYS_sendto,    SYS_unlink,
    SYS_unlinkat,  SYS_vfork,
    SYS_ftruncate, SYS_pidfd_send_signal,
};

typedef struct Thread {
    pid_t id;
    bool deed; /* it is in one */
} Thread;

typedef struct Tracer {
    Harness *h;
    const CutOff *at;
    Passed passed;
    bool counts;  /* from the program's first instruction on */
    int children; /* signalfd: SIGCHLD */
    Thread threads[THREADS_MAX];
    size_t n_threads;
} Tracer;

static long trace_request(long request, pid_t tid, unsigned long data)
{
    return ptrace((enum __ptrace_request)request, tid, NULL, (void *)data);
}

static Thread *thread_of(Tracer *t, pid_t tid)
{
    for (size_t i = 0; i < t->n_threads; i++)
        if (t->threads[i].id == tid)
            return &t->threads[i];
    assert_true(t->n_threads < THREADS_MAX);
    t->threads[t->n_threads] = (Thread){ .id = tid };
    return &t->threads[t->n_threads++];
}

/* Is this stop, at the entry or the return of a call, one of a deed? */
static bool stop_is_deed(Tracer *t, pid_t tid)
{
    Thread *thread = thread_of(t, tid);
    struct __ptrace_syscall_info info = { 0 };

    if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof info, &info) < 0)
        return false;
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) {
        bool deed = thread->deed;
        thread->deed = false;
        return deed;
    }
    TABLE_FOREACH (deed, deeds)
        thread->deed = thread->deed || *deed == (long)info.entry.nr;
    return thread->deed;
}

/* True when this is where it is to be killed. */
static bool stop_counts(Tracer *t, pid_t tid, int status)
{
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
        t->counts = true;
    if (WSTOPSIG(status) != SYSCALL_STOP)
        return false;
    bool deed = stop_is_deed(t, tid);
    if (!t->counts)
        return false;
    bool found = t->at->deed ? deed && t->passed.deeds == t->at->n : t->passed.stops == t->at->n;
    t->passed.stops++;
    t->passed.deeds += deed;
    return found;
}

/* Lets a stopped thread go on: what is a signal of its own is given to it. */
static void stop_continue(pid_t tid, int status)
{
    int signal = status >> 16 == 0 && WSTOPSIG(status) != SYSCALL_STOP ? WSTOPSIG(status) : 0;

    (void)trace_request(PTRACE_SYSCALL, tid, (unsigned long)signal);
}

/* Takes it all away at once, whatever its threads are at. */
static void kill_traced(Tracer *t)
{
    pid_t runner = t->h->runner;
    int status;

    assert_int_equal(kill(runner, SIGKILL), 0);
    for (;;) {
        pid_t tid = waitpid(-1, &status, __WALL);
        assert_true(tid > 0);
        if (tid == runner && !WIFSTOPPED(status))
            break;
    }
    harness_runner_died(t->h);
}

/* Calls f for each thread of the process again and again, until it has found nothing to do for any. */
static void threads_foreach(pid_t pid, bool (*f)(pid_t tid))
{
    char path[64];
    bool again;

    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    do {
        again = false;
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *entry; (entry = readdir(dir));) {
            uint64_t tid;
            if (parse_unsigned(entry->d_name, &tid) == 0)
                again = f((pid_t)tid) || again;
        }
        closedir(dir);
    } while (again);
}

/* Until it has stopped: the status; negative when it has ended instead. */
static int wait_stopped(pid_t tid)
{
    int status;

    return waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status) ? status : -1;
}

/* A thread that is traced already cannot be seized again. */
static bool seize(pid_t tid)
{
    if (trace_request(PTRACE_SEIZE, tid, OPTIONS) < 0)
        return false;
    assert_int_equal(trace_request(PTRACE_INTERRUPT, tid, 0), 0);
    int status = wait_stopped(tid);
    if (status > 0)
        stop_continue(tid, status);
    return true;
}

static bool let_go(pid_t tid)
{
    if (trace_request(PTRACE_INTERRUPT, tid, 0) < 0)
        return false;
    int status = wait_stopped(tid);
    int signal = status > 0 && status >> 16 == 0 && WSTOPSIG(status) != SYSCALL_STOP ? WSTOPSIG(status) : 0;
    (void)trace_request(PTRACE_DETACH, tid, (unsigned long)signal);
    return true;
}

static void wait_anything(Tracer *t)
{
    struct signalfd_siginfo info;
    struct pollfd fds[] = {
        { .fd = t->children, .events = POLLIN },
        { .fd = t->h->link >= 0 ? t->h->link : t->h->listener, .events = POLLIN },
    };
    int n = poll(fds, ELEMENTSOF(fds), HARNESS_TIMEOUT_MSEC);

    if (n == 0) {
        harness_show(t->h);
        fail_msg("the traced runner does nothing, and has not reported what it should");
    }
    if (fds[0].revents)
        (void)!read(t->children, &info, sizeof info);
    else if (fds[1].revents)
        harness_take_one(t->h);
}

/* True when it was killed. */
static bool trace_until(Tracer *t, Condition until)
{
    while (t->h->link < 0 || !until(&t->h->report)) {
        int status;
        pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
        if (tid <= 0) {
            wait_anything(t);
            continue;
        }
        if (!WIFSTOPPED(status)) {
            assert_int_not_equal(tid, t->h->runner);
            continue;
        }
        if (stop_counts(t, tid, status)) {
            kill_traced(t);
            return true;
        }
        stop_continue(tid, status);
    }
    threads_foreach(t->h->runner, let_go);
    return false;
}

static void tracer_begin(Tracer *t, sigset_t *before)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    assert_int_equal(sigprocmask(SIG_BLOCK, &child, before), 0);
    t->children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    assert_true(t->children >= 0);
}

static bool tracer_run(Tracer *t, Condition until, const sigset_t *before, Passed *ret)
{
    bool killed = trace_until(t, until);

    safe_close(t->children);
    assert_int_equal(sigprocmask(SIG_SETMASK, before, NULL), 0);
    *ret = t->passed;
    return killed;
}

/* The child waits at the gate until it is traced. */
static pid_t fork_at_gate(Harness *h, const sigset_t *mask, int *ret_gate)
{
    int gate[2];
    char go;

    assert_int_equal(pipe(gate), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(gate[1]);
        (void)sigprocmask(SIG_SETMASK, mask, NULL);
        (void)!read(gate[0], &go, 1);
        (void)close(gate[0]);
        harness_exec(h);
    }
    (void)close(gate[0]);
    *ret_gate = gate[1];
    return pid;
}

bool trace_launch(Harness *h, const CutOff *at, Condition until, Passed *ret)
{
    Tracer t = { .h = h, .at = at };
    sigset_t before;
    int gate;

    tracer_begin(&t, &before);
    pid_t pid = fork_at_gate(h, &before, &gate);
    harness_watch_runner(h, pid);
    assert_true(seize(pid));
    (void)close(gate);
    return tracer_run(&t, until, &before, ret);
}

bool trace_stop(Harness *h, const CutOff *at, Condition until, Passed *ret)
{
    Tracer t = { .h = h, .at = at, .counts = true };
    sigset_t before;

    tracer_begin(&t, &before);
    threads_foreach(h->runner, seize);
    harness_ask_stop(h);
    return tracer_run(&t, until, &before, ret);
}
