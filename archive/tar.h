/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An entry of a tar archive: POSIX ustar with pax records (POSIX.1-2001), extended attributes as SCHILY.xattr and
 * sparse files as GNU.sparse 1.0, which GNU tar, bsdtar and others write and read as well.
 *
 * Invariants of an entry that the reader hands out: `name` and `link` have no NUL inside and are never empty where they are there; all
 * numbers are in the range of what they are for; the extents of a file lie in order, apart, and within its size.
 * Nothing is said of where a name leads: that is the business of whoever makes files of it (archive/unpack.h).
 */
#include <sys/types.h>

#include "base/bytes.h"

enum {
    TAR_BLOCK = 512,
    TAR_NAME_MAX = 4096,          /* of a name or a link's target, with its NUL */
    TAR_RECORDS_MAX = 256 * 1024, /* of all pax records of an entry */
    TAR_XATTRS_MAX = 64,          /* of an entry */
    TAR_EXTENTS_MAX = 16 * 1024,  /* of a sparse file; what has more is sent with its smallest holes filled */
    TAR_MAP_MAX = TAR_EXTENTS_MAX * 42 + TAR_BLOCK, /* bytes that the list of so many takes */
};

typedef enum TarType {
    TAR_FILE,
    TAR_HARD_LINK, /* to the name `link` of the same archive */
    TAR_SYMLINK,   /* to `link` */
    TAR_DIRECTORY,
    TAR_FIFO,
    TAR_OTHER, /* devices, and what nobody knows: never made */
    TAR_TYPE_MAX,
} TarType;

typedef struct TarXattr {
    char *name;
    Bytes value;
} TarXattr;

typedef struct TarExtent {
    uint64_t offset, size;
} TarExtent;

typedef struct TarEntry {
    TarType type;
    char *name, *link;
    mode_t mode; /* the lowest twelve bits */
    uid_t uid;
    gid_t gid;
    int64_t seconds; /* of the last change of its content */
    uint32_t nanoseconds;
    uint64_t size; /* of a file, with its holes */
    TarXattr *xattrs;
    size_t n_xattrs;
    bool sparse; /* the content is that of the extents, one after the other */
    TarExtent *extents;
    size_t n_extents;
} TarEntry;

void tar_entry_done(TarEntry *e);
/* value: copied. 0, -ENOMEM, -E2BIG. */
int tar_entry_add_xattr(TarEntry *e, const char *name, const void *value, size_t size);
/* How many bytes of the archive a file's content takes, without padding. */
uint64_t tar_entry_content(const TarEntry *e);

/* Bytes from size to the next whole block. */
static inline uint64_t tar_padding(uint64_t size)
{
    return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}
