/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/unpack-directories.h"
#include "base/strings.h"

static void directory_done(Directory *d)
{
    safe_close(d->fd);
    free(d->place);
    tar_entry_done(&d->entry);
}

/* All but names and content. */
static int copy_entry(const TarEntry *from, TarEntry *to)
{
    *to = (TarEntry){
        .type = from->type,
        .mode = from->mode,
        .uid = from->uid,
        .gid = from->gid,
        .seconds = from->seconds,
        .nanoseconds = from->nanoseconds,
    };
    for (size_t i = 0; i < from->n_xattrs; i++) {
        const TarXattr *x = &from->xattrs[i];
        int r = tar_entry_add_xattr(to, x->name, x->value.data, x->value.size);
        if (r < 0)
            return r;
    }
    return 0;
}

int directories_enter(Directories *d, const char *place, const TarEntry *entry, int fd)
{
    Directory new = { .place = strdup(place), .fd = fd };
    Directory *items = reallocarray(d->items, d->n_items + 1, sizeof *items);

    if (items)
        d->items = items;
    if (!items || !new.place || copy_entry(entry, &new.entry) < 0) {
        directory_done(&new);
        return -ENOMEM;
    }
    items[d->n_items++] = new;
    return 0;
}

int directories_find(const Directories *d, const char *place)
{
    for (size_t i = d->n_items; i-- > 0;)
        if (streq(d->items[i].place, place))
            return d->items[i].fd;
    return -1;
}

static bool lies_in(const char *place, const char *directory)
{
    const char *rest = place ? str_after(place, directory) : NULL;
    return rest && *rest == '/';
}

int directories_leave(Directories *d, const char *place, int (*settle)(void *userdata, const Directory *d),
                      void *userdata)
{
    while (d->n_items > 0 && !lies_in(place, d->items[d->n_items - 1].place)) {
        Directory *last = &d->items[d->n_items - 1];
        int r = settle(userdata, last);
        directory_done(last);
        d->n_items--;
        if (r < 0)
            return r;
    }
    return 0;
}

void directories_done(Directories *d)
{
    for (size_t i = 0; i < d->n_items; i++)
        directory_done(&d->items[i]);
    free(d->items);
    *d = (Directories){ 0 };
}
