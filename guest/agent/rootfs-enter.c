/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/socket.h"
#include "base/strings.h"
#include "guest/agent/beneath.h"
#include "guest/agent/devices.h"
#include "guest/agent/files.h"
#include "guest/agent/mounts.h"
#include "guest/agent/rootfs.h"

enum {
    PLAIN = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
    OPTIONS_MAX = 4,
};

/* In this order, each on top of what stands before it. */
static const struct {
    const char *path;
    const char *type;
    unsigned attributes;
    const char *options[OPTIONS_MAX];
} filesystems[] = {
    { "/proc", "proc", PLAIN, { NULL } },
    { "/sys", "sysfs", PLAIN | MOUNT_ATTR_RDONLY, { NULL } },
    { "/sys/fs/cgroup", "cgroup2", PLAIN | MOUNT_ATTR_RDONLY, { NULL } },
    { "/dev", "tmpfs", MOUNT_ATTR_NOSUID, { "mode=0755", "size=64k", NULL } },
    { "/dev/pts",
      "devpts",
      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
      { "ptmxmode=0666", "mode=0620", "gid=5", NULL } },
    { "/dev/mqueue", "mqueue", PLAIN, { NULL } },
};

static const struct {
    const char *name, *target;
} links[] = {
    { "ptmx", "pts/ptmx" },          { "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" },
    { "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
};

/* What of the kernel a container has no business with: hidden, or to be read only. What a kernel has not is passed over. */
static const struct {
    const char *path;
    bool hidden;
} guarded[] = {
    { "/proc/kcore", true },
    { "/proc/keys", true },
    { "/proc/latency_stats", true },
    { "/proc/timer_list", true },
    { "/proc/sched_debug", true },
    { "/proc/acpi", true },
    { "/proc/scsi", true },
    { "/sys/firmware", true },
    { "/proc/timer_stats", true },
    { "/proc/asound", true },
    { "/sys/devices/virtual/powercap", true },
    { "/proc/sys", false },
    { "/proc/sysrq-trigger", false },
    { "/proc/irq", false },
    { "/proc/bus", false },
    { "/proc/fs", false },
};

/* Those that the agent has written. */
static const char *const etc_files[] = { "hostname", "hosts", "resolv.conf" };

/* Mounts that nobody sees yet, made for a container of which no file was known then; by the table's rows. */
static int ahead[ELEMENTSOF(filesystems)];
static size_t n_ahead;

static int make_filesystem(size_t i)
{
    if (i < n_ahead)
        return take_fd(&ahead[i]);
    return mount_make(filesystems[i].type, NULL, filesystems[i].options, filesystems[i].attributes);
}

static int fill_dev(int dev)
{
    mode_t mask = umask(0);
    int r = 0;

    for (size_t i = 0; r >= 0 && i < n_device_nodes; i++) {
        const DeviceNode *node = &device_nodes[i];
        if (node->name && mknodat(dev, node->name, S_IFCHR | 0666, makedev(node->major, node->minor)) < 0)
            r = -errno;
    }
    TABLE_FOREACH (link, links)
        if (r >= 0 && symlinkat(link->target, dev, link->name) < 0)
            r = -errno;
    umask(mask);
    return r;
}

int rootfs_enter_ahead(int socket)
{
    for (size_t i = 0; i < ELEMENTSOF(filesystems); i++) {
        _cleanup_(closep) int fd = make_filesystem(i);
        int r = fd >= 0 && streq(filesystems[i].path, "/dev") ? fill_dev(fd) : fd;
        if (r < 0 || (r = packet_send(socket, "", 1, fd)) < 0)
            return r;
    }
    return 0;
}

int rootfs_enter_take(int socket)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    while (n_ahead < ELEMENTSOF(filesystems)) {
        int fd = -1;
        ssize_t n = packet_receive(socket, 1, &packet, &fd);
        if (n <= 0 || fd < 0)
            return n < 0 ? (int)n : -ECONNRESET;
        ahead[n_ahead++] = fd;
    }
    return 0;
}

static int mount_filesystem(int root, size_t i, Failure *f)
{
    const char *type = filesystems[i].type, *path = filesystems[i].path;
    bool fill = streq(path, "/dev") && n_ahead == 0;

    /* A link in the place of /proc would decide where the kernel's files end up. */
    _cleanup_(closep) int target = make_directory_beneath(root, path, BENEATH_NO_SYMLINKS);
    if (target < 0)
        return failure_set(f, target, "%s of the image cannot be mounted on", path);
    _cleanup_(closep) int fd = make_filesystem(i);
    int r = fd < 0 ? fd : fill ? fill_dev(fd) : 0;
    if (r >= 0)
        r = mount_attach(fd, target);
    return r < 0 ? failure_set(f, r, "%s could not be mounted on %s", type, path) : 0;
}

static int mount_filesystems(int root, Failure *f)
{
    for (size_t i = 0; i < ELEMENTSOF(filesystems); i++) {
        int r = mount_filesystem(root, i, f);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The guest's own node, since the filter may not let the container make one; read-only, so that its mode and owner stay. */
static int add_device(int root, const char *path, Failure *f)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISCHR(st.st_mode))
        return failure_say(f, -ENXIO, "device %s is not there: the machine's kernel has none", path);
    _cleanup_(closep) int target = make_file_beneath(root, path);
    _cleanup_(closep) int fd =
        target < 0 ? target
                   : mount_view(AT_FDCWD, path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
    int r = fd < 0 ? fd : mount_attach(fd, target);
    return r < 0 ? failure_set(f, r, "%s could not be made", path) : 0;
}

static int add_devices(int root, const ContainerDefinition *d, Failure *f)
{
    STRV_FOREACH (device, d->devices) {
        _cleanup_(freep) char *path = NULL;
        unsigned access;
        int r = device_parse(*device, &path, &access);
        if (r < 0)
            return failure_set(f, r, "device %s", *device);
        if ((r = add_device(root, path, f)) < 0)
            return r;
    }
    return 0;
}

/* One for the whole pod, as its communication between processes is. */
static int mount_shm(const Platform *p, int root, Failure *f)
{
    _cleanup_(freep) char *source = strf("%s/shm", p->run);
    _cleanup_(closep) int target = make_directory_beneath(root, "/dev/shm", BENEATH_NO_SYMLINKS);
    _cleanup_(closep) int fd = !source ? -ENOMEM : target < 0 ? target : mount_view(AT_FDCWD, source, PLAIN);
    int r = fd < 0 ? fd : mount_attach(fd, target);
    return r < 0 ? failure_set(f, r, "/dev/shm could not be mounted") : 0;
}

static int guard_path(int root, const char *path, bool hidden)
{
    static const char *const options[] = { "mode=0555", "size=0", NULL };
    struct stat st;

    _cleanup_(closep) int target = open_beneath(root, path, O_PATH, BENEATH_NO_SYMLINKS);
    if (target == -ENOENT)
        return 0;
    if (target < 0 || fstat(target, &st) < 0)
        return target < 0 ? target : -errno;
    _cleanup_(closep) int null = open_beneath(root, "/dev/null", O_PATH, BENEATH_NO_SYMLINKS);
    _cleanup_(closep) int fd = !hidden ? mount_view(target, "", MOUNT_ATTR_RDONLY | PLAIN)
                               : S_ISDIR(st.st_mode)
                                   ? mount_make("tmpfs", NULL, options, MOUNT_ATTR_RDONLY | PLAIN)
                                   : mount_view(null, "", 0);
    return fd < 0 ? fd : mount_attach(fd, target);
}

static int guard_paths(int root, Failure *f)
{
    TABLE_FOREACH (guard, guarded) {
        int r = guard_path(root, guard->path, guard->hidden);
        if (r < 0)
            return failure_set(f, r, "%s could not be guarded", guard->path);
    }
    return 0;
}

/* A link that leads nowhere, as /etc/resolv.conf is in many images, gives way; the image itself keeps it. */
static int etc_target(int root, const char *path, const char *name)
{
    int fd = make_file_beneath(root, path);

    if (fd != -EEXIST)
        return fd;
    _cleanup_(closep) int etc = open_beneath(root, "/etc", O_PATH | O_DIRECTORY, 0);
    if (etc < 0)
        return etc;
    return unlinkat(etc, name, 0) < 0 ? -errno : make_file_beneath(root, path);
}

static int mount_etc(const Platform *p, int root, Failure *f)
{
    TABLE_FOREACH (name, etc_files) {
        _cleanup_(freep) char *source = strf("%s/etc/%s", p->run, *name);
        _cleanup_(freep) char *path = strf("/etc/%s", *name);
        if (!source || !path)
            return failure_set(f, -ENOMEM, "/etc could not be filled");
        if (access(source, F_OK) < 0)
            continue;
        _cleanup_(closep) int target = etc_target(root, path, *name);
        _cleanup_(closep) int fd =
            target < 0 ? target : mount_view(AT_FDCWD, source, PLAIN | MOUNT_ATTR_RDONLY);
        int r = fd < 0 ? fd : mount_attach(fd, target);
        if (r < 0)
            return failure_set(f, r, "%s could not be mounted", path);
    }
    return 0;
}

static int mount_volumes(const Platform *p, const ContainerDefinition *d, int root, Failure *f)
{
    for (size_t i = 0; i < d->n_mounts; i++) {
        const MountDefinition *mount = &d->mounts[i];
        if (!mount->volume)
            continue;
        _cleanup_(freep) char *source = strf("%s/volumes/%s", p->run, mount->volume);
        if (!source)
            return failure_set(f, -ENOMEM, "volume %s could not be mounted", mount->volume);
        unsigned attributes =
            MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (mount->read_only ? MOUNT_ATTR_RDONLY : 0);
        _cleanup_(closep) int target = make_directory_beneath(root, mount->path, 0);
        _cleanup_(closep) int fd = target < 0 ? target : mount_view(AT_FDCWD, source, attributes);
        int r = fd < 0 ? fd : mount_attach(fd, target);
        if (r < 0)
            return failure_set(f, r, "volume %s could not be mounted on %s", mount->volume, mount->path);
    }
    return 0;
}

static int make_working_dir(const AgentContainer *c, int root, Failure *f)
{
    if (str_empty(c->working_dir))
        return 0;
    _cleanup_(closep) int fd = make_directory_beneath(root, c->working_dir, 0);
    return fd < 0 ? failure_set(f, fd, "working directory %s", c->working_dir) : 0;
}

/* The old root ends up under the new one and is then taken away, with all that the agent has mounted. */
static int change_root(int root)
{
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return -errno;
    return 0;
}

int rootfs_enter(const Platform *p, const AgentContainer *c, Failure *f)
{
    _cleanup_(freep) char *dir = rootfs_container_dir(p, c);
    _cleanup_(freep) char *path = dir ? strf("%s/root", dir) : NULL;
    if (!path)
        return failure_set(f, -ENOMEM, "the root directory could not be entered");
    /* Nothing that is mounted from here on may show outside. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return failure_set(f, -errno, "the mount namespace could not be made private");
    _cleanup_(closep) int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return failure_set(f, -errno, "the root directory could not be opened");

    int r = mount_filesystems(root, f);
    if (r >= 0)
        r = add_devices(root, &c->definition, f);
    if (r >= 0)
        r = mount_shm(p, root, f);
    if (r >= 0)
        r = guard_paths(root, f);
    if (r >= 0)
        r = mount_etc(p, root, f);
    if (r >= 0)
        r = mount_volumes(p, &c->definition, root, f);
    if (r >= 0)
        r = files_mount(p, &c->definition, root, f);
    if (r >= 0)
        r = make_working_dir(c, root, f);
    if (r < 0)
        return r;
    if (c->definition.read_only && (r = mount_set(root, MOUNT_ATTR_RDONLY)) < 0)
        return failure_set(f, r, "the root directory could not be made read-only");
    r = change_root(root);
    return r < 0 ? failure_set(f, r, "the root directory could not be entered") : 0;
}
