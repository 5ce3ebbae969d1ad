/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From a directory, a tar archive, an OCI layout or what `docker save` makes to an image in the store.
 *
 * Theory of operation
 * -------------------
 *     source --unpack--> work/<uuid>/rootfs --check--> --pack (mkfs.erofs)--> work/<uuid>/image --digest, store--> blobs/
 *
 * - What the source is is found out by looking at it, never by its name, and what is nothing of these is refused.
 * - The same files and the same configuration give the same bytes, so the same digest: mkfs.erofs sorts; times of
 *   modification are kept, except those that only the unpacking made, which become the newest of the others; and the
 *   file system's UUID is made of the configuration, so that an image's digest stands for that too.
 * - Not compressed: a guest under emulation pays for each byte that it inflates, and the host's page cache, which all pods
 *   share, holds the file as it is.
 * - Programs of others do the unpacking, each with nothing in hand but its work directory (child.h). No file may be larger than an
 *   image may be, and what does not fit on the disk is refused before it is packed.
 * - As root, owners, modes, extended attributes (security.capability and user.*) and device nodes are kept. As an
 *   ordinary user all files are root's, extended attributes are dropped, and what lies below /dev is left out, as only
 *   root can make it; the guest has its own.
 *
 * Killed at any point, an import leaves no image, or the whole image: see image-store.h.
 */
#include "images/image-store.h"

typedef enum ImportPhase {
    IMPORT_UNPACK, /* done and total in bytes of the archive; total 0: not known */
    IMPORT_CHECK,
    IMPORT_PACK, /* in bytes of the image */
    IMPORT_DIGEST,
    IMPORT_STORE,
    IMPORT_PHASE_MAX,
} ImportPhase;
extern const EnumTable import_phase_table;

/* At the beginning of each phase, and a few times a second while one lasts. Negative ends the import with that error. */
typedef int (*ImportProgress)(void *userdata, ImportPhase phase, uint64_t done, uint64_t total);

#define IMPORT_SIZE_MAX (UINT64_C(64) << 30) /* bytes of all files of an image */
enum { IMPORT_ENTRIES_MAX = 2000000 };       /* how many files, directories and others */

typedef struct ImportOptions {
    const char *
        source; /* path of a directory, a tar archive (also gzip, bzip2, xz, zstd), an OCI layout, or the output of docker save */
    const char *name; /* what the image is to be called; an image that had the name loses it */
    const char
        *tag; /* of an OCI layout or docker's: which image; NULL: the only one, or a layout's "latest" */
    const char *architecture;  /* what it must be for; NULL: this host's */
    const ImageConfig *config; /* what is set in here replaces what the source says; may be NULL */
    bool all_root;             /* as for an ordinary user, also as root */
    uint64_t size_max;         /* 0: IMPORT_SIZE_MAX */
    uint64_t entries_max;      /* 0: IMPORT_ENTRIES_MAX */
    const char *programs; /* directories to find tar, umoci, mkfs.erofs in, as in PATH; NULL: the system's */
    usec_t stall_timeout; /* 0: two minutes */
    ImportProgress progress; /* may be NULL */
    void *userdata;
} ImportOptions;

/*
 * The store is open for writing. *ret (may be NULL) is the caller's to image_record_done(). On failure nothing of it is left:
 * -EINVAL (bad name), -ENOENT (no such file, no such tag), -EBADMSG (not an image, damaged), -ENODATA (no files in it), -ENOEXEC (for
 * another architecture), -ENOPKG (a program is not installed), -ENOSPC, -EDQUOT, -EACCES, -EPERM, -EXDEV, -ELOOP, -ENAMETOOLONG,
 * -EFBIG and -E2BIG (more than an image may have), -ENOTUNIQ (several images), -ETIMEDOUT (no progress), what `progress` said, and others; each with a sentence in *ret_error.
 */
int image_import(ImageStore *store, const ImportOptions *options, ImageRecord *ret, char **ret_error);
