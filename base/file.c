/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/file.h"
#include "base/strings.h"

/* One step of a path, which is no symbolic link. */
static int open_step(int dir, const char *name, int flags, mode_t mode)
{
    struct stat st;

    if (streq(name, ".."))
        return -EXDEV;
    _cleanup_(closep) int fd = openat(dir, name, flags | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    /* With O_PATH a link itself is opened. */
    if ((flags & O_PATH) && fstat(fd, &st) < 0)
        return -errno;
    return (flags & O_PATH) && S_ISLNK(st.st_mode) ? -ELOOP : take_fd(&fd);
}

/*
 * What openat2(2) does, without it: in a unit with DynamicUser= there is none, since the filter that keeps set-user-id bits
 * out (RestrictSUIDSGID=) cannot see the mode among its arguments.
 */
static int open_stepwise(int dir, const char *name, int flags, mode_t mode)
{
    const char *slash = strchr(name, '/');
    char step[NAME_MAX + 1];

    if (dir == AT_FDCWD) {
        int fd = openat(dir, name, flags, mode);
        return fd < 0 ? -errno : fd;
    }
    if (!slash)
        return open_step(dir, name, flags, mode);
    if (slash == name)
        return -EXDEV;
    if (slash - name > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(step, name, (size_t)(slash - name));
    step[slash - name] = 0;
    _cleanup_(closep) int next = open_step(dir, step, O_PATH | O_CLOEXEC, 0);
    return next < 0 ? next : open_stepwise(next, slash + 1, flags, mode);
}

int file_open_at(int dir, const char *name, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY)),
        .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_NO_MAGICLINKS | (dir == AT_FDCWD ? 0 : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS),
    };

    long fd = syscall(SYS_openat2, dir, name, &how, sizeof how);
    if (fd < 0 && errno == ENOSYS)
        return open_stepwise(dir, name, (int)how.flags, (mode_t)how.mode);
    return fd < 0 ? -errno : (int)fd;
}

int dir_open_at(int dir, const char *name)
{
    return file_open_at(dir, name, O_RDONLY | O_DIRECTORY, 0);
}

int dir_reach_at(int dir, const char *name)
{
    return file_open_at(dir, name, O_PATH | O_DIRECTORY, 0);
}

int dir_make_at(int dir, const char *name, mode_t mode)
{
    bool made = mkdirat(dir, name, mode) == 0;

    if (!made && errno != EEXIST)
        return -errno;

    _cleanup_(closep) int fd = dir_open_at(dir, name);
    if (fd >= 0 && made && fchmod(fd, mode) < 0)
        return -errno;
    return take_fd(&fd);
}

int dir_make_path(const char *path, mode_t mode)
{
    if (access(path, F_OK) == 0)
        return 0;
    _cleanup_(freep) char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    for (char *p = copy + 1; *copy; p++) {
        char c = *p;
        if (c != '/' && c != 0)
            continue;
        *p = 0;
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return -errno;
        if (c == 0)
            break;
        *p = c;
    }
    return 0;
}

int file_read_fd(int fd, size_t max_size, Bytes *ret)
{
    Bytes b = { 0 };
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    for (;;) {
        uint8_t *p = bytes_reserve(&b, 4096);
        ssize_t n = p ? read(fd, p, 4096) : -1;
        int error = !p ? -ENOMEM : n < 0 ? -errno : 0;
        if (error == -EINTR)
            continue;
        if (error == 0 && n > 0 && b.size + (size_t)n > max_size)
            error = -EFBIG;
        if (error < 0) {
            bytes_done(&b);
            return error;
        }
        if (n == 0)
            break;
        b.size += (size_t)n;
    }
    *ret = b;
    return 0;
}

int file_read_at(int dir, const char *name, size_t max_size, Bytes *ret)
{
    /* Never block on a FIFO that somebody put in the place of a file. */
    _cleanup_(closep) int fd = file_open_at(dir, name, O_RDONLY | O_NONBLOCK, 0);
    return fd < 0 ? fd : file_read_fd(fd, max_size, ret);
}

int write_all(int fd, const void *data, size_t size)
{
    const uint8_t *p = data;

    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

static int file_fill(int dir, const char *temporary, const void *data, size_t size, mode_t mode)
{
    _cleanup_(closep) int fd = file_open_at(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (fd < 0)
        return fd;
    /* The mode is ours to say, whatever the umask is. */
    if (fchmod(fd, mode) < 0)
        return -errno;
    int r = write_all(fd, data, size);
    if (r < 0)
        return r;
    if (fsync(fd) < 0)
        return -errno;
    return close(take_fd(&fd)) < 0 ? -errno : 0;
}

int file_replace_at(int dir, const char *name, const void *data, size_t size, mode_t mode)
{
    /* One writer per file is a rule of the run path, so a fixed name leaves at most one remnant after a crash. */
    _cleanup_(freep) char *temporary = strf(".%s.new", name);
    if (!temporary)
        return -ENOMEM;

    int r = file_fill(dir, temporary, data, size, mode);
    if (r >= 0 && renameat(dir, temporary, dir, name) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(dir, temporary, 0);
        return r;
    }
    if (dir == AT_FDCWD)
        return 0;
    return fsync(dir) < 0 ? -errno : 0;
}

int file_lock(int fd, int operation, usec_t patience)
{
    const struct timespec pause = { .tv_nsec = 500000 };
    usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), patience);

    while (flock(fd, operation | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (now_usec(CLOCK_MONOTONIC) >= end)
            return -EWOULDBLOCK;
        nanosleep(&pause, NULL);
    }
    return 0;
}

int file_has_record_lock(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
        return -errno;
    return lock.l_type != F_UNLCK;
}

int file_remove_at(int dir, const char *name)
{
    return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int tree_empty(int fd, dev_t device);

static int tree_remove_entry(int dir, const char *name, dev_t device)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;

    int fd = dir_open_at(dir, name);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int r = tree_empty(fd, device);
    if (r < 0)
        return r;
    return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* Takes fd. */
static int tree_empty(int fd, dev_t device)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || st.st_dev != device) {
        safe_close(fd);
        return -EXDEV;
    }
    _cleanup_(closedirp) DIR *d = fdopendir(fd);
    if (!d) {
        safe_close(fd);
        return -ENOMEM;
    }
    for (struct dirent *e; (errno = 0, e = readdir(d));) {
        if (streq(e->d_name, ".") || streq(e->d_name, ".."))
            continue;
        int r = tree_remove_entry(dirfd(d), e->d_name, device);
        if (r < 0)
            return r;
    }
    return errno != 0 ? -errno : 0;
}

int tree_remove_at(int dir, const char *name)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    return tree_remove_entry(dir, name, st.st_dev);
}
