/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "base/file.h"
#include "base/strings.h"
#include "guest/agent/cgroup.h"
#include "guest/agent/mounts.h"
#include "guest/agent/network.h"
#include "guest/agent/rootfs.h"
#include "guest/agent/volumes.h"

/* The file that is there stays the same one, since containers have it mounted; and is never seen empty. */
static int write_file(const char *dir, const char *name, const char *text)
{
    _cleanup_(freep) char *path = text ? strf("%s/%s", dir, name) : NULL;
    off_t size = text ? (off_t)strlen(text) : 0;
    struct stat st;

    if (!path)
        return -ENOMEM;
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    int r = write_all(fd, text, (size_t)size);
    return r >= 0 && st.st_size > size && ftruncate(fd, size) < 0 ? -errno : r;
}

/* Takes text; NULL: no memory. */
static char *add_hosts(char *text, char *const *hosts)
{
    for (size_t i = 0; hosts && hosts[i]; i++) {
        _cleanup_(freep) char *before = text;
        size_t name = strcspn(hosts[i], ":");
        text = before && hosts[i][name]
                   ? strf("%s%s\t%.*s\n", before, hosts[i] + name + 1, (int)name, hosts[i])
                   : NULL;
    }
    return text;
}

/* A pod with a network goes by its address there; its name must not lead others of its programs to loopback alone. */
static char *hosts_text(const AgentNetwork *n, const char *hostname, char *const *peers)
{
    static const char rest[] = "::1\tlocalhost ip6-localhost ip6-loopback\n";
    const char *address = n->addresses ? n->addresses[0] : NULL;

    char *text = !network_is_wanted(n) || !address ? strf("127.0.0.1\tlocalhost %s\n%s", hostname, rest)
                                                   : strf("127.0.0.1\tlocalhost\n%s%.*s\t%s\n", rest,
                                                          (int)strcspn(address, "/"), address, hostname);
    text = add_hosts(text, n->hosts);
    return text ? add_hosts(text, peers) : NULL;
}

/* Without a network there are no servers of names either, and an image keeps the file that it has. */
static int write_resolv_conf(const char *dir, const AgentNetwork *n)
{
    _cleanup_(freep) char *text = NULL;

    if (!network_is_wanted(n))
        return 0;
    text = network_resolv_conf(n);
    return write_file(dir, "resolv.conf", text);
}

int rootfs_name_hosts(const Platform *p, const AgentConfigure *configure, char *const *peers)
{
    _cleanup_(freep) char *dir = strf("%s/etc", p->run);
    _cleanup_(freep) char *text = hosts_text(&configure->network, configure->hostname ?: "localhost", peers);

    return dir && text ? write_file(dir, "hosts", text) : -ENOMEM;
}

int rootfs_write_network(const Platform *p, const AgentConfigure *configure)
{
    _cleanup_(freep) char *dir = strf("%s/etc", p->run);

    int r = dir ? rootfs_name_hosts(p, configure, configure->network.peers) : -ENOMEM;
    return r < 0 ? r : write_resolv_conf(dir, &configure->network);
}

static int write_etc(const Platform *p, const AgentConfigure *configure)
{
    _cleanup_(freep) char *dir = strf("%s/etc", p->run);
    _cleanup_(freep) char *name = strf("%s\n", configure->hostname ?: "localhost");

    int r = dir ? dir_make_path(dir, 0755) : -ENOMEM;
    if (r >= 0)
        r = write_file(dir, "hostname", name);
    return r < 0 ? r : rootfs_write_network(p, configure);
}

static uint64_t memory_of_containers(const Platform *p)
{
    struct sysinfo info;
    uint64_t max = p->ahead.memory ?: cgroup_memory_max(p->cgroup);

    return max != SIZE_INFINITY || sysinfo(&info) < 0 ? max : (uint64_t)info.totalram * info.mem_unit;
}

static bool layer_is_memory(const ContainerDefinition *d)
{
    return !d->writable_volume;
}

/*
 * Files in memory are not given back by a kill, so they must not take all of it: at most half of the container's limit, and half of
 * the pod's memory for all containers that have no limit.
 */
void rootfs_decide_sizes(const Platform *p, AgentConfigure *configure)
{
    uint64_t sharers = 0, memory = memory_of_containers(p);

    if (configure->shm_size == 0)
        configure->shm_size = MIN(UINT64_C(64) << 20, memory / 4);
    for (size_t i = 0; i < configure->n_containers; i++)
        sharers += layer_is_memory(&configure->containers[i].definition) &&
                   configure->containers[i].definition.limits.memory == SIZE_INFINITY;
    for (size_t i = 0; i < configure->n_containers; i++) {
        ContainerDefinition *d = &configure->containers[i].definition;
        if (d->writable_size == 0 && layer_is_memory(d))
            d->writable_size =
                d->limits.memory == SIZE_INFINITY ? memory / 2 / sharers : d->limits.memory / 2;
        d->writable_size = MAX(d->writable_size, UINT64_C(65536));
    }
}

int rootfs_prepare(const Platform *p, const AgentConfigure *configure, Failure *f)
{
    int r = volumes_make(p, configure, f);
    if (r < 0)
        return r;
    r = write_etc(p, configure);
    return r < 0 ? failure_set(f, r, "the pod's files could not be written") : 0;
}

/* A tmpfs that was mounted ahead gets another size than it was to have. */
static int change_size(const char *path, const char *options)
{
    return mount(NULL, path, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, options) < 0 ? -errno : 0;
}

static int make_shm(const Platform *p, uint64_t bytes)
{
    _cleanup_(freep) char *path = strf("%s/shm", p->run);
    _cleanup_(freep) char *size = strf("size=%llu", (unsigned long long)bytes);

    if (!path || !size)
        return -ENOMEM;
    int r = dir_make_path(path, 0755);
    const char *const options[] = { "mode=1777", size, NULL };
    if (r < 0 || bytes == p->ahead.shm)
        return r;
    if (!mount_is_at(path))
        return mount_at("tmpfs", NULL, options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, path);
    return p->ahead.shm ? change_size(path, size) : 0;
}

/* The name of what a template made for a container; none can be called so. */
#define FIRST ".first"

static bool is_ahead(const Platform *p, const AgentContainer *c)
{
    return p->first && streq(p->first, c->definition.name);
}

char *rootfs_container_dir(const Platform *p, const AgentContainer *c)
{
    return strf("%s/containers/%s", p->run, is_ahead(p, c) ? FIRST : c->definition.name);
}

static int make_image(Platform *p, uint64_t disk, Failure *f)
{
    _cleanup_(freep) char *path = strf("%s/images/%llu", p->run, (unsigned long long)disk);
    int r = path ? dir_make_path(path, 0755) : -ENOMEM;

    if (r >= 0 && !mount_is_at(path))
        r = p->ops->mount_image(p, disk, path);
    return r < 0 ? failure_set(f, r, "the image could not be mounted") : 0;
}

static int mount_layer_of_memory(const Platform *p, const AgentContainer *c, const char *layer)
{
    unsigned long long bytes = c->definition.writable_size;
    _cleanup_(freep) char *size = strf("size=%llu", bytes);
    /* Files that are empty hold memory, too: about as much as a page holds. */
    _cleanup_(freep) char *inodes = strf("nr_inodes=%llu", MAX(bytes / 4096, 256ULL));

    if (!size || !inodes)
        return -ENOMEM;
    const char *const options[] = { "mode=0755", size, inodes, NULL };
    if (!is_ahead(p, c))
        return mount_at("tmpfs", NULL, options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, layer);
    _cleanup_(freep) char *both = strf("%s,%s", size, inodes);
    return bytes == p->ahead.layer ? 0 : both ? change_size(layer, both) : -ENOMEM;
}

/* The volume is there: volumes_mount() came before. */
static int mount_layer_of_scratch(const Platform *p, const AgentContainer *c, const char *layer)
{
    _cleanup_(freep) char *source =
        strf("%s/scratch/%s/layers/%s", p->run, c->definition.writable_volume, c->definition.name);
    int r = !source                                                      ? -ENOMEM
            : is_ahead(p, c) && umount2(layer, 0) < 0 && errno != EINVAL ? -errno
                                                                         : dir_make_path(source, 0755);
    _cleanup_(closep) int fd = r < 0 ? r : mount_view(AT_FDCWD, source, 0);

    if (fd < 0)
        return fd;
    return move_mount(fd, "", AT_FDCWD, layer, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

static int make_layer(const Platform *p, const char *dir, const AgentContainer *c)
{
    _cleanup_(freep) char *layer = strf("%s/layer", dir);
    _cleanup_(freep) char *upper = strf("%s/layer/upper", dir);
    _cleanup_(freep) char *work = strf("%s/layer/work", dir);

    if (!layer || !upper || !work)
        return -ENOMEM;
    int r = dir_make_path(layer, 0755);
    if (r >= 0)
        r = layer_is_memory(&c->definition) ? mount_layer_of_memory(p, c, layer)
                                            : mount_layer_of_scratch(p, c, layer);
    if (r >= 0)
        r = dir_make_path(upper, 0755);
    return r < 0 ? r : dir_make_path(work, 0755);
}

static int make_overlay(const Platform *p, const char *dir, const AgentContainer *c)
{
    _cleanup_(freep) char *root = strf("%s/root", dir);
    _cleanup_(freep) char *options =
        strf("lowerdir=%s/images/%llu,upperdir=%s/layer/upper,workdir=%s/layer/work", p->run,
             (unsigned long long)c->disk, dir, dir);
    int r = root && options ? dir_make_path(root, 0755) : -ENOMEM;

    if (r < 0)
        return r;
    return mount("overlay", root, "overlay", MS_NODEV, options) < 0 ? -errno : 0;
}

int rootfs_make_ahead(Platform *p, AgentConfigure *usual)
{
    _cleanup_(freep) char *etc = strf("%s/etc", p->run);
    _cleanup_(freep) char *image = strf("%s/images/0", p->run);
    _cleanup_(freep) char *dir = strf("%s/containers/" FIRST, p->run);
    _cleanup_(freep) char *root = strf("%s/containers/" FIRST "/root", p->run);

    if (!etc || !image || !dir || !root)
        return -ENOMEM;
    if (p->ahead.layer)
        return 0;
    p->ahead.memory = memory_of_containers(p);
    rootfs_decide_sizes(p, usual);
    int r = dir_make_path(etc, 0755);
    /* With a byte each, so that there is memory for more of them. */
    if (r >= 0)
        r = write_file(etc, "hostname", "\n");
    if (r >= 0)
        r = write_file(etc, "hosts", "\n");
    if (r >= 0)
        r = dir_make_path(image, 0755);
    if (r < 0 || (r = make_shm(p, usual->shm_size)) < 0)
        return r;
    p->ahead.shm = usual->shm_size;
    if ((r = make_layer(p, dir, &usual->containers[0])) >= 0)
        r = dir_make_path(root, 0755);
    if (r >= 0)
        p->ahead.layer = usual->containers[0].definition.writable_size;
    return MIN(r, 0);
}

int rootfs_make(Platform *p, const AgentConfigure *configure, const AgentContainer *c, Failure *f)
{
    if (p->ahead.layer && c == configure->containers)
        p->first = c->definition.name;
    _cleanup_(freep) char *dir = rootfs_container_dir(p, c);
    _cleanup_(freep) char *root = dir ? strf("%s/root", dir) : NULL;

    if (!root)
        return failure_set(f, -ENOMEM, "the root directory could not be made");
    if (mount_is_at(root))
        return 0;
    int r = make_image(p, c->disk, f);
    if (r < 0)
        return r;
    if ((r = make_shm(p, configure->shm_size)) < 0)
        return failure_set(f, r, "/dev/shm could not be made");
    if ((r = make_layer(p, dir, c)) >= 0)
        r = make_overlay(p, dir, c);
    return r < 0 ? failure_set(f, r, "the root directory could not be made") : 0;
}
