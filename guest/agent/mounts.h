/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Mounts as descriptors: made detached, then attached at a place that is a descriptor as well, so that no path is looked up
 * twice. Negative errno; descriptors are close-on-exec.
 */
#include <sys/mount.h>

#include "base/macro.h"

/* A new file system: options are "key=value", NULL at the end; may be NULL. attributes as of fsmount(2). */
int mount_make(const char *type, const char *source, const char *const *options,
               unsigned attributes) _warn_unused_;
/* A view of what is at the path (dir AT_FDCWD), or of dir itself (path ""). */
int mount_view(int dir, const char *path, unsigned attributes) _warn_unused_;
/* Attaches the mount at the file or directory that `target` stands for. */
int mount_attach(int mount, int target);
/* All in one, at a path of our own. */
int mount_at(const char *type, const char *source, const char *const *options, unsigned attributes,
             const char *target);
int mount_set(int mount, unsigned attributes);
/* True when something is mounted at the directory. */
bool mount_is_at(const char *path);
