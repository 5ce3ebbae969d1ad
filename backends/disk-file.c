/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backends/disk-file.h"
#include "base/file.h"
#include "base/lock-holders.h"
#include "base/strings.h"

/* The beginning of an image of QEMU's, as far as it matters here; numbers are big-endian. */
typedef struct Qcow2Header {
    char magic[4];
    uint32_t version;
    uint64_t backing_file;
    uint8_t between[56];
    uint64_t incompatible;
} Qcow2Header;
_Static_assert(offsetof(Qcow2Header, incompatible) == 72, "the header has no holes");

#define QCOW2_MAGIC "QFI\xfb"
enum {
    QCOW2_VERSION_FEATURES = 3,   /* the first one with feature bits */
    QCOW2_EXTERNAL_DATA = 1 << 2, /* of the incompatible ones */
    SECTOR = 512,
};

/* What is wrong with it: static words, or NULL. */
static const char *object_to_qcow2(const Qcow2Header *h, size_t size)
{
    if (size < sizeof *h || memcmp(h->magic, QCOW2_MAGIC, sizeof h->magic) != 0)
        return "its format is \"qcow2\", and it does not begin as such an image does";
    if (h->backing_file != 0)
        return "it is made on top of another image, which no pod may have (`qemu-img rebase -b \"\"` makes "
               "it whole)";
    if (be32toh(h->version) >= QCOW2_VERSION_FEATURES && (be64toh(h->incompatible) & QCOW2_EXTERNAL_DATA))
        return "it keeps its data in another file, which no pod may have";
    return NULL;
}

static const char *object_to_raw(const Qcow2Header *h, size_t size)
{
    return size >= sizeof h->magic && memcmp(h->magic, QCOW2_MAGIC, sizeof h->magic) == 0
               ? "its format is \"raw\", and it begins as an image of format \"qcow2\" does"
               : NULL;
}

static const char *(*const objections[])(const Qcow2Header *h, size_t size) = {
    [DISK_RAW] = object_to_raw,
    [DISK_QCOW2] = object_to_qcow2,
};
_Static_assert(ELEMENTSOF(objections) == DISK_FORMAT_MAX, "a format has no row");

static const char *object_to_content(int fd, DiskFormat format)
{
    Qcow2Header h = { .version = 0 };

    ssize_t n = pread(fd, &h, sizeof h, 0);
    return n < 0 ? strerror(errno) : objections[format](&h, (size_t)n);
}

static const char *object_to_kind(const struct stat *st, DiskFormat format)
{
    if (S_ISBLK(st->st_mode))
        return format == DISK_RAW ? NULL : "it is a block device, whose format can only be \"raw\"";
    if (!S_ISREG(st->st_mode))
        return "it is neither a file nor a block device";
    if (st->st_size == 0)
        return "it is empty (make = true makes a disk only where there is no file)";
    return format == DISK_RAW && st->st_size % SECTOR != 0 ? "its size is not a multiple of 512 bytes" : NULL;
}

/* As QEMU will find out by itself, but does not say as well. */
static const char *object_to_users(int fd, bool read_only)
{
    int r = disk_is_used(fd, read_only);

    return r < 0 ? strerror(-r) : r > 0 ? "another process uses it" : NULL;
}

static const char *object(int fd, const VolumeDefinition *v, bool ours, bool *ret_device)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return strerror(errno);
    /* Whoever opened it for both could let it be written. */
    if (volume_is_read_only(v) && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
        return "it is read-only, and was opened for writing";
    *ret_device = S_ISBLK(st.st_mode);
    const char *why = object_to_kind(&st, v->format);
    if (!why)
        why = object_to_content(fd, v->format);
    return why || ours ? why : object_to_users(fd, volume_is_read_only(v));
}

static int descriptor(const BackendContext *context, const RunDisk *disk, bool read_only)
{
    _cleanup_(freep) char *name = run_disk_name(disk);

    if (!name)
        return -ENOMEM;
    int fd = backend_boot_file_open(context, name, NULL);
    return fd == -ENOENT ? run_disk_open(disk, read_only) : fd;
}

int disk_file_open(const BackendContext *context, const RunDisk *disk, bool ours, DiskFile *ret,
                   char **ret_message)
{
    DiskFile d = { .fd = -1 };
    const VolumeDefinition *v = run_disk_volume(context->definition, disk, &d.id);
    _cleanup_(freep) char *path = run_disk_path(disk);

    if (!v)
        return -EINVAL;
    d.read_only = volume_is_read_only(v);
    d.format = v->format;
    d.scratch = volume_is_of_machine(v);
    _cleanup_(closep) int fd = descriptor(context, disk, d.read_only);
    const char *why = fd < 0 ? strerror(-fd) : object(fd, v, ours, &d.device);
    if (why) {
        *ret_message = strf("the disk of volume %s cannot be used: %s: %s", v->name, path ?: "?", why);
        return fd < 0 ? fd : -EINVAL;
    }
    d.fd = take_fd(&fd);
    *ret = d;
    return 0;
}
