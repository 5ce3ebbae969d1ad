/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/lock-holders.h"

/* On some file systems stat(2) tells another device than the kernel's list does; those are of major number 0. */
static bool is_same(const struct stat *file, unsigned major, unsigned minor, uintmax_t inode)
{
    bool same_device = makedev(major, minor) == file->st_dev || major(file->st_dev) == 0;
    return same_device && inode == file->st_ino;
}

bool lock_holders(const struct stat *file, LockHolderFunc func, void *userdata)
{
    FILE *locks = fopen("/proc/locks", "re");
    unsigned major, minor;
    uintmax_t inode;
    bool held = false;
    char line[256], kind[8];
    int pid;

    while (locks && fgets(line, sizeof line, locks)) {
        if (sscanf(line, "%*d: %7s %*s %*s %d %x:%x:%ju", kind, &pid, &major, &minor, &inode) != 5 ||
            (strcmp(kind, "FLOCK") != 0 && strcmp(kind, "OFDLCK") != 0) ||
            !is_same(file, major, minor, inode))
            continue;
        held = true;
        if (func)
            func(userdata, MAX(pid, 0));
    }
    if (locks)
        fclose(locks);
    return held;
}
