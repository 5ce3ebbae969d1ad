/* SPDX-License-Identifier: Apache-2.0 */
/* What pulls have fetched, and who still needs it. */
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "images/store-internal.h"

/* Somebody removes a few files. */
static const usec_t use_patience = 30 * USEC_PER_SEC;

int store_use_cache(ImageStore *store, char **ret_error)
{
    /* A descriptor of its own, for a lock of its own. */
    _cleanup_(closep) int fd = dir_open_at(store->cache, ".");
    int r = fd < 0 ? fd : file_lock(fd, LOCK_SH, use_patience);

    return r < 0 ? image_fail_errno(ret_error, r, "the cache of layers cannot be used") : take_fd(&fd);
}

typedef struct CacheWalk {
    ImageStore *store;
    int dir;     /* the cache's blobs */
    char **used; /* digests that some name's image was made of, sorted */
    size_t n_used;
    usec_t before; /* only what is older than this */
    CacheFunc func;
    void *userdata;
} CacheWalk;

static int collect_used(void *userdata, const char *file)
{
    CacheWalk *walk = userdata;
    _cleanup_(image_name_record_done) ImageNameRecord name = { 0 };
    _cleanup_(freep) char *canonical = image_name_from_file(file);

    if (!canonical)
        return -ENOMEM;
    if (!image_name_valid(canonical) || store_read_name(walk->store, canonical, &name) < 0)
        return 0;
    STRV_FOREACH (digest, name.blobs) {
        int r = strv_append(&walk->used, *digest);
        if (r < 0)
            return r;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int visit(void *userdata, const char *file)
{
    CacheWalk *walk = userdata;
    struct stat st;
    _cleanup_(freep) char *digest = strf("sha256:%s", file);
    if (!digest)
        return -ENOMEM;

    if (!image_digest_valid(digest) || fstatat(walk->dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if ((usec_t)MAX(st.st_mtim.tv_sec, 0) * USEC_PER_SEC > walk->before)
        return 0;
    bool used = walk->used && bsearch(&digest, walk->used, walk->n_used, sizeof *walk->used, compare);
    return walk->func(walk->userdata, walk->dir, file, (uint64_t)st.st_size, used);
}

int store_each_cached(ImageStore *store, usec_t before, CacheFunc func, void *userdata)
{
    CacheWalk walk = { .store = store, .before = before, .func = func, .userdata = userdata };
    int r = 0;

    _cleanup_(closep) int dir =
        store->cache < 0 || store->names < 0 ? -ENOENT : dir_open_at(store->cache, CACHE_BLOBS);
    if (dir == -ENOENT)
        return 0;
    walk.dir = dir;
    if (dir < 0 || (r = directory_each(store->names, collect_used, &walk)) < 0) {
        strv_free(walk.used);
        return dir < 0 ? dir : r;
    }
    walk.n_used = strv_length(walk.used);
    if (walk.used)
        qsort(walk.used, walk.n_used, sizeof *walk.used, compare);
    r = directory_each(dir, visit, &walk);
    strv_free(walk.used);
    return r;
}

static int add_up(void *userdata, int dir, const char *file, uint64_t size, bool used)
{
    ImageCache *cache = userdata;

    cache->size += size;
    cache->unused += used ? 0 : size;
    return 0;
}

int image_cache_look(ImageStore *store, ImageCache *ret, char **ret_error)
{
    ImageCache cache = { 0 };

    int r = store_each_cached(store, USEC_INFINITY, add_up, &cache);
    if (r < 0)
        return image_fail_errno(ret_error, r, "the cache of layers cannot be read");
    *ret = cache;
    return 0;
}
