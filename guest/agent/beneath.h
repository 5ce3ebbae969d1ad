/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Paths of a container, opened as the container would: symbolic links and .. are followed, but the container's root is the
 * top of everything. An image may be as hostile as it likes, nothing of it leads out.
 */
#include <sys/types.h>

#include "base/macro.h"

enum { BENEATH_NO_SYMLINKS = 1 };

/* openat2(2) with root as "/". The descriptor (close-on-exec) or negative errno; -ELOOP for a link where none may be. */
int open_beneath(int root, const char *path, int flags, unsigned beneath_flags) _warn_unused_;
/* An O_PATH descriptor of the directory, made with mode 0755 at each level that is not there. */
int make_directory_beneath(int root, const char *path, unsigned beneath_flags) _warn_unused_;
/* The same for an empty file in such a directory. */
int make_file_beneath(int root, const char *path) _warn_unused_;
