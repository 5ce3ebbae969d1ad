/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "guest/agent/modules.h"

#define MODULES "/lib/podvisor"
#define MODULES_LOAD MODULES "/modules.load"
#define MODULES_DEMAND "demand"
enum { MODULES_LOAD_MAX = 64 * 1024, MODULES_NEEDED_MAX = 32 };

static int store = -1;    /* MODULES, while there may be something to load in it */
static bool all_built_in; /* the kernel takes none */

/* The kernel is asked and not its name: one that has no modules says so before it looks at any. */
static bool kernel_takes_modules(void)
{
    return syscall(SYS_finit_module, -1, "", 0) >= 0 || errno != ENOSYS;
}

static int load_at(int dir, const char *path)
{
    _cleanup_(closep) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST && errno != ENODEV))
        return log_error_errno(-errno, "module %s could not be loaded", path);
    /* The kernel has it now; the file would only hold memory. */
    (void)unlinkat(dir, path, 0);
    return 0;
}

int modules_load(void)
{
    _cleanup_(bytes_done) Bytes list = { 0 };

    all_built_in = !kernel_takes_modules();
    if (all_built_in) {
        (void)tree_remove_at(AT_FDCWD, MODULES);
        return 0;
    }
    store = dir_open_at(AT_FDCWD, MODULES);
    int r = file_read_at(AT_FDCWD, MODULES_LOAD, MODULES_LOAD_MAX, &list);
    if (r >= 0)
        r = bytes_terminate(&list);
    if (r == -ENOENT)
        return log_error_errno(
            r, "the initial file system holds no modules, and this kernel is one that has modules");
    if (r < 0)
        return log_error_errno(r, "%s could not be read", MODULES_LOAD);
    for (char *rest = (char *)list.data, *path; (path = strsep(&rest, "\n"));)
        if (*path && load_at(AT_FDCWD, path) < 0)
            r = -EIO;
    return r;
}

/* Its name begins with its place in the order. */
static int load_nth(int dir, unsigned number)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    char prefix[16];
    int r = -ENOENT;

    if (!d) {
        safe_close(copy);
        return -errno;
    }
    (void)snprintf(prefix, sizeof prefix, "%02u-", number);
    for (struct dirent *e; r == -ENOENT && (e = readdir(d));)
        if (str_after(e->d_name, prefix))
            r = load_at(dir, e->d_name);
    closedir(d);
    return r;
}

int modules_load_more(const char *name)
{
    if (all_built_in)
        return 0;
    _cleanup_(closep) int all = store < 0 ? -ENOENT : dir_open_at(store, MODULES_DEMAND);
    _cleanup_(closep) int dir = all < 0 ? all : dir_open_at(all, name);
    int r = MIN(dir, 0);

    for (unsigned i = 0; r >= 0 && i < MODULES_NEEDED_MAX; i++)
        if ((r = load_nth(dir, i)) == -ENOENT)
            return 0; /* that was the last, or all were asked for before */
    return r;
}

void modules_forget(void)
{
    if (store >= 0)
        (void)tree_remove_at(store, MODULES_DEMAND);
    store = safe_close(store);
}
