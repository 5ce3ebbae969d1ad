/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "images/import-source.h"
#include "images/oci-layout.h"
#include "images/store-internal.h"

#define MAGIC(bytes) .magic = (bytes), .magic_size = sizeof(bytes) - 1

static const Compression compressions[] = {
    { "--gzip", "gzip", "gzip", MAGIC("\x1f\x8b") },
    { "--bzip2", "bzip2", "bzip2", MAGIC("BZh") },
    { "--xz", "xz", "xz-utils",
      MAGIC("\xfd"
            "7zXZ\0") },
    { "--zstd", "zstd", "zstd", MAGIC("\x28\xb5\x2f\xfd") },
};

/* Things that people take for images of containers, and what to do about it. */
static const struct {
    off_t offset;
    const char *magic;
    size_t magic_size;
    const char *what;
} strangers[] = {
    { 0,
      MAGIC("\x7f"
            "ELF"),
      "a program; put it into a directory and import that" },
    { 0, MAGIC("QFI\xfb"), "a qcow2 disk; podvisor runs images of containers" },
    { 0, MAGIC("hsqs"), "a squashfs file; unpack it with unsquashfs and import the directory" },
    { 0, MAGIC("PK\3\4"), "a zip archive; unpack it and import the directory" },
    { 1024, MAGIC("\xe2\xe1\xf5\xe0"),
      "an erofs file; unpack it with `fsck.erofs --extract` and import the directory" },
    { 32769, MAGIC("CD001"), "an ISO image; podvisor runs images of containers" },
};

enum { TAR_BLOCK = 512, TAR_SUM_AT = 148, TAR_SUM_SIZE = 8 };

typedef enum TarGuess {
    TAR_NOT,
    TAR_EMPTY, /* nothing but zeros: an archive without members, or something else that begins so */
    TAR_SURE,
} TarGuess;

/* By the checksum that each header of tar has had since its first version. */
static TarGuess guess_tar(int fd)
{
    unsigned char block[TAR_BLOCK];
    unsigned long sum = 0, recorded = 0;
    bool empty = true;

    if (pread(fd, block, sizeof block, 0) != sizeof block)
        return TAR_NOT;
    for (size_t i = 0; i < sizeof block; i++) {
        bool in_sum = i >= TAR_SUM_AT && i < TAR_SUM_AT + TAR_SUM_SIZE;
        sum += in_sum ? ' ' : block[i];
        recorded = in_sum && block[i] >= '0' && block[i] <= '7' ? recorded * 8 + (block[i] - '0') : recorded;
        empty = empty && block[i] == 0;
    }
    return empty ? TAR_EMPTY : sum == recorded ? TAR_SURE : TAR_NOT;
}

static bool has_magic(int fd, off_t offset, const char *magic, size_t size)
{
    char bytes[8];

    return size <= sizeof bytes && pread(fd, bytes, size, offset) == (ssize_t)size &&
           memcmp(bytes, magic, size) == 0;
}

static int inspect_file(const char *path, ImportSource *source, char **ret_error)
{
    if (source->size == 0)
        return image_fail(ret_error, -EBADMSG, "\"%s\" is not an image: the file is empty", path);
    source->kind = SOURCE_ARCHIVE;
    TABLE_FOREACH (row, compressions)
        if (has_magic(source->fd, 0, row->magic, row->magic_size)) {
            source->compression = row;
            return 0;
        }
    TarGuess tar = guess_tar(source->fd);
    if (tar == TAR_SURE)
        return 0;
    TABLE_FOREACH (row, strangers)
        if (has_magic(source->fd, row->offset, row->magic, row->magic_size))
            return image_fail(ret_error, -EBADMSG, "\"%s\" is not an image but %s", path, row->what);
    if (tar == TAR_EMPTY)
        return 0;
    return image_fail(ret_error, -EBADMSG,
                      "\"%s\" is not an image: neither a directory, nor a tar archive, nor an OCI layout",
                      path);
}

int import_source_open(const char *path, ImportSource *ret, char **ret_error)
{
    struct stat st;
    ImportSource source = { .blobs = -1 };

    /* Never wait for the other end of a FIFO. */
    _cleanup_(closep) int fd = file_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return image_fail_errno(ret_error, fd, "\"%s\" cannot be opened", path);
    if (fstat(fd, &st) < 0)
        return -errno;
    source.fd = fd;
    source.size = (uint64_t)st.st_size;
    if (S_ISDIR(st.st_mode))
        source.kind = oci_layout_detect(fd) ? SOURCE_LAYOUT : SOURCE_DIRECTORY;
    else if (!S_ISREG(st.st_mode))
        return image_fail(ret_error, -EBADMSG, "\"%s\" is neither a directory nor a file", path);
    int r = S_ISREG(st.st_mode) ? inspect_file(path, &source, ret_error) : 0;
    if (r < 0)
        return r;
    *ret = source;
    take_fd(&fd);
    return 0;
}
