/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/strings.h"
#include "cli/memory-survey.h"

/* --- one process ---------------------------------------------------------------------------------------------------- */

/* pid's directory is open already. */
static int prove(const MemoryProbe *probe)
{
    usec_t tick = USEC_PER_SEC / (usec_t)sysconf(_SC_CLK_TCK);
    ProcessId id;

    int r = process_identify(probe->pid, &id);
    if (r < 0)
        return r;
    if (id.start_time == 0)
        return -EACCES;
    if (probe->start_time > 0)
        return id.start_time == probe->start_time ? 0 : -ESRCH;
    return id.start_time < probe->asked / tick ? 0 : -ESTALE;
}

static int proc_open(pid_t pid)
{
    char path[32];

    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int fd = pid > 0 ? dir_reach_at(AT_FDCWD, path) : -ESRCH;
    return fd == -ENOENT ? -ESRCH : fd;
}

static void add(MemorySums *to, const MemorySums *more)
{
    to->size += more->size;
    to->resident += more->resident;
    to->proportional += more->proportional;
    to->own += more->own;
    to->swapped += more->swapped;
}

static int add_child(MemoryProbe *probe, pid_t pid)
{
    _cleanup_(closep) int proc = proc_open(pid);
    ProcessMemory memory;

    int r = proc < 0 ? proc : process_memory_read(proc, probe->detail, &memory);
    if (r < 0)
        return r == -ESRCH ? 0 : r;
    add(&probe->memory.all, &memory.all);
    add(&probe->memory.guest, &memory.guest);
    return 0;
}

/* "31605 31606 " */
static int add_children(int proc, MemoryProbe *probe)
{
    enum { CHILDREN_TEXT_MAX = 4096 };
    _cleanup_(bytes_done) Bytes text = { 0 };
    _cleanup_(freep) char *path = strf("task/%d/children", (int)probe->pid);

    int r = path ? file_read_at(proc, path, CHILDREN_TEXT_MAX, &text) : -ENOMEM;
    if (r < 0)
        return r == -ENOENT ? -ESRCH : r;
    _cleanup_(freep) char *list = strndup((const char *)text.data ?: "", text.size);
    _cleanup_(strv_freep) char **words = list ? strv_split(list, " ") : NULL;
    uint64_t pid;
    STRV_FOREACH (word, words)
        if (r >= 0 && parse_unsigned(*word, &pid) >= 0 && pid <= INT32_MAX)
            r = add_child(probe, (pid_t)pid);
    return r;
}

void memory_probe(MemoryProbe *probe)
{
    _cleanup_(closep) int proc = proc_open(probe->pid);

    int r = MIN(proc, 0);
    if (r >= 0)
        r = prove(probe);
    if (r >= 0)
        r = process_memory_read(proc, probe->detail, &probe->memory);
    if (r >= 0 && probe->with_children)
        r = add_children(proc, probe);
    probe->error = r;
}

/* --- many ------------------------------------------------------------------------------------------------------------- */

typedef struct Answer {
    int32_t error;
    ProcessMemory memory;
} Answer;
_Static_assert(sizeof(Answer) <= 512, "a pipe takes it whole");

static _Noreturn void child_run(MemoryProbe *probes, size_t n, int fd)
{
    for (size_t i = 0; i < n; i++) {
        memory_probe(&probes[i]);
        const Answer answer = { .error = probes[i].error, .memory = probes[i].memory };
        if (write(fd, &answer, sizeof answer) != sizeof answer)
            break;
    }
    _exit(0);
}

static int child_start(MemoryProbe *probes, size_t n, pid_t *ret_pid)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    *ret_pid = fork();
    if (*ret_pid == 0)
        child_run(probes, n, ends[1]);
    int r = *ret_pid < 0 ? -errno : 0;
    safe_close(ends[1]);
    if (r < 0) {
        safe_close(ends[0]);
        return r;
    }
    return ends[0];
}

static int hear(int fd, usec_t deadline, Answer *ret)
{
    usec_t now = now_usec(CLOCK_MONOTONIC), patience = MIN(usec_sub(deadline, now), SURVEY_PATIENCE);
    struct pollfd p = { .fd = fd, .events = POLLIN };

    int ready = poll(&p, 1, (int)(patience / USEC_PER_MSEC));
    if (ready <= 0)
        return ready < 0 ? -errno : -ETIMEDOUT;
    ssize_t size = read(fd, ret, sizeof *ret);
    return size < 0 ? -errno : size == sizeof *ret ? 0 : -EIO;
}

/* As many as one child can; at least one has an answer then. */
static size_t survey_some(MemoryProbe *probes, size_t n, usec_t deadline)
{
    size_t done = 0;
    pid_t pid = 0;
    Answer answer = { 0 };

    _cleanup_(closep) int fd = child_start(probes, n, &pid);
    int r = MIN(fd, 0);
    while (r >= 0 && done < n) {
        if ((r = hear(fd, deadline, &answer)) < 0)
            break;
        probes[done].error = answer.error;
        probes[done++].memory = answer.memory;
    }
    if (r < 0)
        probes[done++].error = r;
    if (pid > 0) {
        /* One that hangs is not waited for: it may have to, until what it looks at has ended. */
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, r < 0 ? WNOHANG : 0);
    }
    return done;
}

void memory_survey(MemoryProbe *probes, size_t n)
{
    usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), SURVEY_TIMEOUT);
    size_t done = 0;

    while (done < n && now_usec(CLOCK_MONOTONIC) < deadline)
        done += survey_some(probes + done, n - done, deadline);
    for (; done < n; done++)
        probes[done].error = -ETIMEDOUT;
}
