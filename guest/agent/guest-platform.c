/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "guest/agent/guest-platform.h"
#include "guest/agent/mounts.h"
#include "guest/agent/modules.h"
#include "guest/agent/network.h"
#include "guest/agent/rehearsal.h"
#include "guest/agent/swap.h"
#include "schemas/agent.h"
#include "schemas/device.h"

#define PORTS "/sys/class/virtio-ports"
#define SCSI_SCAN "/sys/class/scsi_host/host0/scan"

#define CLOCK_SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

/* What a template has found out for its copies. */
static struct {
    int random;        /* -1: not opened */
    char *first_image; /* of which there is one in each machine; NULL: not looked for */
} prepared = { .random = -1 };

/* The next entry that is no dot file; NULL at the end. */
static const char *next_name(DIR *d)
{
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            return e->d_name;
    return NULL;
}

static bool port_is_ours(const char *name)
{
    _cleanup_(freep) char *path = strf(PORTS "/%s/name", name);
    _cleanup_(closep) int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char text[64];

    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return streq(text, AGENT_PORT_NAME);
}

int guest_open_port(void)
{
    _cleanup_(closedirp) DIR *d = opendir(PORTS);

    for (const char *name; d && (name = next_name(d));) {
        if (!port_is_ours(name))
            continue;
        _cleanup_(freep) char *path = strf("/dev/%s", name);
        int fd = path ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
        if (fd >= 0)
            return fd;
    }
    return -ENODEV;
}

/* Disks get their letters in the order in which they come; only the SCSI id says which is which. */
static char *disk_path(uint64_t disk)
{
    _cleanup_(freep) char *blocks = strf("/sys/bus/scsi/devices/0:0:%llu:0/block", (unsigned long long)disk);
    _cleanup_(closedirp) DIR *d = blocks ? opendir(blocks) : NULL;
    const char *name = d ? next_name(d) : NULL;

    return name ? strf("/dev/%s", name) : NULL;
}

/* A copy's disks were there before it was woken, and nobody tells it of them. */
static void scan_for_disk(uint64_t disk)
{
    _cleanup_(freep) char *place = strf("0 %llu 0", (unsigned long long)disk);
    _cleanup_(closep) int fd = open(SCSI_SCAN, O_WRONLY | O_CLOEXEC);

    if (!place || fd < 0 || write_all(fd, place, strlen(place)) < 0)
        log_error_errno(-errno, "disk %llu could not be looked for", (unsigned long long)disk);
}

/* NULL: it is not there (yet). */
static char *find_disk(const Platform *p, uint64_t disk)
{
    char *path = disk == 0 && prepared.first_image ? strdup(prepared.first_image) : disk_path(disk);

    if (path || !p->template)
        return path;
    scan_for_disk(disk);
    return disk_path(disk);
}

/* One that comes has a name before it can be opened; when it can, the kernel tells of it. */
static int come_yet(int r)
{
    return r == -ENXIO || r == -ENOENT ? -ENODEV : r;
}

/*
 * Programs are read a piece here and a piece there, and each request to the host costs more than the megabyte around it that is fetched as
 * well: where the processor is emulated, eight times the kernel's own 128 kB saves 2 to 3 % of a copy's start.
 */
static void read_far_ahead(const char *path)
{
    static const char kilobytes[] = "1024";
    _cleanup_(freep) char *file = strf("/sys/class/block/%s/queue/read_ahead_kb", path + strlen("/dev/"));
    _cleanup_(closep) int fd = file ? open(file, O_WRONLY | O_CLOEXEC) : -ENOMEM;

    if (fd < 0 || write_all(fd, kilobytes, strlen(kilobytes)) < 0)
        log_error_errno(-errno, "%s is read in small pieces", path);
}

static int mount_image(Platform *p, uint64_t disk, const char *target)
{
    _cleanup_(freep) char *path = find_disk(p, disk);

    if (!path)
        return -ENODEV;
    if (disk > 0 || !prepared.first_image)
        read_far_ahead(path);
    return come_yet(mount_at("erofs", path, NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, target));
}

/* A disk that fails is not written to any more, so that what is on it does not get worse. */
static const char *const ext4_options[] = { "errors=remount-ro", NULL };

static const struct {
    const char *type;
    const char *const *options;
} filesystems[] = {
    [DISK_EXT4] = { "ext4", ext4_options },
    [DISK_EROFS] = { "erofs", NULL },
};
_Static_assert(ELEMENTSOF(filesystems) == DISK_FILESYSTEM_MAX, "a file system has no row");

/* What is removed is the host's again; nothing is written there before a container writes it. */
static const char *const scratch_options[] = { "errors=remount-ro", "discard", "noinit_itable", NULL };

static int mount_disk(Platform *p, uint64_t disk, const VolumeDefinition *volume, const char *target)
{
    DiskFilesystem filesystem = volume_filesystem(volume);
    const char *const *options =
        volume->type == VOLUME_SCRATCH ? scratch_options : filesystems[filesystem].options;
    _cleanup_(freep) char *path = find_disk(p, disk);
    unsigned attributes =
        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (volume_is_read_only(volume) ? MOUNT_ATTR_RDONLY : 0);

    if (!path)
        return -ENODEV;
    return come_yet(mount_at(filesystems[filesystem].type, path, options, attributes, target));
}

static int mount_share(Platform *p, const char *tag, const VolumeDefinition *volume, const char *target)
{
    unsigned read_only = volume_is_read_only(volume) ? MOUNT_ATTR_RDONLY : 0;

    return mount_at("virtiofs", tag, NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | read_only, target);
}

static void step_clock(Platform *p, int64_t step)
{
    usec_t now = now_usec(CLOCK_REALTIME);
    usec_t time = step < 0 ? usec_sub(now, -(usec_t)step) : usec_add(now, (usec_t)step);
    struct timespec to = { .tv_sec = (time_t)(time / USEC_PER_SEC),
                           .tv_nsec = (long)(time % USEC_PER_SEC) * 1000 };

    if (clock_settime(CLOCK_REALTIME, &to) < 0)
        log_error_errno(-errno, "the clock could not be set");
}

static int set_hostname(Platform *p, const char *name)
{
    return sethostname(name, strlen(name)) < 0 ? -errno : 0;
}

static int set_sysctl(Platform *p, const char *path, const char *value)
{
    _cleanup_(freep) char *file = strf("/proc/sys/%s", path);
    _cleanup_(closep) int fd = file ? open(file, O_WRONLY | O_CLOEXEC) : -1;

    if (!file)
        return -ENOMEM;
    return fd < 0 ? -errno : write_all(fd, value, strlen(value));
}

/* Whoever has it is the filter's business (devices.h), so the node itself is for all. */
static int bring_device(Platform *p, const char *path)
{
    enum { FOR_ALL = 0666 };
    const Device *device = device_find(path);
    int r = device && device->module ? modules_load_more(device->module) : 0;

    if (r < 0)
        return r;
    return chmod(path, FOR_ALL) < 0 ? -errno : 0;
}

/* A kernel that has it built in has no such module. */
static void bring_shares(Platform *p)
{
    (void)modules_load_more("virtiofs");
}

static void bring_swap(Platform *p)
{
    swap_bring();
}

static int start_swap(Platform *p, uint64_t disk, Failure *f)
{
    _cleanup_(freep) char *path = find_disk(p, disk);
    _cleanup_(closep) int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    return !path || (fd < 0 && come_yet(-errno) == -ENODEV) ? -ENODEV : swap_start(path, f);
}

static void close_kernel(Platform *p)
{
    modules_forget();
}

static int set_network(Platform *p, const AgentNetwork *network, Failure *f)
{
    if (p->template)
        network_take_address(network->mac);
    return network_apply(network, f);
}

static int open_random(void)
{
    return open("/dev/urandom", O_RDWR | O_CLOEXEC);
}

static int add_entropy(Platform *p, const void *data, size_t size)
{
    enum { SIZE_MAX_USED = 512 };
    union {
        struct rand_pool_info info;
        uint8_t bytes[sizeof(struct rand_pool_info) + SIZE_MAX_USED];
    } pool = { 0 };

    size = MIN(size, (size_t)SIZE_MAX_USED);
    pool.info.entropy_count = (int)size * 8;
    pool.info.buf_size = (int)size;
    memcpy(pool.bytes + sizeof pool.info, data, size);
    int fd = prepared.random >= 0 ? take_fd(&prepared.random) : open_random();
    int r = fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0 ? -errno : 0;
    explicit_bzero(&pool, sizeof pool);
    safe_close(fd);
    return r;
}

static void prepare(Platform *p)
{
    (void)rehearse(p, "/proc/self/exe");
    safe_close(prepared.random);
    prepared.random = open_random();
    free(prepared.first_image);
    prepared.first_image = disk_path(0);
    if (prepared.first_image)
        read_far_ahead(prepared.first_image);
}

static void power_off(Platform *p)
{
    sync();
    if (reboot(RB_POWER_OFF) < 0)
        log_error_errno(-errno, "the power could not be turned off");
}

/* It measures the processor's clock, for a second or two, and then goes over to it: with a halt of everything, and code that is patched. */
static bool has_settled(Platform *p)
{
    _cleanup_(closep) int fd = open(CLOCK_SOURCE, O_RDONLY | O_CLOEXEC);
    char name[32];

    ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof name - 1);
    if (n <= 0)
        return true;
    name[n] = 0;
    return !str_after(name, "tsc-early") && !str_after(name, "refined-jiffies");
}

const PlatformOps guest_platform_ops = {
    .mount_image = mount_image,
    .mount_disk = mount_disk,
    .mount_share = mount_share,
    .step_clock = step_clock,
    .set_hostname = set_hostname,
    .set_sysctl = set_sysctl,
    .bring_device = bring_device,
    .bring_swap = bring_swap,
    .bring_shares = bring_shares,
    .start_swap = start_swap,
    .close_kernel = close_kernel,
    .set_network = set_network,
    .add_entropy = add_entropy,
    .prepare = prepare,
    .has_settled = has_settled,
    .power_off = power_off,
};
