/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include "base/strings.h"
#include "schemas/paths.h"

DEFINE_ENUM_TABLE(paths_mode, "mode", PATHS_MODE_MAX, [PATHS_SYSTEM] = { "system", "the host's podvisord" },
                  [PATHS_USER] = { "user", "a user's own podvisord" },
                  [PATHS_ROOT] = { "root", "a podvisord whose paths are all below one directory" });

static const char *const system_definitions[] = {
    "/etc/podvisor/pods.d",
    "/run/podvisor/pods.d",
    "/usr/lib/podvisor/pods.d",
};

/* The directory of the running program, so that a build tree runs in place; NULL when the kernel does not say. */
static char *own_directory(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    if (n <= 0)
        return NULL;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    *slash = 0;
    return strdup(path);
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash > path ? strndup(path, (size_t)(slash - path)) : strdup("/");
}

/*
 * The same place with nothing to spare, since it is shown, and compared with what other processes were given: no empty
 * components, no ".", and no ".." if the place is there already, for only then it is known where that leads.
 */
static char *path_tidy(const char *path)
{
    _cleanup_(strv_freep) char **components = strv_split(path, "/");
    _cleanup_(strv_freep) char **kept = NULL;
    char *real = strv_contains(components, "..") ? realpath(path, NULL) : NULL;

    if (real || !components)
        return real;
    STRV_FOREACH (component, components)
        if (!streq(*component, ".") && strv_append(&kept, *component) < 0)
            return NULL;
    _cleanup_(freep) char *joined = strv_join(kept, "/");
    return joined ? strf("/%s", joined) : NULL;
}

/* build/bin/podvisor is in place: its guest parts are in build/guest. All that are installed use the same directory. */
static int init_programs(Paths *p)
{
    _cleanup_(freep) char *own = own_directory();
    _cleanup_(freep) char *runner = own ? strf("%s/podvisor-runner-null", own) : NULL;

    if (runner && access(runner, X_OK) == 0 && !streq(own, PODVISOR_PRIVATE_DIR)) {
        p->programs = strdup(own);
        _cleanup_(freep) char *parent = parent_of(own);
        p->guest = parent ? strf("%s/guest", streq(parent, "/") ? "" : parent) : NULL;
    } else {
        p->programs = strdup(PODVISOR_PRIVATE_DIR);
        p->guest = strdup(PODVISOR_PRIVATE_DIR "/guest");
    }
    return p->programs && p->guest ? 0 : -ENOMEM;
}

static int init_root(Paths *p, const char *root)
{
    _cleanup_(freep) char *here = *root == '/' ? NULL : getcwd(NULL, 0);
    _cleanup_(freep) char *whole = here ? strf("%s/%s", here, root) : strdup(root);
    _cleanup_(freep) char *absolute = whole ? path_tidy(whole) : NULL;

    if (!absolute)
        return -ENOMEM;
    p->mode = PATHS_ROOT;
    p->config = strf("%s/podvisord.conf", absolute);
    p->run = strf("%s/run", absolute);
    p->state = strf("%s/state", absolute);
    return strv_appendf(&p->definitions, "%s/pods.d", absolute);
}

static int init_user(Paths *p)
{
    const char *home = getenv("HOME"), *runtime = getenv("XDG_RUNTIME_DIR");
    const char *config_home = getenv("XDG_CONFIG_HOME"), *state_home = getenv("XDG_STATE_HOME");

    if (str_empty(home) || str_empty(runtime))
        return -ENOENT;
    _cleanup_(freep) char *config = str_empty(config_home) ? strf("%s/.config", home) : strdup(config_home);
    _cleanup_(freep) char *state = str_empty(state_home) ? strf("%s/.local/state", home) : strdup(state_home);
    if (!config || !state)
        return -ENOMEM;
    p->mode = PATHS_USER;
    p->config = strf("%s/podvisor/podvisord.conf", config);
    p->run = strf("%s/podvisor", runtime);
    p->state = strf("%s/podvisor", state);
    int r = strv_appendf(&p->definitions, "%s/podvisor/pods.d", config);
    return r < 0 ? r : strv_appendf(&p->definitions, "%s/podvisor/pods.d", runtime);
}

static int init_system(Paths *p)
{
    p->mode = PATHS_SYSTEM;
    p->config = strdup("/etc/podvisor/podvisord.conf");
    p->run = strdup("/run/podvisor");
    p->state = strdup("/var/lib/podvisor");
    TABLE_FOREACH (path, system_definitions) {
        int r = strv_append(&p->definitions, *path);
        if (r < 0)
            return r;
    }
    return 0;
}

int paths_init(Paths *ret, const char *root, bool user)
{
    Paths p = { 0 };

    if (root && user)
        return -EINVAL;
    if (!root && !user)
        root = getenv("PODVISOR_ROOT");
    int r = !str_empty(root) ? init_root(&p, root) : user ? init_user(&p) : init_system(&p);
    if (r >= 0 && (!p.config || !p.run || !p.state))
        r = -ENOMEM;
    if (r >= 0)
        r = init_programs(&p);
    if (r < 0) {
        paths_done(&p);
        return r;
    }
    *ret = p;
    return 0;
}

void paths_done(Paths *p)
{
    strv_free(p->definitions);
    free(p->config);
    free(p->run);
    free(p->state);
    free(p->programs);
    free(p->guest);
    *p = (Paths){ 0 };
}
