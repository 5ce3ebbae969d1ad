/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"
#include "guest/agent/beneath.h"
#include "guest/agent/launch.h"

int launch_reset(bool task, Failure *f)
{
    /* A task goes before all containers: it can be asked for again. */
    const char *score = task ? "1000" : "0";
    sigset_t none;
    _cleanup_(closep) int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    /* The agent's own -1000 is not for programs of an image. */
    if (oom < 0 || write_all(oom, score, strlen(score)) < 0)
        return failure_set(f, -errno, "the process could not be prepared");
    /* Whatever ignores a signal where the agent comes from: an exec would hand that down. */
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0)
        return failure_set(f, -errno, "the process could not be prepared");
    umask(022);
    return 0;
}

/* --- streams --- */

static int take_stdio(const int fds[3])
{
    /* First out of the way of 0 to 2, so that none of them is overwritten before it is used. */
    int moved[3];

    for (int i = 0; i < 3; i++)
        if ((moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3)) < 0)
            return -errno;
    for (int i = 0; i < 3; i++)
        if (dup2(moved[i], i) < 0)
            return -errno;
    return 0;
}

/*
 * A terminal of the container's own devpts, so that its programs find it by name. The container's files say where that is, so it
 * is believed only when it is one.
 */
static int open_terminal(const LaunchSpec *spec, int root, uid_t owner, int status)
{
    struct winsize size = { .ws_row = (unsigned short)spec->rows, .ws_col = (unsigned short)spec->columns };
    int unlock = 0;
    unsigned number;

    _cleanup_(closep) int master =
        open_beneath(root, "/dev/pts/ptmx", O_RDWR | O_NONBLOCK, BENEATH_NO_SYMLINKS);
    if (master < 0)
        return master;
    if (ioctl(master, TIOCGPTN, &number) < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return -errno;
    _cleanup_(closep) int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || fchown(slave, owner, (gid_t)-1) < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
        return -errno;
    if (spec->rows > 0 && spec->columns > 0 && ioctl(slave, TIOCSWINSZ, &size) < 0)
        return -errno;
    int r = packet_send(status, LAUNCH_WORD_TERMINAL, strlen(LAUNCH_WORD_TERMINAL), master);
    return r < 0 ? r : take_stdio((int[]){ slave, slave, slave });
}

/*
 * Of what the agent has open nothing is left but the streams and the status socket, which moves to LAUNCH_KEPT: a working directory
 * or a program that is named by way of /proc/self/fd would otherwise be found outside of the container.
 */
static int close_rest(int status)
{
    if (status != LAUNCH_KEPT && dup3(status, LAUNCH_KEPT, O_CLOEXEC) < 0)
        return -errno;
    return close_range(LAUNCH_KEPT + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int enter_directory(int root, const char *path)
{
    _cleanup_(closep) int fd = open_beneath(root, path, O_PATH | O_DIRECTORY, 0);
    return fd < 0 ? fd : fchdir(fd) < 0 ? -errno : 0;
}

/* From inside of the container to the streams and the directory of the program. */
static int settle(const LaunchSpec *spec, const int stdio[3], int status, Identity *identity, Failure *f)
{
    _cleanup_(closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *missing = spec->user;
    int r = root < 0 ? -errno : identity_read(root, spec->user, spec->definition->groups, identity, &missing);
    if (r == -ENOENT)
        return failure_say(f, r, "%s %s is not in the image", missing == spec->user ? "user" : "group",
                           missing);
    if (r < 0)
        return failure_set(f, r, "user %s", spec->user ?: "root");
    r = spec->terminal   ? open_terminal(spec, root, identity->uid, status)
        : spec->prepared ? 0
                         : take_stdio(stdio);
    if (r < 0)
        return failure_set(f, r, "the standard streams could not be set up");
    const char *dir = str_empty(spec->working_dir) ? "/" : spec->working_dir;
    r = enter_directory(root, dir);
    return r < 0 ? failure_set(f, r, "working directory %s", dir) : 0;
}

static int open_stdio(const LaunchSpec *spec, int ret[3], Failure *f)
{
    for (int i = 0; i < 3; i++) {
        ret[i] = spec->stdio[i] >= 0 ? spec->stdio[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
        if (ret[i] < 0)
            return failure_set(f, -errno, "/dev/null");
    }
    return 0;
}

void launch_fail(int status, const Failure *f)
{
    char word[FAILURE_TEXT_MAX + 32];
    int n = snprintf(word, sizeof word, LAUNCH_WORD_FAILED "%d %s", f->error, f->text);

    (void)packet_send(status, word, MIN((size_t)MAX(n, 0), sizeof word - 1), -1);
    _exit(127);
}

/* Comes back only with a failure. */
static int become_program(const LaunchSpec *spec, const int stdio[3], int *status, Failure *f)
{
    Identity identity = { 0 };

    int r = settle(spec, stdio, *status, &identity, f);
    if (r < 0)
        return r;
    if ((r = close_rest(*status)) < 0)
        return failure_set(f, r, "descriptors could not be closed");
    *status = LAUNCH_KEPT;
    return launch_program(spec, &identity, *status, f);
}

static int become_task(const LaunchSpec *spec, const int stdio[3], int *status, Failure *f)
{
    int r = take_stdio(stdio);

    return r < 0 ? failure_set(f, r, "the streams could not be set up") : launch_task(*spec, status, f);
}

void launch_child(const LaunchSpec *spec, int status)
{
    Failure f = { 0 };
    int stdio[3] = { -1, -1, -1 };

    if ((!spec->prepared && launch_reset(spec->task != NULL, &f) < 0) ||
        (!spec->prepared && !spec->terminal && open_stdio(spec, stdio, &f) < 0) ||
        (spec->enter && spec->enter(spec->userdata, &f) < 0))
        launch_fail(status, &f);
    (void)(spec->task ? become_task : become_program)(spec, stdio, &status, &f);
    launch_fail(status, &f);
}
