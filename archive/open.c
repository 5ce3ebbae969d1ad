/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "archive/open.h"
#include "base/strings.h"

int tree_path_parse(const char *path, TreePath *ret)
{
    size_t size = strlen(path);

    if (size == 0)
        return -ENOENT;
    while (size > 1 && path[size - 1] == '/')
        size--;
    size_t name = size;
    while (name > 0 && path[name - 1] != '/')
        name--;
    TreePath p = {
        .parent = name > 1 ? strndup(path, name - 1) : strdup(name == 1 ? "/" : "."),
        .name = strndup(path + name, size - name),
        .directory = path[size] == '/',
    };
    if (!p.parent || !p.name) {
        tree_path_done(&p);
        return -ENOMEM;
    }
    p.contents = *p.name == 0 || streq(p.name, ".") || streq(p.name, "..");
    *ret = p;
    return 0;
}

void tree_path_done(TreePath *p)
{
    free(p->parent);
    free(p->name);
    *p = (TreePath){ 0 };
}

static int open_how(int dir, const char *path, int flags, unsigned resolve)
{
    struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve };

    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

int tree_open(const char *path, int flags, unsigned resolve)
{
    return open_how(AT_FDCWD, path, flags, resolve);
}

int tree_open_beneath(int dir, const char *path, int flags)
{
    return open_how(dir, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}
