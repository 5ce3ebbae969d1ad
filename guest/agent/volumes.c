/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "guest/agent/mounts.h"
#include "guest/agent/volumes.h"

static char *volume_path(const Platform *p, const char *name)
{
    return strf("%s/volumes/%s", p->run, name);
}

/* --- memory --------------------------------------------------------------------------------------------------------- */

static int make_tmpfs(const Platform *p, const VolumeDefinition *v)
{
    _cleanup_(freep) char *path = volume_path(p, v->name);
    _cleanup_(freep) char *size = strf("size=%llu", (unsigned long long)v->size);

    if (!path || !size)
        return -ENOMEM;
    int r = dir_make_path(path, 0755);
    const char *const options[] = { "mode=1777", size, NULL };
    return r < 0 ? r : mount_at("tmpfs", NULL, options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, path);
}

int volumes_make(const Platform *p, const AgentConfigure *configure, Failure *f)
{
    for (size_t i = 0; i < configure->n_volumes; i++) {
        const VolumeDefinition *v = &configure->volumes[i];
        int r = v->type == VOLUME_TMPFS ? make_tmpfs(p, v) : 0;
        if (r < 0)
            return failure_set(f, r, "volume %s could not be made", v->name);
    }
    return 0;
}

/* --- disks ---------------------------------------------------------------------------------------------------------- */

static const VolumeDefinition *find(const AgentConfigure *configure, const char *name)
{
    for (size_t i = 0; i < configure->n_volumes; i++)
        if (streq_ptr(configure->volumes[i].name, name))
            return &configure->volumes[i];
    return NULL;
}

static const AgentDisk *find_disk(const AgentConfigure *configure, const char *name)
{
    for (size_t i = 0; i < configure->n_disks; i++)
        if (streq_ptr(configure->disks[i].volume, name))
            return &configure->disks[i];
    return NULL;
}

/* Nothing but what a new ext4 has. */
static bool is_empty(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    bool empty = d != NULL;

    if (!d)
        safe_close(copy);
    for (struct dirent *e; d && (e = readdir(d));)
        empty = empty && (streq(e->d_name, ".") || streq(e->d_name, "..") || streq(e->d_name, "lost+found"));
    if (d)
        closedir(d);
    return empty;
}

/* A disk that podvisor has made is for every user of the pod, as memory is, until somebody says otherwise. */
static void open_to_all(const char *path)
{
    enum { AS_MADE = 0755, FOR_ALL = 01777 };
    struct stat st;
    _cleanup_(closep) int dir = dir_open_at(AT_FDCWD, path);

    if (dir >= 0 && fstat(dir, &st) == 0 && st.st_uid == 0 && (st.st_mode & 07777) == AS_MADE &&
        is_empty(dir))
        (void)fchmod(dir, FOR_ALL);
}

static const char *mount_error(int error, const VolumeDefinition *v)
{
    switch (error) {
    case -EINVAL:
        return "there is no such file system on it";
    case -EUCLEAN:
    case -EBADMSG:
        return "its file system is damaged";
    case -EROFS:
        return volume_is_read_only(v)
                   ? "it was not left in order, and cannot be repaired, since it is read-only"
                   : "it can only be read";
    default:
        return strerror(-error);
    }
}

/* What containers see of a scratch is beside the layers of their root directories, which nobody gets at by another way. */
static int divide_scratch(const Platform *p, const VolumeDefinition *v)
{
    _cleanup_(freep) char *files = strf("%s/scratch/%s/files", p->run, v->name);
    _cleanup_(freep) char *layers = strf("%s/scratch/%s/layers", p->run, v->name);
    _cleanup_(freep) char *path = volume_path(p, v->name);
    int r = files && layers && path ? dir_make_path(files, 0755) : -ENOMEM;

    if (r >= 0 && chmod(files, 01777) < 0)
        r = -errno;
    if (r >= 0)
        r = dir_make_path(layers, 0700);
    if (r >= 0)
        r = dir_make_path(path, 0755);
    _cleanup_(closep) int fd = r < 0 ? r : mount_view(AT_FDCWD, files, 0);
    if (fd < 0)
        return fd;
    return move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* Where the file system of its disk is. */
static char *disk_place(const Platform *p, const VolumeDefinition *v)
{
    return v->type == VOLUME_SCRATCH ? strf("%s/scratch/%s", p->run, v->name) : volume_path(p, v->name);
}

static int mount_one(Platform *p, const AgentConfigure *configure, const VolumeDefinition *v, Failure *f)
{
    const AgentDisk *disk = find_disk(configure, v->name);
    _cleanup_(freep) char *path = disk_place(p, v), *whole = volume_path(p, v->name);
    int r = !disk ? -EINVAL : path && whole ? dir_make_path(path, 0755) : -ENOMEM;

    if (r >= 0 && mount_is_at(whole))
        return 0;
    if (r >= 0 && !mount_is_at(path))
        r = p->ops->mount_disk(p, disk->disk, v, path);
    if (r >= 0 && v->type == VOLUME_SCRATCH && (r = divide_scratch(p, v)) < 0)
        return failure_set(f, r, "volume %s could not be made", v->name);
    if (r == -ENODEV)
        return failure_say(f, r, "the disk of volume %s did not appear (SCSI id %llu)", v->name,
                           (unsigned long long)disk->disk);
    if (r < 0)
        return failure_say(f, r, "volume %s could not be mounted as %s: %s", v->name,
                           enum_to_string(&disk_filesystem_table, (int)volume_filesystem(v)),
                           mount_error(r, v));
    if (v->make)
        open_to_all(path);
    return 0;
}

/* --- directories of the host ---------------------------------------------------------------------------------------- */

static const AgentShare *find_share(const AgentConfigure *configure, const char *name)
{
    for (size_t i = 0; i < configure->n_shares; i++)
        if (streq_ptr(configure->shares[i].volume, name))
            return &configure->shares[i];
    return NULL;
}

/* Its host has the files, so there is nothing to be left in order at the end. */
static int mount_share(Platform *p, const AgentConfigure *configure, const VolumeDefinition *v, Failure *f)
{
    const AgentShare *share = find_share(configure, v->name);
    _cleanup_(freep) char *path = volume_path(p, v->name);
    const char *tag = share ? share->tag : NULL;
    int r = !tag ? -EINVAL : path ? dir_make_path(path, 0755) : -ENOMEM;

    if (r >= 0 && !mount_is_at(path))
        r = p->ops->mount_share(p, tag, v, path);
    if (r == -EINVAL)
        return failure_say(f, r, "the share of volume %s is not there: no device has the tag %s", v->name,
                           tag ?: "that it should have");
    return r < 0 ? failure_set(f, r, "the share of volume %s could not be mounted", v->name) : 0;
}

static int mount_volume(Platform *p, const AgentConfigure *configure, const VolumeDefinition *v, Failure *f)
{
    if (volume_is_live(v))
        return mount_share(p, configure, v, f);
    return volume_has_disk(v) ? mount_one(p, configure, v, f) : 0;
}

int volumes_mount(Platform *p, const AgentConfigure *configure, const ContainerDefinition *d, Failure *f)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < d->n_mounts; i++) {
        const VolumeDefinition *v = d->mounts[i].volume ? find(configure, d->mounts[i].volume) : NULL;
        r = v ? mount_volume(p, configure, v, f) : 0;
    }
    const VolumeDefinition *layer = d->writable_volume ? find(configure, d->writable_volume) : NULL;
    return r >= 0 && layer && volume_has_disk(layer) ? mount_one(p, configure, layer, f) : r;
}

int volumes_swap(Platform *p, const AgentConfigure *configure, const ContainerDefinition *d, Failure *f)
{
    const VolumeDefinition *v = volume_find_swap(configure->volumes, configure->n_volumes);
    const AgentDisk *disk = v ? find_disk(configure, v->name) : NULL;

    if (p->swaps || d->limits.swap == 0)
        return 0;
    if (!disk)
        return failure_say(f, -EINVAL, "the pod has no swap space");
    int r = p->ops->start_swap(p, disk->disk, f);
    if (r == -ENODEV)
        return failure_say(f, r, "the disk of volume %s did not appear (SCSI id %llu)", v->name,
                           (unsigned long long)disk->disk);
    p->swaps = r >= 0;
    return r;
}

/* That it can only be read is what brings a file system in order, however many see it still. */
static int end_one(const char *path)
{
    if (mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
        return -errno;
    return umount2(path, MNT_DETACH) < 0 ? -errno : 0;
}

void volumes_end(const Platform *p, const AgentConfigure *configure)
{
    for (size_t i = 0; i < configure->n_disks; i++) {
        const VolumeDefinition *v = find(configure, configure->disks[i].volume);
        /* What is lost anyway needs no order. */
        if (v && v->type == VOLUME_SCRATCH)
            continue;
        _cleanup_(freep) char *path = volume_path(p, configure->disks[i].volume);
        int r = path && mount_is_at(path) ? end_one(path) : 0;
        if (r < 0)
            log_error_errno(r, "volume %s could not be left in order", configure->disks[i].volume);
    }
}
