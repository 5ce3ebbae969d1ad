/* SPDX-License-Identifier: Apache-2.0 */
/* The last steps of a new process, inside of its container: from the agent's power to the program's. */
#include <grp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/socket.h"
#include "base/strings.h"
#include "guest/agent/capabilities.h"
#include "guest/agent/launch.h"
#include "guest/agent/rlimits.h"
#include "guest/agent/syscall-filter.h"
#include "schemas/formats.h"

enum { UMASK_USUAL = 022 };

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* --- environment --- */

static const char *find(char *const *environment, const char *key, size_t n)
{
    STRV_FOREACH (s, (char **)(uintptr_t)environment)
        if (strncmp(*s, key, n) == 0 && (*s)[n] == '=')
            return *s + n + 1;
    return NULL;
}

static int add_all(char ***to, char *const *from, char *const *overrides)
{
    STRV_FOREACH (s, (char **)(uintptr_t)from) {
        int r = find(overrides, *s, strcspn(*s, "=")) ? 0 : strv_append(to, *s);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_default(char ***to, const char *key, const char *value)
{
    return find(*to, key, strlen(key)) ? 0 : strv_appendf(to, "%s=%s", key, value);
}

static char **make_environment(const LaunchSpec *spec, const Identity *identity)
{
    _cleanup_(strv_freep) char **all = NULL;
    char hostname[256] = "";

    (void)gethostname(hostname, sizeof hostname - 1);
    if (add_all(&all, spec->environment, spec->more_environment) < 0 ||
        add_all(&all, spec->more_environment, NULL) < 0 || add_default(&all, "PATH", DEFAULT_PATH) < 0 ||
        add_default(&all, "HOME", identity->home) < 0 || add_default(&all, "HOSTNAME", hostname) < 0 ||
        (spec->terminal && add_default(&all, "TERM", "xterm") < 0))
        return NULL;
    return take_ptr(all);
}

/* --- power --- */

static int become(const LaunchSpec *spec, const Identity *identity, Failure *f)
{
    const char *unknown = NULL;
    uint64_t mask;

    const ContainerDefinition *d = spec->definition;
    int r = capabilities_from_names(d->capabilities, &mask, &unknown);
    if (r < 0)
        return failure_say(f, r, "%s is no capability that this machine knows", unknown);
    /* First, because a filter is set with power or with no_new_privs, and the latter may not be wanted. */
    if (d->seccomp == SECCOMP_DEFAULT && !spec->prepared && (r = seccomp_confine(mask)) < 0)
        return failure_set(f, r, "system calls could not be filtered");
    if ((r = capabilities_bound(mask)) < 0)
        return failure_set(f, r, "capabilities could not be bounded");
    if (setgroups(identity->n_groups, identity->groups) < 0 ||
        setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
        setresuid(identity->uid, identity->uid, identity->uid) < 0)
        return failure_set(f, -errno, "user %u and group %u could not be taken", identity->uid,
                           identity->gid);
    /* Those that were asked for are kept by any user; the usual ones are root's alone. */
    if ((r = capabilities_keep(mask, d->capabilities && *d->capabilities)) < 0)
        return failure_set(f, r, "capabilities could not be set");
    int modes = d->umask ? file_mode_from_string(d->umask) : UMASK_USUAL;
    umask(modes < 0 ? UMASK_USUAL : (mode_t)modes);
    if (d->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return failure_set(f, -errno, "no_new_privs could not be set");
    return 0;
}

/* --- program --- */

static int explain(const char *program, int error, Failure *f)
{
    static const struct {
        int error;
        const char *text;
    } rows[] = {
        { -ENOENT, "command not found" },
        { -ENOTDIR, "command not found" },
        { -EACCES, "permission denied" },
        { -ENOEXEC, "exec format error: is the image of another architecture?" },
    };

    if (error == -ENOENT && strchr(program, '/') && access(program, F_OK) == 0)
        return failure_say(f, error, "%s: the interpreter that it asks for is not in the image", program);
    TABLE_FOREACH (row, rows)
        if (row->error == error)
            return failure_say(f, error, "%s: %s", program, row->text);
    return failure_set(f, error, "%s", program);
}

/* Tries each directory of PATH. What was found and refused is told rather than that it was not found elsewhere. */
static int execute_by_path(char *const *command, char *const *environment)
{
    const char *path = find(environment, "PATH", 4);
    int result = -ENOENT;

    for (size_t n; path && *path; path += n + (path[n] == ':')) {
        n = strcspn(path, ":");
        _cleanup_(freep) char *program = strf("%.*s/%s", (int)n, path, *command);
        if (!program)
            return -ENOMEM;
        execve(program, command, environment);
        if (errno != ENOENT && errno != ENOTDIR && result == -ENOENT)
            result = -errno;
    }
    return result;
}

static int execute(char *const *command, char *const *environment, Failure *f)
{
    int r;

    if (strchr(*command, '/')) {
        execve(*command, command, environment);
        r = -errno;
    } else {
        r = execute_by_path(command, environment);
    }
    return explain(*command, r, f);
}

int launch_program(const LaunchSpec *spec, const Identity *identity, int status, Failure *f)
{
    _cleanup_(strv_freep) char **environment = make_environment(spec, identity);
    if (!environment)
        return failure_set(f, -ENOMEM, "the environment could not be set up");
    int r = rlimits_set(&spec->definition->rlimits, f);
    if (r < 0 || (r = become(spec, identity, f)) < 0)
        return r;
    if ((r = packet_send(status, LAUNCH_WORD_READY, strlen(LAUNCH_WORD_READY), -1)) < 0)
        return failure_set(f, r, "the agent does not listen");
    return execute(spec->command, environment, f);
}
