/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "archive/tar.h"

void tar_entry_done(TarEntry *e)
{
    for (size_t i = 0; i < e->n_xattrs; i++) {
        free(e->xattrs[i].name);
        bytes_done(&e->xattrs[i].value);
    }
    free(e->xattrs);
    free(e->extents);
    free(e->name);
    free(e->link);
    *e = (TarEntry){ 0 };
}

int tar_entry_add_xattr(TarEntry *e, const char *name, const void *value, size_t size)
{
    if (e->n_xattrs >= TAR_XATTRS_MAX)
        return -E2BIG;
    TarXattr *xattrs = reallocarray(e->xattrs, e->n_xattrs + 1, sizeof *xattrs);
    if (!xattrs)
        return -ENOMEM;
    e->xattrs = xattrs;
    TarXattr *x = &xattrs[e->n_xattrs];
    *x = (TarXattr){ .name = strdup(name) };
    if (!x->name || bytes_append(&x->value, value, size) < 0) {
        free(x->name);
        return -ENOMEM;
    }
    e->n_xattrs++;
    return 0;
}

uint64_t tar_entry_content(const TarEntry *e)
{
    uint64_t size = 0;

    if (!e->sparse)
        return e->size;
    for (size_t i = 0; i < e->n_extents; i++)
        size += e->extents[i].size;
    return size;
}
