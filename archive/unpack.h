/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Files of an archive. Both may be hostile: the archive, and whoever else changes the directory meanwhile.
 *
 * Theory of operation
 * -------------------
 * The destination is resolved once, as the user wrote it: an existing directory takes the archive's trees with their names;
 * else the archive's one tree gets the name that the user wrote, in a directory that is there. From then on each entry's
 * directory is reached from that descriptor, beneath it and by no link, and each node is made anew in its directory: what stood in
 * its place is unlinked, never written through. Only directories that are there already are gone on with.
 *
 * Directories get their modes and times when all of them has been written, so the ones that the present entry lies in are held open.
 *
 * Invariants
 * - Nothing outside of the destination is made, changed or removed; a name that is absolute or has ".." in it is refused.
- Who has asked for one tree gets that one: whoever sends the archive does not choose what else in a directory that is there it
  replaces.
 * - No devices are made. Files on the way are readable by their owner alone until they are whole.
 * - A file that cannot be written to its end is not there.
 */
#include "archive/pack.h"
#include "archive/trouble.h"

enum {
    UNPACK_DEPTH_MAX = PACK_DEPTH_MAX,
    UNPACK_NOTES_MAX = PACK_NOTES_MAX,
};

typedef struct UnpackJob {
    const char *path; /* of the destination, as a user writes it */
    unsigned resolve; /* RESOLVE_* of openat2(2), for the path */
    bool directory;   /* the destination has to be a directory that is there */
    const char *tree; /* the first part that all names of the archive have to have; NULL: any */
    int in;           /* blocking */
    bool owners;      /* to be kept; else all belongs to who unpacks */
    bool power;       /* set-user-id bits and capabilities are kept, too */
    /* Called when the destination is known, with the directory that all is made in, before anything is made; may be NULL. 0 or negative errno. */
    int (*begin)(int directory);
    void (*note)(void *userdata, const char *text);
    void *userdata;
} UnpackJob;

/* Blocks until the end of the archive, and then of `in`: 0 or negative errno with t. What was made stays. */
int tree_unpack(const UnpackJob *job, TreeCount *ret_done, Trouble *t);
