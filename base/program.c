/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include "base/program.h"
#include "base/strings.h"

static int wait_readable(int fd, usec_t deadline)
{
    usec_t left = usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
    struct pollfd p = { .fd = fd, .events = POLLIN };

    int r = poll(&p, 1, (int)((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
    return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

static int read_until_end(int fd, usec_t deadline, size_t max, Bytes *output)
{
    for (;;) {
        int r = wait_readable(fd, deadline);
        if (r == -EINTR)
            continue;
        if (r < 0)
            return r;
        uint8_t *p = bytes_reserve(output, 4096);
        ssize_t n = p ? read(fd, p, 4096) : -1;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        output->size += (size_t)n;
        if (output->size > max)
            return -EFBIG;
    }
}

static void end_child(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int spawn(char *const *arguments, bool errors, int output, pid_t *ret)
{
    char *environment[] = { (char *)(uintptr_t) "LC_ALL=C.UTF-8", NULL };
    posix_spawn_file_actions_t actions;

    int r = -posix_spawn_file_actions_init(&actions);
    if (r < 0)
        return r;
    r = -posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (r == 0)
        r = -posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (r == 0 && errors)
        r = -posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    if (r == 0 && !errors)
        r = -posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (r == 0)
        r = -posix_spawn(ret, arguments[0], &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

int program_read(char *const *arguments, bool errors, usec_t timeout, size_t max, Bytes *ret)
{
    usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), timeout);
    Bytes output = { 0 };
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int r = spawn(arguments, errors, ends[1], &pid);
    safe_close(ends[1]);
    if (r == 0) {
        r = read_until_end(ends[0], deadline, max, &output);
        end_child(pid);
    }
    safe_close(ends[0]);
    if (r < 0)
        bytes_done(&output);
    else
        *ret = output;
    return r;
}

int program_first_line(const char *program, const char *argument, usec_t timeout, char **ret)
{
    enum { LINE_MAX_BYTES = 64 * 1024 };
    char *arguments[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)argument, NULL };
    Bytes output = { 0 };

    int r = program_read(arguments, true, timeout, LINE_MAX_BYTES, &output);
    if (r >= 0)
        r = bytes_terminate(&output);
    size_t n = r >= 0 ? strcspn((const char *)output.data, "\r\n") : 0;
    if (r >= 0 && n == 0)
        r = -ENODATA;
    if (r >= 0 && !(*ret = strndup((const char *)output.data, n)))
        r = -ENOMEM;
    bytes_done(&output);
    return r;
}

/* --- programs that last ----------------------------------------------------------------------------------------------------- */

static int lasting_files(posix_spawn_file_actions_t *actions, int input)
{
    int r = input < 0 ? posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
                      : posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDERR_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    return -r;
}

static int lasting_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    int r = posix_spawnattr_setflags(attributes,
                                     POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (r == 0)
        r = posix_spawnattr_setsigmask(attributes, &none);
    if (r == 0)
        r = posix_spawnattr_setsigdefault(attributes, &all);
    return -r;
}

int program_start_lasting(char *const *arguments, char *const *environment, int input, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return -ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return -ENOMEM;
    }
    int r = lasting_files(&actions, input);
    if (r >= 0)
        r = lasting_attributes(&attributes);
    if (r >= 0)
        r = -posix_spawn(ret, arguments[0], &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}
