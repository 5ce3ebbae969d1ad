/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Files by directory descriptor. Every open is beneath its directory and follows no symbolic link, so that a directory
 * which somebody else may write cannot lead us out of it. Every descriptor is close-on-exec.
 *
 * Errors are negative errno. Paths named `name` are relative to `dir`; dir may be AT_FDCWD only where a comment says so.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/units.h"

/* For _cleanup_(closedirp). */
static inline _unused_ void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* Opens beneath dir, no symbolic links, no other file system's magic links; dir AT_FDCWD takes any path as it is. */
int file_open_at(int dir, const char *name, int flags, mode_t mode) _warn_unused_;

/* Opens a directory for use as `dir`; AT_FDCWD takes any path. */
int dir_open_at(int dir, const char *name) _warn_unused_;
/* Only to reach what is beneath: of a directory that may be passed through, but not read. */
int dir_reach_at(int dir, const char *name) _warn_unused_;

/* Makes the directory (one level) with exactly this mode if it is not there; returns its descriptor. */
int dir_make_at(int dir, const char *name, mode_t mode) _warn_unused_;

/* mkdir -p of a trusted path, mode for the new levels. */
int dir_make_path(const char *path, mode_t mode);

/* The whole file, at most max_size bytes (-EFBIG beyond; -EISDIR, -EINVAL for what is no regular file). */
int file_read_at(int dir, const char *name, size_t max_size, Bytes *ret) _warn_unused_;
int file_read_fd(int fd, size_t max_size, Bytes *ret) _warn_unused_;

/*
 * Replaces dir/name by data so that after a crash at any point the old or the new content is there, whole: temporary file in the same
 * directory, fsync, rename, fsync of the directory. On failure the old file is untouched and the temporary one is gone.
 */
int file_replace_at(int dir, const char *name, const void *data, size_t size, mode_t mode) _warn_unused_;

/* All of data: 0 or negative errno. Blocking descriptors only. */
int write_all(int fd, const void *data, size_t size) _warn_unused_;

/*
 * flock(2), asked for again and again, since it can have no deadline otherwise: 0, -EWOULDBLOCK when it was not free within
 * `patience`, or another negative errno. Blocks for that long.
 */
int file_lock(int fd, int operation, usec_t patience) _warn_unused_;

/* 1: another open file or process has a record lock on some of it (fcntl(2)), 0: none has, or negative errno. Takes no lock. */
int file_has_record_lock(int fd);

/* Unlinks; a file that is not there is success. */
int file_remove_at(int dir, const char *name);

/* Removes name and, if it is a directory, all beneath it, crossing no mount point; absent is success. Repeatable. */
int tree_remove_at(int dir, const char *name);
