/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "guest/agent/beneath.h"

/* While others mount or rename, the kernel may not be sure of a step upwards; somebody who does nothing else is not waited for. */
enum { ATTEMPTS_MAX = 256 };

int open_beneath(int root, const char *path, int flags, unsigned beneath_flags)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY)),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
                   (beneath_flags & BENEATH_NO_SYMLINKS ? RESOLVE_NO_SYMLINKS : 0),
    };

    long fd = -1;
    errno = EAGAIN;
    for (int i = 0; fd < 0 && errno == EAGAIN && i < ATTEMPTS_MAX; i++)
        fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

/* The directory of path's first n bytes; made in its parent when it is not there. */
static int make_level(int root, char *path, size_t n, unsigned beneath_flags)
{
    char kept = path[n];

    path[n] = 0;
    int fd = open_beneath(root, path, O_PATH | O_DIRECTORY, beneath_flags);
    if (fd == -ENOENT) {
        char *slash = strrchr(path, '/');
        if (slash && slash != path)
            *slash = 0;
        _cleanup_(closep) int parent =
            open_beneath(root, slash && slash != path ? path : "/", O_PATH | O_DIRECTORY, beneath_flags);
        if (slash && slash != path)
            *slash = '/';
        fd = parent;
        if (parent >= 0 && mkdirat(parent, slash ? slash + 1 : path, 0755) < 0 && errno != EEXIST)
            fd = -errno;
        else if (parent >= 0)
            fd = open_beneath(root, path, O_PATH | O_DIRECTORY, beneath_flags);
    }
    path[n] = kept;
    return fd;
}

int make_directory_beneath(int root, const char *path, unsigned beneath_flags)
{
    int fd = open_beneath(root, path, O_PATH | O_DIRECTORY, beneath_flags);
    if (fd != -ENOENT)
        return fd;

    _cleanup_(freep) char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    for (size_t n = 1; copy[n - 1]; n++) {
        if (copy[n] && copy[n] != '/')
            continue;
        _cleanup_(closep) int level = make_level(root, copy, n, beneath_flags);
        if (level < 0 || !copy[n])
            return take_fd(&level);
    }
    return -EINVAL;
}

int make_file_beneath(int root, const char *path)
{
    const char *slash = strrchr(path, '/');
    _cleanup_(freep) char *parent_path =
        slash && slash > path ? strndup(path, (size_t)(slash - path)) : strdup("/");

    if (!parent_path)
        return -ENOMEM;
    int fd = open_beneath(root, path, O_PATH, 0);
    if (fd != -ENOENT)
        return fd;
    _cleanup_(closep) int parent = make_directory_beneath(root, parent_path, 0);
    if (parent < 0)
        return parent;
    _cleanup_(closep) int file =
        openat(parent, slash ? slash + 1 : path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (file < 0)
        return -errno;
    return open_beneath(root, path, O_PATH, 0);
}
