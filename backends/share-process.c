/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/share-process.h"
#include "base/file.h"
#include "base/strings.h"

/* Where the directory is mounted for virtiofsd. It needs nothing of what is there else, and every host has the place. */
#define PLACE "/sys"
static const char source[] = "source=" PLACE;

enum {
    LISTENER = 3, /* the child's descriptors */
    GATE,
    FREE_FROM = 10,
    FILES_MAX = 1 << 18, /* one for each file that the guest knows of */
    WORD_TIMEOUT_MSEC = 10000,
    CHILD_FAILED = 127,
    NOBODY = 65534,
};

/* What the child is at; the numbers cross the gate. */
typedef enum ShareStep {
    SHARE_STREAMS,
    SHARE_LOOK,
    SHARE_APART,
    SHARE_USER,
    SHARE_REACH,
    SHARE_MOUNT,
    SHARE_LIMIT,
    SHARE_EXEC,
    SHARE_STEP_MAX,
} ShareStep;

static const char *const step_words[SHARE_STEP_MAX] = {
    [SHARE_STREAMS] = "its descriptors cannot be set up: ",
    [SHARE_LOOK] = "",
    [SHARE_APART] = "virtiofsd needs user namespaces, and can have none: ",
    [SHARE_USER] = "its user cannot be set: ",
    [SHARE_REACH] = "the user as whom it is shared cannot get there: ",
    [SHARE_MOUNT] = "it cannot be mounted for virtiofsd: ",
    [SHARE_LIMIT] = "what virtiofsd may do cannot be limited: ",
    [SHARE_EXEC] = "virtiofsd cannot be run: ",
};

typedef struct Word {
    int32_t step;
    int32_t error;     /* 0: it waits behind this step */
    uint32_t uid, gid; /* of the directory, after SHARE_LOOK */
} Word;

/* --- the child --------------------------------------------------------------------------------------------------------- */

static int child_streams(const ShareCommand *c, int gate)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = fcntl(c->log, F_DUPFD, FREE_FROM);
    int listener = fcntl(c->listener, F_DUPFD, FREE_FROM), kept = fcntl(gate, F_DUPFD, FREE_FROM);

    (void)setsid();
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (null < 0 || log < 0 || listener < 0 || kept < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 || dup2(listener, LISTENER) < 0 ||
        dup3(kept, GATE, O_CLOEXEC) < 0 || syscall(SYS_close_range, GATE + 1, ~0U, 0) < 0)
        return -errno;
    return 0;
}

static int open_directory(const ShareCommand *c, int flags)
{
    _cleanup_(closep) int above = dir_reach_at(AT_FDCWD, c->directory);

    return above < 0 ? above : file_open_at(above, c->file, flags | O_DIRECTORY, 0);
}

static int child_look(const ShareCommand *c, Word *w)
{
    struct stat st;
    _cleanup_(closep) int fd = open_directory(c, O_PATH);

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    w->uid = st.st_uid;
    w->gid = st.st_gid;
    return 0;
}

static int child_apart(const ShareCommand *c, Word *w)
{
    const struct rlimit files = { .rlim_cur = FILES_MAX, .rlim_max = FILES_MAX };

    /* Where that is more than is allowed, it has what there is. */
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (geteuid() == 0 && setgroups(0, NULL) < 0)
        return -errno;
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? -errno : 0;
}

static int child_user(const ShareCommand *c, Word *w)
{
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return -errno;
    return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? -errno : 0;
}

/* Anew, as the user and in the namespace; so by the whole path, as that user. */
static int child_reach(const ShareCommand *c, Word *w)
{
    return open_directory(c, O_RDONLY);
}

static int child_mount(int directory, bool read_only)
{
    const struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                                       (read_only ? MOUNT_ATTR_RDONLY : 0) };
    _cleanup_(closep) int tree =
        open_tree(directory, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);

    if (tree < 0 ||
        mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, (struct mount_attr *)(uintptr_t)&attributes,
                      sizeof attributes) < 0 ||
        move_mount(tree, "", AT_FDCWD, PLACE, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    return chdir("/") < 0 ? -errno : 0;
}

static int child_limit(void)
{
    struct rlimit files;

    (void)umask(0); /* each file's mode is the guest's */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 }) < 0 ||
        getrlimit(RLIMIT_NOFILE, &files) < 0)
        return -errno;
    files.rlim_cur = files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files) < 0 ? -errno : 0;
}

/*
 * What is cached is asked about each time (timeout=0), so that both sides see at once what the other does; but it is cached, so that files can
 * be mapped. Nobody in there needs devices or capabilities of files.
 */
static int child_exec(const ShareCommand *c)
{
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LC_ALL=C",
         *environment[] = { path, lang, NULL };
    const char *const arguments[] = { c->program,
                                      "-f",
                                      "--fd=3",
                                      "-o",
                                      source,
                                      "-o",
                                      "sandbox=namespace",
                                      "-o",
                                      "cache=auto",
                                      "-o",
                                      "timeout=0",
                                      "-o",
                                      "modcaps=-mknod:-setfcap",
                                      "-o",
                                      "log_level=warn",
                                      "--rlimit-nofile=0",
                                      NULL };

    execve(c->program, (char *const *)(uintptr_t)arguments, environment);
    return -errno;
}

static void say(const Word *w)
{
    (void)!send(GATE, w, sizeof *w, MSG_NOSIGNAL);
}

/* Steps that end with a wait for the word of the parent. */
static bool child_step(const ShareCommand *c, ShareStep step, int (*func)(const ShareCommand *c, Word *w))
{
    Word w = { .step = (int32_t)step };
    char go;

    w.error = func(c, &w);
    say(&w);
    return w.error == 0 && read(GATE, &go, 1) == 1;
}

static ShareStep child_last_steps(const ShareCommand *c, int *ret_error)
{
    Word w;

    if ((*ret_error = child_user(c, &w)) < 0)
        return SHARE_USER;
    int directory = child_reach(c, &w);
    if ((*ret_error = MIN(directory, 0)) < 0)
        return SHARE_REACH;
    if ((*ret_error = child_mount(directory, c->read_only)) < 0)
        return SHARE_MOUNT;
    safe_close(directory);
    if ((*ret_error = child_limit()) < 0)
        return SHARE_LIMIT;
    *ret_error = child_exec(c);
    return SHARE_EXEC;
}

static _Noreturn void child_run(const ShareCommand *c, int gate)
{
    Word w = { .step = SHARE_STREAMS };

    if ((w.error = child_streams(c, gate)) < 0)
        (void)!send(gate, &w, sizeof w, MSG_NOSIGNAL);
    else if (child_step(c, SHARE_LOOK, child_look) && child_step(c, SHARE_APART, child_apart)) {
        w.step = (int32_t)child_last_steps(c, &w.error);
        say(&w);
    }
    _exit(CHILD_FAILED);
}

/* --- the parent ---------------------------------------------------------------------------------------------------------- */

/* 1: *ret is its word; 0: the gate closed by an exec, or the child's end. */
static int word_await(int gate, Word *ret)
{
    struct pollfd p = { .fd = gate, .events = POLLIN };
    int n;

    do
        n = poll(&p, 1, WORD_TIMEOUT_MSEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : -ETIMEDOUT;
    ssize_t size = recv(gate, ret, sizeof *ret, 0);
    if (size <= 0)
        return size < 0 ? -errno : 0;
    return size == sizeof *ret && ret->step >= 0 && ret->step < SHARE_STEP_MAX ? 1 : -EBADMSG;
}

static const char *error_words(int error)
{
    if (error == -ELOOP || error == -EXDEV)
        return "a symbolic link is in its path, and none is followed";
    return error == -ETIMEDOUT ? "whatever it lies on does not answer" : strerror(-error);
}

/* Until the child has come through this step: 0, or negative errno with *message. */
static int step_await(int gate, ShareStep step, Word *w, char **message)
{
    int r = word_await(gate, w);

    if (r == 1 && w->error == 0 && w->step == (int32_t)step)
        return 0;
    int error = r < 0 ? r : r == 1 && w->error < 0 ? w->error : -EPROTO;
    ShareStep at = r == 1 ? (ShareStep)w->step : step;
    *message = strf("%s%s", step_words[at], error_words(error));
    return error;
}

static int go_on(int gate)
{
    return send(gate, "", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Whoever owns it, and root as nobody. */
static int choose_user(const ShareCommand *c, Word *w, char **message)
{
    if (geteuid() != 0) {
        w->uid = geteuid();
        w->gid = getegid();
        return 0;
    }
    if (w->gid == 0)
        w->gid = NOBODY;
    if (w->uid != 0)
        return 0;
    w->uid = NOBODY;
    if (c->read_only)
        return 0;
    *message =
        strdup("it is root's, and what a pod writes is written as the owner of the directory, which must be "
               "another user then; read_only = true shares it for reading, as nobody");
    return -EPERM;
}

static int write_file(pid_t pid, const char *name, const char *text)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : write_all(fd, text, strlen(text));
}

static int give_user(pid_t pid, const Word *w)
{
    char uid[32], gid[32];

    (void)snprintf(uid, sizeof uid, "0 %u 1", w->uid);
    (void)snprintf(gid, sizeof gid, "0 %u 1", w->gid);
    int r = geteuid() == 0 ? 0 : write_file(pid, "setgroups", "deny");
    if (r >= 0)
        r = write_file(pid, "uid_map", uid);
    return r < 0 ? r : write_file(pid, "gid_map", gid);
}

static int lead(const ShareCommand *c, pid_t pid, int gate, char **message)
{
    Word w = { 0 }, later = { 0 };

    int r = step_await(gate, SHARE_LOOK, &w, message);
    if (r >= 0)
        r = choose_user(c, &w, message);
    if (r >= 0)
        r = go_on(gate);
    if (r >= 0)
        r = step_await(gate, SHARE_APART, &later, message);
    if (r >= 0 && (r = give_user(pid, &w)) < 0)
        *message = strf("%s%s", step_words[SHARE_USER], strerror(-r));
    if (r >= 0)
        r = go_on(gate);
    if (r < 0)
        return r;
    r = word_await(gate, &later);
    if (r > 0)
        *message = strf("%s%s", step_words[later.step], error_words(later.error));
    return r > 0 ? MIN(later.error, -1) : r;
}

int share_process_start(const ShareCommand *command, ShareProcess *ret, char **ret_message)
{
    ShareProcess p = { .pidfd = -1 };
    int pair[2];

    *ret_message = NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        safe_close(pair[0]);
        child_run(command, pair[1]);
    }
    int r = pid < 0 ? -errno : 0;
    safe_close(pair[1]);
    if (r >= 0)
        r = lead(command, pid, pair[0], ret_message);
    safe_close(pair[0]);
    if (r >= 0)
        r = process_identify(pid, &p.id);
    if (r >= 0)
        r = p.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (r < 0 && pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, WNOHANG);
    }
    if (r < 0)
        return r;
    *ret = p;
    return 0;
}
