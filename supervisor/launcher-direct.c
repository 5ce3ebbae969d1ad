/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/program.h"
#include "base/strings.h"
#include "supervisor/launcher.h"

/* All that a runner may learn from podvisord's environment: how to log, and to find programs and the daemons of its user (libvirt's), nothing
 * that configures it. */
static const char *const environment_kept[] = {
    "PATH",
    "LANG",
    "JOURNAL_STREAM",
    "ASAN_OPTIONS",
    "UBSAN_OPTIONS",
    "HOME",
    "XDG_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
};

static int environment_make(char ***ret)
{
    _cleanup_(strv_freep) char **environment = NULL;

    TABLE_FOREACH (name, environment_kept) {
        const char *value = getenv(*name);
        int r = value ? strv_appendf(&environment, "%s=%s", *name, value) : 0;
        if (r < 0)
            return r;
    }
    /* execve(2) wants a list, even an empty one. */
    if (!environment && !(environment = calloc(1, sizeof *environment)))
        return -ENOMEM;
    *ret = take_ptr(environment);
    return 0;
}

static int spawn(const LaunchRequest *request, pid_t *ret)
{
    _cleanup_(strv_freep) char **environment = NULL;
    const char *arguments[] = { request->program, "--run-path",       request->run_path,
                                "--log-level",    request->log_level, NULL };

    int r = environment_make(&environment);
    return r < 0 ? r : program_start_lasting((char **)(uintptr_t)arguments, environment, -1, ret);
}

/* The descriptors that are wanted right after the spawn, so that a lack of them shows before it. */
static int reserve(int reserved[2])
{
    for (int i = 0; i < 2; i++)
        if ((reserved[i] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) < 0)
            return -errno;
    return 0;
}

static int direct_launch(Launcher *l, const LaunchRequest *request, ProcessId *ret_id, int *ret_pidfd)
{
    int reserved[2] = { -1, -1 };
    ProcessId id;
    pid_t pid;

    int r = reserve(reserved);
    if (r >= 0)
        r = spawn(request, &pid);
    safe_close(reserved[0]);
    safe_close(reserved[1]);
    if (r < 0)
        return r;
    /* Our own child keeps its number until we reap it, so neither look can meet a stranger. */
    _cleanup_(closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    r = pidfd < 0 ? -errno : process_identify(pid, &id);
    if (r < 0) {
        /* What cannot be watched is not left running. */
        kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return r;
    }
    *ret_id = id;
    *ret_pidfd = take_fd(&pidfd);
    return 1;
}

static int direct_reap(Launcher *l, int pidfd, int *ret_code, int *ret_status)
{
    siginfo_t info = { 0 };

    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
        return -errno;
    *ret_code = info.si_code;
    *ret_status = info.si_status;
    return 0;
}

static Launcher *direct_free(Launcher *l)
{
    free(l);
    return NULL;
}

static const LauncherOps direct_ops = {
    .name = "direct",
    .launch = direct_launch,
    .reap = direct_reap,
    .free = direct_free,
};

int launcher_direct_new(Launcher **ret)
{
    Launcher *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->ops = &direct_ops;
    *ret = l;
    return 0;
}
