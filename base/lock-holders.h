/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who holds a lock on a file, of flock(2) or of an open file (fcntl(2), F_OFD_SETLK: QEMU's own on its disks), from /proc/locks: looked at from outside, without taking the lock for a moment oneself. */
#include <sys/stat.h>

#include "base/macro.h"

/* pid: who took the lock; 0 when that is not known: a lock of an open file, or of a process that has ended, and left it to those that it started. */
typedef void (*LockHolderFunc)(void *userdata, pid_t pid);

/* True when somebody holds a lock on the file. func (may be NULL) is called for each. False, too, where /proc cannot be read. */
bool lock_holders(const struct stat *file, LockHolderFunc func, void *userdata);

/*
 * 1: somebody uses the disk so that we cannot, by the locks of QEMU, which are on single bytes, each for one right; 0: nobody, or
 * negative errno. Who only reads is in the way of nobody but of those who write. Takes no lock.
 */
int disk_is_used(int fd, bool read_only);
/* "process 4711 (qemu-system-x86)" of a process besides this one that has the file open (malloc'ed); NULL when none is found. */
char *file_user(const struct stat *file);
