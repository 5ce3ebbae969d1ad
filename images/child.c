/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/confine.h"
#include "base/digest.h"
#include "base/process.h"
#include "base/strings.h"
#include "images/child.h"
#include "images/store-internal.h"

enum { KEPT = 3, MESSAGES_MAX = 4096, TICK_MSEC = 200, CHILD_STATUS_EXEC = 127 };

static const char *const system_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

typedef struct Run {
    const Child *child;
    pid_t pid;
    int pidfd;
    int messages;            /* the child's standard error; -1 at its end */
    char last[MESSAGES_MAX]; /* the end of what it said */
    size_t n_last;
    uint32_t progress; /* of the kernel's counters: any other value is progress */
    usec_t progress_at;
} Run;

int child_find(const ChildProgram *program, const char *path, char **ret_path, char **ret_error)
{
    _cleanup_(strv_freep) char **directories = strv_split(path ?: system_path, ":");

    if (!directories)
        return -ENOMEM;
    STRV_FOREACH (directory, directories) {
        _cleanup_(freep) char *candidate = strf("%s/%s", *directory, program->name);
        if (!candidate)
            return -ENOMEM;
        if (access(candidate, X_OK) < 0)
            continue;
        if (ret_path)
            *ret_path = take_ptr(candidate);
        return 0;
    }
    return image_fail(ret_error, -ENOPKG, "%s is not installed; `apt install %s` brings it", program->name,
                      program->package);
}

static int child_environment(const Child *child, char ***ret)
{
    _cleanup_(strv_freep) char **environment = NULL;
    bool has_home = false;

    int r = strv_appendf(&environment, "PATH=%s", child->path ?: system_path);
    if (r >= 0)
        r = strv_append(&environment, "LC_ALL=C");
    STRV_FOREACH (s, child->environment) {
        has_home |= str_after(*s, "HOME=") != NULL;
        if (r >= 0)
            r = strv_append(&environment, *s);
    }
    if (r >= 0 && !has_home)
        r = strv_append(&environment, "HOME=/");
    if (r >= 0)
        *ret = take_ptr(environment);
    return r;
}

/* --- in the child, between fork and exec: only what is async-signal-safe ------------------------------------------ */

static void reset_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Descriptors 0 to 3 as promised, and no others. */
static int arrange_descriptors(const Child *child, int messages)
{
    enum { FREE_FROM = 10 };
    int sources[KEPT + 1];
    const int wanted[KEPT + 1] = { child->input, child->output, messages, child->kept };

    for (int i = 0; i <= KEPT; i++) {
        int fd = wanted[i] >= 0 ? wanted[i] : open("/dev/null", i == 0 ? O_RDONLY : O_WRONLY);
        if ((sources[i] = fcntl(fd, F_DUPFD, FREE_FROM)) < 0)
            return -errno;
    }
    for (int i = 0; i <= KEPT; i++)
        if (dup2(sources[i], i) < 0)
            return -errno;
    return syscall(SYS_close_range, KEPT + 1, ~0U, 0) < 0 ? -errno : 0;
}

/* The signal that comes then is left to end the program: tar takes the mere failure for nothing but a warning. */
static int limit_files(uint64_t size)
{
    const struct rlimit limit = { .rlim_cur = size, .rlim_max = size };

    return size > 0 && setrlimit(RLIMIT_FSIZE, &limit) < 0 ? -errno : 0;
}

static int become_child(const Child *child, int messages, pid_t parent)
{
    if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    /* We may have become an orphan before that. */
    if (getppid() != parent)
        return -ESRCH;
    reset_signals();
    umask(022);
    int r = fchdir(child->directory) < 0 ? -errno : limit_files(child->file_max);
    /* The wall comes last: /dev/null is outside of it. */
    if (r >= 0)
        r = arrange_descriptors(child, messages);
    return r < 0 ? r : confine_writes(&(const int){ KEPT }, 1);
}

static _Noreturn void run_child(const Child *child, int messages, pid_t parent, const char *file,
                                char **environment)
{
    int r = dup2(messages, STDERR_FILENO) < 0 ? -errno : become_child(child, STDERR_FILENO, parent);

    if (r >= 0) {
        execve(file, child->arguments, environment);
        r = -errno;
    }
    const char *why = strerrordesc_np(-r) ?: "unknown error";
    (void)!write(STDERR_FILENO, why, strlen(why));
    _exit(CHILD_STATUS_EXEC);
}

/* --- in the parent ------------------------------------------------------------------------------------------------- */

static int start(Run *run, const char *file, char **environment)
{
    int messages[2];
    pid_t parent = getpid();

    if (pipe2(messages, O_CLOEXEC) < 0)
        return -errno;
    run->messages = messages[0];
    run->pid = fork();
    if (run->pid == 0)
        run_child(run->child, messages[1], parent, file, environment);
    int error = run->pid < 0 ? -errno : 0;
    safe_close(messages[1]);
    if (error < 0)
        return error;
    /* Our own child, not yet waited for: its number cannot have passed to another. */
    run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
    if (run->pidfd < 0) {
        error = -errno;
        (void)kill(run->pid, SIGKILL);
        (void)waitpid(run->pid, NULL, 0);
    }
    return error;
}

static void keep_last(Run *run, const char *data, size_t n)
{
    if (n > sizeof run->last) {
        data += n - sizeof run->last;
        n = sizeof run->last;
    }
    size_t keep = MIN(run->n_last, sizeof run->last - n);
    memmove(run->last, run->last + run->n_last - keep, keep);
    memcpy(run->last + keep, data, n);
    run->n_last = keep + n;
}

/* What there is to read now, and not more: a grandchild may hold the pipe open. */
static void read_messages(Run *run)
{
    char data[1024];
    struct pollfd p = { .fd = run->messages, .events = POLLIN };

    while (run->messages >= 0 && poll(&p, 1, 0) > 0) {
        ssize_t n = read(run->messages, data, sizeof data);
        if (n > 0)
            keep_last(run, data, (size_t)n);
        else if (n == 0 || errno != EINTR)
            run->messages = safe_close(run->messages);
        p.fd = run->messages;
    }
}

/* A number that changes whenever the child uses the processor, reads or writes. */
static uint32_t counters(pid_t pid)
{
    static const char *const files[] = { "io", "stat", "schedstat" };
    char path[64], text[2048];
    size_t used = 0;

    TABLE_FOREACH (file, files) {
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, *file);
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text + used, sizeof text - used);
        used += n > 0 ? (size_t)n : 0;
    }
    return crc32_of(text, used);
}

static int check_progress(Run *run)
{
    uint32_t progress = counters(run->pid);
    usec_t now = now_usec(CLOCK_MONOTONIC);

    if (progress != run->progress) {
        run->progress = progress;
        run->progress_at = now;
    }
    if (usec_sub(now, run->progress_at) >= run->child->stall_timeout)
        return -ETIMEDOUT;
    return run->child->tick ? run->child->tick(run->child->userdata) : 0;
}

/* Until the child has ended (0), or must be ended (negative). */
static int attend(Run *run)
{
    run->progress_at = now_usec(CLOCK_MONOTONIC);
    for (;;) {
        struct pollfd p[] = { { .fd = run->pidfd, .events = POLLIN },
                              { .fd = run->messages, .events = POLLIN } };
        if (poll(p, ELEMENTSOF(p), TICK_MSEC) < 0 && errno != EINTR)
            return -errno;
        read_messages(run);
        if (process_ended(run->pidfd))
            return 0;
        int r = check_progress(run);
        if (r < 0)
            return r;
    }
}

/* Until no process holds the other end of the pipe, or one does so although it was killed. */
static void wait_for_silence(Run *run)
{
    enum { PATIENCE_MSEC = 2000 };
    struct pollfd p = { .fd = run->messages, .events = POLLIN };

    while (run->messages >= 0 && poll(&p, 1, PATIENCE_MSEC) > 0)
        read_messages(run);
}

/*
 * Kills what is left of the group, then reaps its leader, whose number keeps the group's from being given away until then. When it
 * returns nobody of the group writes into the work directory any more.
 */
static int finish(Run *run, siginfo_t *ret)
{
    (void)process_signal(run->pidfd, SIGKILL);
    while (waitid(P_PIDFD, (id_t)run->pidfd, ret, WEXITED | WNOWAIT) < 0)
        if (errno != EINTR)
            return -errno;
    (void)kill(-run->pid, SIGKILL);
    wait_for_silence(run);
    return waitid(P_PIDFD, (id_t)run->pidfd, ret, WEXITED) < 0 ? -errno : 0;
}

/* skopeo says time="..." level=fatal msg="what happened", with the quotes in it behind backslashes. Only what happened is left. */
static void keep_message(char *line)
{
    const char *from = str_after(line, "time=") ? strstr(line, " msg=\"") : NULL;
    char *to = line;

    if (!from)
        return;
    for (from += strlen(" msg=\""); *from && *from != '"'; from++) {
        from += from[0] == '\\' && from[1];
        *to++ = *from;
    }
    *to = 0;
}

/* The last lines of the messages, fit for a terminal, in one line. */
static char *said(const Run *run)
{
    _cleanup_(freep) char *text = strndup(run->last, run->n_last);
    _cleanup_(strv_freep) char **lines = text ? strv_split(text, "\r\n") : NULL;
    size_t n = strv_length(lines), from = n > 3 ? n - 3 : 0;
    STRV_FOREACH (line, lines ? lines + from : NULL)
        keep_message(*line);
    _cleanup_(freep) char *joined = n > 0 ? strv_join(lines + from, "; ") : NULL;

    return joined ? str_escape(joined, strlen(joined)) : NULL;
}

#define DISK_FULL "the disk of the image store is full"
#define TOO_LARGE "it holds a file that is larger than an image may be"

/* What programs say when it is not their input's fault. */
static const ChildFailure known_failures[] = {
    { "No space left on device", -ENOSPC, DISK_FULL },
    { "Wrote only", -ENOSPC, DISK_FULL }, /* tar, of a short write */
    { "File too large", -EFBIG, TOO_LARGE },
    { "file size limit exceeded", -EFBIG, TOO_LARGE }, /* Go, of SIGXFSZ */
    { "Disk quota exceeded", -EDQUOT, "the quota on the image store's disk is used up" },
    { "Cannot mknod: Operation not permitted", -EPERM,
      "it holds device nodes, which only root can make; import it as root, or leave them out" },
    { "Permission denied", -EACCES,
      "something in it cannot be read or written by this user; import it as root" },
};

static const ChildFailure *find_failure(const ChildFailure *rows, size_t n, const char *words)
{
    for (size_t i = 0; i < n; i++)
        if (strcasestr(words, rows[i].words))
            return &rows[i];
    return NULL;
}

/*
 * A program that trips over a full disk does not always say so: umoci at times panics, as its threads still write when one of them
 * has failed. Nothing is removed before the disk is asked.
 */
static bool disk_is_full(int directory)
{
    const uint64_t least = 64 << 10;
    struct statvfs disk;

    return fstatvfs(directory, &disk) == 0 &&
           ((uint64_t)disk.f_bavail * disk.f_frsize < least || (disk.f_files > 0 && disk.f_favail == 0));
}

static const ChildFailure full_disk = { .error = -ENOSPC, .advice = DISK_FULL };

static int explain_exit(const Run *run, int status, char **ret_error)
{
    _cleanup_(freep) char *words = said(run);
    const char *name = run->child->program->name;
    const ChildFailure *failure =
        words ? find_failure(run->child->failures, run->child->n_failures, words) : NULL;

    if (words && !failure)
        failure = find_failure(known_failures, ELEMENTSOF(known_failures), words);
    if (!failure && disk_is_full(run->child->kept))
        failure = &full_disk;
    if (failure)
        return image_fail(ret_error, failure->error, "%s (%s: %s)", failure->advice, name,
                          words ?: "it said nothing");
    return image_fail(ret_error, run->child->failure, "%s failed with exit status %d: %s", name, status,
                      words ?: "it said nothing");
}

static int explain(const Run *run, int r, const siginfo_t *end, char **ret_error)
{
    const char *name = run->child->program->name;

    if (r == -ETIMEDOUT) {
        _cleanup_(freep) char *time = duration_format(run->child->stall_timeout);
        return image_fail(ret_error, r, "%s made no progress for %s and was killed", name,
                          time ?: "too long");
    }
    if (r < 0)
        return r;
    if (end->si_code != CLD_EXITED && end->si_status == SIGXFSZ)
        return image_fail(ret_error, -EFBIG, "%s (%s was stopped)", TOO_LARGE, name);
    if (end->si_code != CLD_EXITED && disk_is_full(run->child->kept))
        return image_fail(ret_error, -ENOSPC, DISK_FULL " (%s was killed by signal %d (%s))", name,
                          end->si_status, sigabbrev_np(end->si_status) ?: "unknown");
    if (end->si_code != CLD_EXITED)
        return image_fail(ret_error, run->child->failure, "%s was killed by signal %d (%s)", name,
                          end->si_status, sigabbrev_np(end->si_status) ?: "unknown");
    return end->si_status == 0 ? 0 : explain_exit(run, end->si_status, ret_error);
}

int child_run(const Child *child, char **ret_error)
{
    Run run = { .child = child, .pidfd = -1, .messages = -1 };
    siginfo_t end = { 0 };
    _cleanup_(strv_freep) char **environment = NULL;
    _cleanup_(freep) char *file = NULL;

    int r = child_find(child->program, child->path, &file, ret_error);
    if (r < 0)
        return r;
    assert(file);
    if ((r = child_environment(child, &environment)) < 0)
        return r;
    if ((r = start(&run, file, environment)) >= 0) {
        r = attend(&run);
        int reaped = finish(&run, &end);
        r = reaped < 0 ? reaped : explain(&run, r, &end, ret_error);
    } else {
        r = image_fail_errno(ret_error, r, "%s cannot be started", child->program->name);
    }
    safe_close(run.messages);
    safe_close(run.pidfd);
    return r;
}
