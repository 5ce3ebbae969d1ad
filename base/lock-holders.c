/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/lock-holders.h"
#include "base/strings.h"

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

int disk_is_used(int fd, bool read_only)
{
    enum { BYTE_OF_WRITERS = 101 };
    struct flock wanted = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (read_only) {
        wanted.l_start = BYTE_OF_WRITERS;
        wanted.l_len = 1;
    }
    return fcntl(fd, F_OFD_GETLK, &wanted) < 0 ? -errno : wanted.l_type != F_UNLCK;
}

static bool has_open(const char *pid, const struct stat *file)
{
    _cleanup_(freep) char *path = strf("/proc/%s/fd", pid);
    _cleanup_(closedirp) DIR *d = path ? opendir(path) : NULL;
    struct stat st;

    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && st.st_ino == file->st_ino &&
            st.st_dev == file->st_dev)
            return true;
    return false;
}

static char *process_words(const char *pid)
{
    _cleanup_(freep) char *path = strf("/proc/%s/comm", pid);
    _cleanup_(bytes_done) Bytes name = { 0 };
    enum { NAME_MAX_BYTES = 64 };

    if (!path || file_read_at(AT_FDCWD, path, NAME_MAX_BYTES, &name) < 0)
        return strf("process %s", pid);
    while (name.size > 0 && name.data[name.size - 1] == '\n')
        name.size--;
    _cleanup_(freep) char *text = str_escape(name.data, name.size);
    return strf("process %s (%s)", pid, text ?: "?");
}

char *file_user(const struct stat *file)
{
    _cleanup_(closedirp) DIR *d = opendir("/proc");
    _cleanup_(freep) char *self = strf("%d", (int)getpid());

    for (struct dirent *e; d && self && (e = readdir(d));)
        if (strspn(e->d_name, "0123456789") == strlen(e->d_name) && !streq(e->d_name, self) &&
            has_open(e->d_name, file))
            return process_words(e->d_name);
    return NULL;
}
