/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/confine.h"
#include "base/macro.h"

/* Newer than the oldest headers that we build with. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

static const uint64_t writing =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER;

static const uint64_t file_rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;

static int allow(int ruleset, int fd, uint64_t rights)
{
    struct landlock_path_beneath_attr beneath = { .parent_fd = fd };
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    beneath.allowed_access = S_ISDIR(st.st_mode) ? rights : rights & file_rights;
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0 ? -errno : 0;
}

static int restrict_to(const int *fds, size_t n, uint64_t rights)
{
    struct landlock_ruleset_attr attributes = { .handled_access_fs = rights };
    _cleanup_(closep) int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    int r = ruleset < 0 ? -errno : 0;

    for (size_t i = 0; r >= 0 && i < n; i++)
        r = allow(ruleset, fds[i], rights);
    if (r >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        r = -errno;
    return r;
}

int confine_writes(const int *fds, size_t n)
{
    /* The first version cannot allow links between directories, which tar needs; the third knows truncation. */
    enum { ABI_REFER = 2, ABI_TRUNCATE = 3 };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < ABI_REFER)
        return 0;
    return restrict_to(fds, n, writing | (abi >= ABI_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0));
}
