/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "images/tree.h"

typedef struct Walk {
    const TreeLimits *limits;
    TreeSurvey survey;
    dev_t device;
    char *where;
} Walk;

static bool before(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

/* An overlay has several devices, too, so the device alone tells nothing. */
static bool is_mounted(int dir, const char *name)
{
    struct statx st;

    if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &st) < 0 ||
        !(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
        return true;
    return st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int survey_entry(Walk *walk, int dir, const char *name, const struct stat *st)
{
    const TreeLimits *limits = walk->limits;

    if (S_ISDIR(st->st_mode) && st->st_dev == limits->store_device && st->st_ino == limits->store_inode)
        return -ELOOP;
    if (st->st_dev != walk->device && is_mounted(dir, name))
        return -EXDEV;
    if (S_ISREG(st->st_mode) && limits->readable &&
        faccessat(dir, name, R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (limits->entries_max > 0 && walk->survey.n_entries >= limits->entries_max)
        return -E2BIG;
    walk->survey.n_entries++;
    walk->survey.size += S_ISREG(st->st_mode) ? (uint64_t)st->st_size / MAX((uint64_t)st->st_nlink, 1) : 0;
    if (before(st->st_mtim, limits->born))
        walk->survey.newest = MAX(walk->survey.newest, (int64_t)st->st_mtim.tv_sec);
    return 0;
}

static int survey_directory(Walk *walk, int fd, size_t depth);

static int survey_name(Walk *walk, int dir, const char *name, size_t depth)
{
    struct stat st;

    int r = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : survey_entry(walk, dir, name, &st);
    if (r >= 0 && S_ISDIR(st.st_mode)) {
        int fd = depth < TREE_DEPTH_MAX ? dir_open_at(dir, name) : -ENAMETOOLONG;
        r = fd < 0 ? fd : survey_directory(walk, fd, depth + 1);
    }
    if (r < 0) {
        /* On the way out each level puts its name in front. */
        char *where = walk->where ? strf("%s/%s", name, walk->where) : strdup(name);
        free(walk->where);
        walk->where = where;
    }
    return r;
}

/* Takes fd. */
static int survey_directory(Walk *walk, int fd, size_t depth)
{
    _cleanup_(closedirp) DIR *d = fdopendir(fd);

    if (!d) {
        safe_close(fd);
        return -ENOMEM;
    }
    for (struct dirent *e; (errno = 0, e = readdir(d));) {
        if (streq(e->d_name, ".") || streq(e->d_name, ".."))
            continue;
        int r = survey_name(walk, dirfd(d), e->d_name, depth);
        if (r < 0)
            return r;
    }
    return -errno;
}

int tree_survey(int root, const TreeLimits *limits, TreeSurvey *ret, char **ret_where)
{
    struct stat st;
    Walk walk = { .limits = limits };

    *ret_where = NULL;
    if (fstat(root, &st) < 0)
        return -errno;
    walk.device = st.st_dev;
    int r = survey_entry(&walk, root, ".", &st);
    walk.survey.n_entries = 0;
    int fd = r < 0 ? r : dir_open_at(root, ".");
    if (fd < 0 || (r = survey_directory(&walk, fd, 0)) < 0) {
        *ret_where = walk.where ?: strdup(".");
        return fd < 0 ? fd : r;
    }
    *ret = walk.survey;
    return 0;
}

/* --- removal -------------------------------------------------------------------------------------------------- */

/* Our own directory, whatever mode its archive gave it. */
static int open_for_removal(int dir, const char *name)
{
    int fd = dir_open_at(dir, name);

    if (fd == -EACCES && fchmodat(dir, name, 0700, 0) == 0)
        fd = dir_open_at(dir, name);
    if (fd >= 0)
        (void)fchmod(fd, 0700);
    return fd;
}

/* 0: it is gone. 1: it is a directory. */
static int unlink_file(int dir, const char *name)
{
    struct stat st;

    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    int r = -errno;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return 1;
    return r;
}

/* Moves a directory of a directory up into the top, under a number that is free there. */
static int lift(int from, const char *name, int top, uint64_t *counter)
{
    char number[24];

    /* A directory's own mode guards its "..". */
    if (fchmodat(from, name, 0700, 0) < 0)
        return -errno;
    for (;;) {
        snprintf(number, sizeof number, "%ju", (uintmax_t)(*counter)++);
        if (renameat(from, name, top, number) == 0)
            return 0;
        if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
            return -errno;
    }
}

/* Empties a directory of the top: files go, directories become the top's own. Then it goes itself. */
static int flatten(int top, const char *name, uint64_t *counter)
{
    int fd = open_for_removal(top, name);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    _cleanup_(closedirp) DIR *d = fdopendir(fd);
    if (!d) {
        safe_close(fd);
        return -ENOMEM;
    }
    for (struct dirent *e; (errno = 0, e = readdir(d));) {
        if (streq(e->d_name, ".") || streq(e->d_name, ".."))
            continue;
        int r = unlink_file(dirfd(d), e->d_name);
        if (r > 0)
            r = lift(dirfd(d), e->d_name, top, counter);
        if (r < 0)
            return r;
    }
    if (errno != 0)
        return -errno;
    return unlinkat(top, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* One pass over the top; *ret_left tells whether it saw anything, so whether another pass is due. */
static int discard_pass(int top, uint64_t *counter, bool *ret_left)
{
    int fd = dir_open_at(top, ".");
    if (fd < 0)
        return fd;
    _cleanup_(closedirp) DIR *d = fdopendir(fd);
    if (!d) {
        safe_close(fd);
        return -ENOMEM;
    }
    *ret_left = false;
    for (struct dirent *e; (errno = 0, e = readdir(d));) {
        if (streq(e->d_name, ".") || streq(e->d_name, ".."))
            continue;
        *ret_left = true;
        int r = unlink_file(top, e->d_name);
        if (r > 0)
            r = flatten(top, e->d_name, counter);
        if (r < 0)
            return r;
    }
    return -errno;
}

int tree_discard(int dir, const char *name)
{
    uint64_t counter = 0;
    bool left = true;

    int r = unlink_file(dir, name);
    if (r <= 0)
        return r;
    _cleanup_(closep) int top = open_for_removal(dir, name);
    if (top < 0)
        return top == -ENOENT ? 0 : top;
    while (left)
        if ((r = discard_pass(top, &counter, &left)) < 0)
            return r;
    return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}
