/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The paths that people write, of what is to be copied and where to. */
#include "base/macro.h"

typedef struct TreePath {
    char *parent;   /* "." or "/" where nothing stands before the name */
    char *name;     /* the last part; with `contents` nothing that can be made */
    bool directory; /* a "/" stands behind it */
    bool contents;  /* it ends with "." or "..", or is "/" */
} TreePath;

/* 0, -ENOENT for nothing at all, -ENOMEM. */
int tree_path_parse(const char *path, TreePath *ret);
void tree_path_done(TreePath *p);

/* openat2(2) from the working directory, close-on-exec; resolve: RESOLVE_*. */
int tree_open(const char *path, int flags, unsigned resolve) _warn_unused_;
/* The same from dir; beneath it, and by no link. */
int tree_open_beneath(int dir, const char *path, int flags) _warn_unused_;
