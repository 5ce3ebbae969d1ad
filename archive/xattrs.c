/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/xattr.h>

#include "archive/xattrs.h"
#include "base/strings.h"

enum { LIST_MAX = 64 * 1024 };

typedef enum Kind { KIND_NONE, KIND_USER, KIND_POWER } Kind;

static Kind kind_of(const char *name)
{
    if (str_after(name, "user.") && !str_empty(str_after(name, "user.")))
        return KIND_USER;
    return streq(name, "security.capability") ? KIND_POWER : KIND_NONE;
}

static int read_one(int fd, const char *name, TarEntry *e)
{
    _cleanup_(bytes_done) Bytes value = { 0 };

    if (kind_of(name) == KIND_NONE)
        return 0;
    uint8_t *at = bytes_reserve(&value, LIST_MAX);
    if (!at)
        return -ENOMEM;
    ssize_t n = fgetxattr(fd, name, at, LIST_MAX);
    /* Gone since it was listed. */
    if (n < 0)
        return errno == ENODATA ? 0 : -errno;
    return tar_entry_add_xattr(e, name, at, (size_t)n);
}

int xattrs_read(int fd, TarEntry *e)
{
    /* Most files have none, and need no memory for it. */
    ssize_t size = flistxattr(fd, NULL, 0);
    if (size <= 0)
        return size == 0 || errno == ENOTSUP || errno == EPERM ? 0 : -errno;
    _cleanup_(freep) char *names = malloc(LIST_MAX);
    if (!names)
        return -ENOMEM;
    size = flistxattr(fd, names, LIST_MAX);
    if (size < 0)
        return -errno;
    for (const char *name = names; name < names + size; name += strlen(name) + 1) {
        int r = read_one(fd, name, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int xattrs_write(int fd, const TarEntry *e, bool power)
{
    int r = 0;

    for (size_t i = 0; i < e->n_xattrs; i++) {
        const TarXattr *x = &e->xattrs[i];
        Kind kind = kind_of(x->name);
        if (kind == KIND_NONE || (kind == KIND_POWER && !power))
            continue;
        if (fsetxattr(fd, x->name, x->value.data, x->value.size, 0) < 0) {
            if (errno != ENOTSUP && errno != EPERM)
                return -errno;
            r = -EOPNOTSUPP;
        }
    }
    return r;
}
