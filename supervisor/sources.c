/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "supervisor/sources.h"

/* Where podvisord.conf says nothing. A user's own podvisord, and one below --root, can do no more than whoever declares its pods. */
static const char *const file_defaults[] = { "/etc/podvisor/secrets", "/etc/podvisor/configs", "/etc/keys",
                                             NULL };
static const char *const volume_defaults[] = { "/srv", NULL };
static const char *const everything[] = { "/", NULL };

static const struct {
    const char *key; /* of podvisord.conf */
    const char *const *defaults;
} kinds[] = {
    [SOURCE_VOLUME] = { "volume_sources", volume_defaults },
    [SOURCE_FILE] = { "file_sources", file_defaults },
};
_Static_assert(ELEMENTSOF(kinds) == SOURCE_KIND_MAX, "a kind has no row");

static const char *const *allowed(const Supervisor *s, SourceKind kind)
{
    char **configured = kind == SOURCE_VOLUME ? s->config->volume_sources : s->config->file_sources;

    if (configured)
        return (const char *const *)configured;
    return s->paths->mode == PATHS_SYSTEM ? kinds[kind].defaults : everything;
}

static const char *const own[VOLUME_TYPE_MAX] = {
    [VOLUME_DISK] = PATHS_VOLUMES,
    [VOLUME_SHARE] = PATHS_SHARES,
    [VOLUME_SCRATCH] = PATHS_SCRATCH,
    [VOLUME_SWAP] = PATHS_SCRATCH,
};

char *source_own(const Supervisor *s, VolumeType type)
{
    return strf("%s/%s", s->paths->state, own[type]);
}

const char *source_own_name(const Supervisor *s, const char *directory)
{
    const char *below = str_after(directory, s->paths->state);

    TABLE_FOREACH (name, own)
        if (*name && below && *below == '/' && streq(below + 1, *name))
            return *name;
    return NULL;
}

/* What follows the directory in the path; NULL: it is not below it. */
static const char *below(const char *path, const char *directory)
{
    const char *rest = str_after(path, directory);

    if (!rest)
        return NULL;
    if (str_ends_with(directory, "/"))
        return *rest ? rest : NULL;
    return *rest == '/' && rest[1] ? rest + 1 : NULL;
}

static int split(const char *path, const char *directory, char **ret_directory, char **ret_file)
{
    const char *rest = below(path, directory);

    if (!rest)
        return -EPERM;
    *ret_directory = strdup(directory);
    *ret_file = strdup(rest);
    return *ret_directory && *ret_file ? 0 : -ENOMEM;
}

static int refuse(const Supervisor *s, SourceKind kind, const char *path, char **ret_error)
{
    _cleanup_(freep) char *list = strv_join((char *const *)(uintptr_t)allowed(s, kind), ", ");

    *ret_error = strf("%s is not below a directory that podvisord.conf allows: %s = [ %s ]", path,
                      kinds[kind].key, str_empty(list) ? "" : list);
    return -EPERM;
}

int source_split(const Supervisor *s, SourceKind kind, const char *path, char **ret_directory,
                 char **ret_file, char **ret_error)
{
    _cleanup_(freep) char *volumes = source_own(s, VOLUME_DISK);
    int r = volumes ? -EPERM : -ENOMEM;

    if (volumes && kind == SOURCE_VOLUME)
        r = split(path, volumes, ret_directory, ret_file);
    for (const char *const *d = allowed(s, kind); r == -EPERM && *d; d++)
        r = split(path, *d, ret_directory, ret_file);
    return r == -EPERM ? refuse(s, kind, path, ret_error) : r;
}

const char *source_error(int error, bool writing)
{
    switch (error) {
    case -ELOOP:
    case -EXDEV:
        return "a symbolic link is in its path, and none is followed";
    case -EROFS:
        return writing ? "podvisord may not write there; a drop-in of podvisord.service with ReadWritePaths= "
                         "lets it"
                       : strerror(EROFS);
    case -ENXIO:
        return "it is a pipe or a socket";
    default:
        return strerror(-error);
    }
}
