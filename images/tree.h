/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Directory trees that strangers made: looked at and removed without ever leaving them. */
#include <sys/types.h>

#include "base/units.h"

enum { TREE_DEPTH_MAX = 200 }; /* a tree that is deeper is no image */

typedef struct TreeSurvey {
    uint64_t n_entries; /* without the root */
    uint64_t size;      /* bytes of all regular files; of one with several names each counts for its part */
    int64_t newest;     /* the latest time of modification before `born`, seconds after 1970; at least 0 */
} TreeSurvey;

typedef struct TreeLimits {
    struct timespec born; /* times from here on are of the extraction itself; tv_sec INT64_MAX: none are */
    dev_t store_device;   /* a directory that must not be in the tree */
    ino_t store_inode;
    bool readable;        /* whether all must be readable by us, as we are not root */
    uint64_t entries_max; /* 0: no limit */
} TreeLimits;

/*
 * Walks all of the tree, without following links: 0, -ENAMETOOLONG (too deep), -EXDEV (another file system is mounted in it), -ELOOP (the
 * store is in it), -EACCES, -E2BIG (too many entries), or negative errno; *ret_where is then the place (malloc'ed, relative).
 */
int tree_survey(int root, const TreeLimits *limits, TreeSurvey *ret, char **ret_where);

/*
 * The processor that the tree's programs are for, as container tools write it ("amd64"): of `program` (NULL: none) or else of one that
 * nearly every image has. NULL when there is none to ask; "unknown" when it is none we know. *ret_program is the path that told.
 */
const char *tree_architecture(int root, const char *program, const char **ret_program);
/* This host's, in the same words. */
const char *host_architecture(void);

/* Removes dir/name and all beneath it, however deep and with whatever modes, with a fixed number of descriptors. Absent is success. */
int tree_discard(int dir, const char *name);
