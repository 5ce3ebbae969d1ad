/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A file, or a directory with all that is in it, as an archive.
 *
 * Links stay links; files with several names are sent once; holes are not sent; extended attributes are those that
 * archive/xattrs.h allows. What cannot be copied (devices, sockets, the kernel's own file systems) is passed over with a note, unless it is what
 * was asked for. Whoever changes the tree meanwhile gets an error or a wrong copy, and cannot lead out of it: below the path
 * that was asked for, no link is followed.
 *
 * Memory is bounded: by the depth of the tree, and by PACK_LINKS_MAX names of files that have several.
 */
#include "archive/trouble.h"

enum {
    PACK_DEPTH_MAX = 256,
    PACK_LINKS_MAX = 64 * 1024,
    PACK_NOTES_MAX = 10, /* then they are only counted */
};

typedef struct PackJob {
    /* As a user writes it: its last part is not followed when it is a link, unless a "/" stands behind it. With "/." at its end, the names in
     * the archive are those in the directory; else they begin with the path's last part. */
    const char *path;
    unsigned resolve; /* RESOLVE_* of openat2(2), for the path */
    int out;          /* blocking */
    /* Something was passed over; may be NULL. The text lives for the call. */
    void (*note)(void *userdata, const char *text);
    void *userdata;
} PackJob;

/* What has been done, also when it failed. */
typedef struct TreeCount {
    uint64_t entries, bytes;
} TreeCount;

/* Blocks until all is written: 0 or negative errno with t. */
int tree_pack(const PackJob *job, TreeCount *ret_done, Trouble *t);
