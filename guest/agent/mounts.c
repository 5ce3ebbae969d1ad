/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/agent/mounts.h"

static int configure(int fs, const char *option)
{
    char key[32];
    const char *equals = strchr(option, '=');
    size_t n = equals ? (size_t)(equals - option) : strlen(option);

    if (n >= sizeof key)
        return -EINVAL;
    memcpy(key, option, n);
    key[n] = 0;
    int r = equals ? fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0)
                   : fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
    return r < 0 ? -errno : 0;
}

int mount_make(const char *type, const char *source, const char *const *options, unsigned attributes)
{
    _cleanup_(closep) int fs = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source ?: type, 0) < 0)
        return -errno;
    for (; options && *options; options++) {
        int r = configure(fs, *options);
        if (r < 0)
            return r;
    }
    /* The superblock itself too, where the device can only be read. */
    if ((attributes & MOUNT_ATTR_RDONLY) && source && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
        return -errno;
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
    return fd < 0 ? -errno : fd;
}

int mount_view(int dir, const char *path, unsigned attributes)
{
    _cleanup_(closep) int fd =
        open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH));
    if (fd < 0)
        return -errno;
    int r = attributes ? mount_set(fd, attributes) : 0;
    return r < 0 ? r : take_fd(&fd);
}

int mount_attach(int mount, int target)
{
    return move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno
                                                                                                    : 0;
}

int mount_at(const char *type, const char *source, const char *const *options, unsigned attributes,
             const char *target)
{
    _cleanup_(closep) int fd = mount_make(type, source, options, attributes);
    if (fd < 0)
        return fd;
    return move_mount(fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

int mount_set(int mount, unsigned attributes)
{
    struct mount_attr attr = { .attr_set = attributes };
    return mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0 ? -errno : 0;
}

bool mount_is_at(const char *path)
{
    struct statx here;

    /* Not by asking whoever has the file system, who may be the host. */
    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, 0, &here) == 0 &&
           (here.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}
