/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/strings.h"
#include "guest/agent/modules.h"
#include "guest/agent/swap.h"

#define MAPPER "/dev/mapper/control"
#define NAME "swap"
#define MAGIC "SWAPSPACE2"
enum { SECTOR = 512, PAGE = 4096, KEY_SIZE = 64 /* two of AES-256, as XTS has them */ };

/* One message to the device mapper; `parameters` of a table with one target. */
typedef struct Order {
    struct dm_ioctl head;
    struct dm_target_spec target;
    char parameters[2 * KEY_SIZE + 128];
} Order;

/* How the first page of swap space begins, and ends. */
typedef struct SwapHeader {
    char boot[1024];
    uint32_t version, last_page, n_bad_pages;
    char rest[PAGE - 1024 - 12 - 10];
    char magic[sizeof MAGIC - 1];
} SwapHeader;
_Static_assert(sizeof(SwapHeader) == PAGE, "the header has no holes");

void swap_bring(void)
{
    static const char *const modules[] = { "dm-crypt", "xts" };

    /* What is missing is told by swap_start(). */
    TABLE_FOREACH (module, modules)
        (void)modules_load_more(*module);
}

static void begin_order(Order *o)
{
    *o = (Order){ .head = { .version = { DM_VERSION_MAJOR, 0, 0 },
                            .data_size = sizeof *o,
                            .data_start = offsetof(Order, target) } };
    (void)snprintf(o->head.name, sizeof o->head.name, "%s", NAME);
}

/* The kernel then forgets its copies of the message, too. */
static int fill_table(Order *o, dev_t disk, uint64_t sectors)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t key[KEY_SIZE];
    char hex[2 * KEY_SIZE + 1] = "";

    if (getrandom(key, sizeof key, 0) != sizeof key)
        return -EIO;
    for (size_t i = 0; i < sizeof key; i++) {
        hex[2 * i] = digits[key[i] >> 4];
        hex[2 * i + 1] = digits[key[i] & 0xf];
    }
    begin_order(o);
    o->head.target_count = 1;
    o->head.flags = DM_SECURE_DATA_FLAG;
    o->target.length = sectors;
    (void)snprintf(o->target.target_type, sizeof o->target.target_type, "crypt");
    (void)snprintf(o->parameters, sizeof o->parameters, "aes-xts-plain64 %s 0 %u:%u 0 1 allow_discards", hex,
                   major(disk), minor(disk));
    explicit_bzero(key, sizeof key);
    explicit_bzero(hex, sizeof hex);
    return 0;
}

static int order(int mapper, unsigned long what, Order *o)
{
    return ioctl(mapper, what, o) < 0 ? -errno : 0;
}

/* A device that reads and writes what is on the disk in clear: its path (malloc'ed). */
static int make_clear(dev_t disk, uint64_t sectors, char **ret)
{
    Order o;
    _cleanup_(closep) int mapper = file_open_at(AT_FDCWD, MAPPER, O_RDWR, 0);

    if (mapper < 0)
        return mapper;
    begin_order(&o);
    int r = order(mapper, DM_DEV_CREATE, &o);
    dev_t clear = (dev_t)o.head.dev;
    if (r >= 0)
        r = fill_table(&o, disk, sectors);
    if (r >= 0)
        r = order(mapper, DM_TABLE_LOAD, &o);
    explicit_bzero(&o, sizeof o);
    begin_order(&o);
    if (r >= 0)
        r = order(mapper, DM_DEV_SUSPEND, &o); /* without a flag: it begins */
    if (r < 0)
        return r;
    *ret = strf("/dev/dm-%u", minor(clear));
    return *ret ? 0 : -ENOMEM;
}

static int write_header(const char *path, uint64_t pages)
{
    SwapHeader h = { .version = 1, .last_page = (uint32_t)MIN(pages - 1, (uint64_t)UINT32_MAX) };
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    memcpy(h.magic, MAGIC, sizeof h.magic);
    int r = write_all(fd, &h, sizeof h);
    return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

static int disk_size(const char *path, dev_t *ret_disk, uint64_t *ret_size)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || ioctl(fd, BLKGETSIZE64, ret_size) < 0)
        return -errno;
    *ret_disk = st.st_rdev;
    return *ret_size < 16 * (uint64_t)PAGE ? -EINVAL : 0;
}

int swap_start(const char *path, Failure *f)
{
    _cleanup_(freep) char *clear = NULL;
    uint64_t size = 0;
    dev_t disk = 0;

    int r = disk_size(path, &disk, &size);
    if (r < 0)
        return failure_set(f, r, "the disk of the swap space cannot be read");
    if ((r = make_clear(disk, size / PAGE * (PAGE / SECTOR), &clear)) < 0)
        return failure_set(f, r, "swap space could not be encrypted");
    if ((r = write_header(clear, size / PAGE)) < 0)
        return failure_set(f, r, "swap space could not be made");
    return swapon(clear, SWAP_FLAG_DISCARD) < 0 ? failure_set(f, -errno, "swap space could not be used") : 0;
}
