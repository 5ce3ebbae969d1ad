/* SPDX-License-Identifier: Apache-2.0 */
/* What nobody needs any more: images without a name, and fetched layers that no image was made of. */
#include <sys/file.h>

#include "base/lock-holders.h"
#include "base/strings.h"
#include "images/store-internal.h"

typedef struct Prune {
    ImageStore *store;
    const PruneOptions *options;
    usec_t before;
    ImagePruned pruned;
} Prune;

void image_pruned_done(ImagePruned *pruned)
{
    image_list_done(&pruned->images);
    *pruned = (ImagePruned){ 0 };
}

/* 1: removed (or would be); 0: it stays. */
static int prune_one(const Prune *p, const ImageInfo *info, char **ret_error)
{
    if (info->names || info->in_use || info->record.created > p->before)
        return 0;
    if (p->options->dry_run)
        return 1;
    _cleanup_(closep) int fd = store_open_blob(p->store, info->record.digest);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 0 : -errno;
    if (fd >= 0 && file_has_record_lock(fd) > 0)
        return 0;
    int r = store_remove_image(p->store, info);
    if (r < 0)
        return image_fail_errno(ret_error, r, "the image %s cannot be removed", info->record.digest);
    return 1;
}

static int prune_images(Prune *p, char **ret_error)
{
    _cleanup_(image_list_done) ImageList all = { 0 };
    ImageList *removed = &p->pruned.images;

    _cleanup_(closep) int lock = store_lock(p->store, ret_error);
    if (lock < 0)
        return lock;
    int r = store_list(p->store, &all);
    if (r < 0)
        return image_fail_errno(ret_error, r, "the images cannot be listed");
    for (size_t i = 0; i < all.n_images; i++) {
        if ((r = prune_one(p, &all.images[i], ret_error)) < 0)
            return r;
        ImageInfo *item = r > 0 ? field_append(schema_field(&image_list_schema, "images"), removed) : NULL;
        if (r > 0 && !item)
            return -ENOMEM;
        if (item) {
            schema_done(&image_info_schema, item);
            *item = take_struct(all.images[i]);
        }
    }
    return 0;
}

static int prune_cached(void *userdata, int dir, const char *file, uint64_t size, bool used)
{
    Prune *p = userdata;

    if (used && !p->options->cached)
        return 0;
    int r = p->options->dry_run ? 0 : file_remove_at(dir, file);
    if (r >= 0)
        p->pruned.cached_size += size;
    return r;
}

/* Of what a pull has begun nothing is known yet: while one works, all stays. */
static int prune_cache(Prune *p, char **ret_error)
{
    _cleanup_(closep) int lock = p->store->cache < 0 ? -ENOENT : dir_open_at(p->store->cache, ".");

    if (lock == -ENOENT)
        return 0;
    int r = lock < 0 ? lock : flock(lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
    if (r == -EWOULDBLOCK) {
        p->pruned.cache_busy = true;
        return 0;
    }
    if (r >= 0)
        r = store_each_cached(p->store, p->before, prune_cached, p);
    return r < 0 ? image_fail_errno(ret_error, r, "the cache of layers cannot be pruned") : 0;
}

int image_prune(ImageStore *store, const PruneOptions *options, ImagePruned *ret, char **ret_error)
{
    Prune p = { .store = store,
                .options = options,
                .before = usec_sub(now_usec(CLOCK_REALTIME), options->older_than) };

    if (options->older_than == 0)
        p.before = USEC_INFINITY; /* also what the clock says is from the future */
    int r = store->blobs < 0 || store->names < 0 ? 0 : prune_images(&p, ret_error);
    if (r >= 0 && store->names >= 0)
        r = prune_cache(&p, ret_error);
    if (r < 0) {
        image_pruned_done(&p.pruned);
        return r;
    }
    *ret = p.pruned;
    return 0;
}
