/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/lock-holders.h"
#include "base/strings.h"
#include "supervisor/sources.h"
#include "supervisor/volumes.h"

/* --- where ---------------------------------------------------------------------------------------------------------- */

/* Names have no dots, so no two volumes come to the same file. */
static int resolve_own(const Supervisor *s, const char *pod, const VolumeDefinition *v, RunDisk *ret)
{
    ret->directory = source_own(s, VOLUME_DISK);
    ret->file = strf("%s.%s.%s", pod, v->name, enum_to_string(&disk_format_table, (int)v->format));
    return ret->directory && ret->file ? 0 : -ENOMEM;
}

static int resolve_of_one_start(const Supervisor *s, const char *pod, const VolumeDefinition *v, RunDisk *ret)
{
    ret->directory = source_own(s, v->type);
    ret->file = strf("%s.%s.%s", pod, v->name, v->type == VOLUME_SHARE ? "erofs" : "raw");
    return ret->directory && ret->file ? 0 : -ENOMEM;
}

static int resolve(const Supervisor *s, const char *pod, const VolumeDefinition *v, RunDisk *ret,
                   char **ret_error)
{
    _cleanup_(freep) char *why = NULL;

    int r = str_replace(&ret->volume, v->name);
    if (r < 0)
        return r;
    if (volume_is_of_one_start(v))
        return resolve_of_one_start(s, pod, v, ret);
    r = v->source ? source_split(s, SOURCE_VOLUME, v->source, &ret->directory, &ret->file, &why)
                  : resolve_own(s, pod, v, ret);
    if (why)
        *ret_error = strf("the disk of volume %s: %s", v->name, why);
    return r;
}

static int resolve_all(const Supervisor *s, const char *pod, const PodDefinition *d, RunDefinition *ret,
                       char **ret_error)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < d->n_volumes; i++) {
        if (!volume_has_disk(&d->volumes[i]))
            continue;
        RunDisk *disk = field_append(schema_field(&run_definition_schema, "disks"), ret);
        r = disk ? resolve(s, pod, &d->volumes[i], disk, ret_error) : -ENOMEM;
    }
    return r;
}

static int resolve_share(const Supervisor *s, const VolumeDefinition *v, RunDisk *ret, char **ret_error)
{
    _cleanup_(freep) char *why = NULL;

    int r = str_replace(&ret->volume, v->name);
    if (r >= 0)
        r = source_split(s, SOURCE_VOLUME, v->source, &ret->directory, &ret->file, &why);
    if (why)
        *ret_error = strf("the share of volume %s: %s", v->name, why);
    return r;
}

static int resolve_shares(const Supervisor *s, const PodDefinition *d, RunDefinition *ret, char **ret_error)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < d->n_volumes; i++) {
        if (!volume_is_live(&d->volumes[i]))
            continue;
        RunDisk *share = field_append(schema_field(&run_definition_schema, "shares"), ret);
        r = share ? resolve_share(s, &d->volumes[i], share, ret_error) : -ENOMEM;
    }
    return r < 0 || ret->n_shares == 0 ? r : str_replace(&ret->virtiofsd, s->config->virtiofsd);
}

int volumes_resolve(const Supervisor *s, RunDefinition *definition, char **ret_error)
{
    if (definition->pod.backend == BACKEND_NULL)
        return 0;
    int r = resolve_all(s, definition->name, &definition->pod, definition, ret_error);
    return r < 0 ? r : resolve_shares(s, &definition->pod, definition, ret_error);
}

int volume_open(const RunDefinition *definition, const RunDisk *disk)
{
    const VolumeDefinition *v = run_disk_volume(definition, disk, NULL);

    return v ? run_disk_open(disk, volume_is_read_only(v)) : -ENOENT;
}

/* --- whose ---------------------------------------------------------------------------------------------------------- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
        return a->st_rdev == b->st_rdev;
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The volume by which a pod that may run uses the file so that nobody else can; NULL: none. */
static const VolumeDefinition *user_among(const Pod *pod, const struct stat *file, bool read_only)
{
    const PodDefinition *d = &pod->running;
    const VolumeDefinition *found = NULL;
    RunDefinition disks = { 0 };
    _cleanup_(freep) char *why = NULL;
    struct stat st;

    (void)resolve_all(pod->supervisor, pod->name, d, &disks, &why);
    for (size_t i = 0; !found && i < disks.n_disks; i++) {
        disks.pod = *d;
        const VolumeDefinition *v = run_disk_volume(&disks, &disks.disks[i], NULL);
        _cleanup_(freep) char *path = run_disk_path(&disks.disks[i]);
        if (v && path && !(read_only && volume_is_read_only(v)) && stat(path, &st) == 0 && is_same(&st, file))
            found = v;
    }
    disks.pod = (PodDefinition){ 0 };
    schema_done(&run_definition_schema, &disks);
    return found;
}

/* Disks are few, and pods that have some; only those cost more than a look at their definition. */
static char *find_pod(const Pod *pod, const struct stat *file, bool read_only)
{
    const Supervisor *s = pod->supervisor;

    for (size_t i = 0; i < s->n_pods; i++) {
        const Pod *other = s->pods[i];
        if (other == pod || !other->has_running || !reconcile_alive(&other->observed) ||
            other->running.backend == BACKEND_NULL)
            continue;
        const VolumeDefinition *v = user_among(other, file, read_only);
        if (v)
            return strf("the pod %s uses it, as its volume %s", other->name, v->name);
    }
    return NULL;
}

static char *find_process(int fd, const struct stat *file, bool read_only)
{
    _cleanup_(freep) char *user = NULL;

    if (disk_is_used(fd, read_only) <= 0)
        return NULL;
    user = file_user(file);
    return strf("%s uses it", user ?: "another process");
}

/* --- together ------------------------------------------------------------------------------------------------------- */

/* What is wrong (malloc'ed); NULL: nothing. */
static char *objection(const Pod *pod, const VolumeDefinition *v, int fd)
{
    bool read_only = volume_is_read_only(v);
    struct stat st;

    if (fd < 0)
        return strdup(source_error(fd, !read_only));
    if (fstat(fd, &st) < 0)
        return strdup(strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return strdup("it is neither a file nor a block device");
    return find_pod(pod, &st, read_only) ?: find_process(fd, &st, read_only);
}

/* What is wrong with a share (static); NULL: nothing. The runner looks again, as whoever shares it. */
static const char *object_to_share(const RunDisk *share)
{
    _cleanup_(closep) int directory = dir_reach_at(AT_FDCWD, share->directory);
    _cleanup_(closep) int fd = directory < 0 ? directory : file_open_at(directory, share->file, O_PATH, 0);
    struct stat st;

    if (fd < 0)
        return source_error(fd, false);
    if (fstat(fd, &st) < 0)
        return strerror(errno);
    return S_ISDIR(st.st_mode) ? NULL : strerror(ENOTDIR);
}

static int check_shares(const Pod *pod, const RunDefinition *definition, char **ret_error)
{
    for (size_t i = 0; i < definition->n_shares; i++) {
        const RunDisk *share = &definition->shares[i];
        _cleanup_(freep) char *path = run_disk_path(share);
        const char *why =
            pod->supervisor->units
                ? "it is live, and a pod that has a unit of systemd sees no directory of the host; "
                  "mode = \"copy\" shares a copy, launcher = \"direct\" in podvisord.conf starts "
                  "pods without units"
                : object_to_share(share);
        if (!why)
            continue;
        *ret_error = strf("the share of volume %s cannot be used: %s: %s", share->volume, path ?: "?", why);
        return -EINVAL;
    }
    return 0;
}

int volumes_check(const Pod *pod, const RunDefinition *definition, char **ret_error)
{
    for (size_t i = 0; i < definition->n_disks; i++) {
        const RunDisk *disk = &definition->disks[i];
        const VolumeDefinition *v = run_disk_volume(definition, disk, NULL);
        if (!v)
            continue;
        _cleanup_(closep) int fd = volume_open(definition, disk);
        _cleanup_(freep) char *why = objection(pod, v, fd), *path = run_disk_path(disk);
        if (!why)
            continue;
        *ret_error = strf("the disk of volume %s cannot be used: %s: %s", v->name, path ?: "?", why);
        return fd < 0 ? fd : -EBUSY;
    }
    return check_shares(pod, definition, ret_error);
}
