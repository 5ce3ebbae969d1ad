/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The image store: read-only erofs files by digest, and names that lead to them, under images/ of a state directory.
 *
 * Theory of operation
 * -------------------
 *     blobs/sha256-<hex>.erofs      the image, mode 0400, never written again
 *     blobs/sha256-<hex>.msgpack    its ImageRecord
 *     names/<name>                  an ImageNameRecord; + stands for / in the file's name
 *     work/<uuid>/                  an import under way, flock'ed by whoever runs it (and by its children)
 *     cache/sha256/<hex>            what was fetched from registries: layers, configurations, manifests; LOCK_SH on cache/ by
 *                                   pulls, LOCK_EX by whoever removes from it
 *     lock                          flock'ed for each change, for moments only: never while anything is unpacked
 *
 * There is no index: a change costs what changed. An image is there exactly when its .erofs is; so an import writes the
 * record first and ends with the rename of the .erofs, and a removal begins with the name and ends with the record.
 * What a killed program leaves (work directories that nobody holds, records without an image, half-written files) is no image
 * to anybody, and is removed when the store is next opened for writing. A killed import that had its .erofs in place is
 * completed then: its name waits in the work directory.
 *
 * Whoever runs an image holds LOCK_SH by flock(2) on the descriptor that image_lookup() returned, or on a copy of it:
 * the lock goes on in each process that inherits the descriptor. So QEMU itself keeps its image from being removed, however
 * the programs around it end. LOCK_EX on an image is taken only under the store's lock.
 *
 * Errors are negative errno; `ret_error`, where wanted, is then a sentence for people (malloc'ed; NULL when out of memory)
 * that says what to do. On success it is not touched.
 */
#include "images/image-record.h"

typedef struct ImageStore ImageStore;

typedef enum ImageAccess {
    IMAGE_READ,  /* a store that is not there yet is an empty one */
    IMAGE_WRITE, /* makes what is missing, and removes what killed programs left */
} ImageAccess;

/* state_dir is only used during the call. */
int image_store_open(int state_dir, ImageAccess access, ImageStore **ret, char **ret_error);
ImageStore *image_store_free(ImageStore *store);
DEFINE_CLEANUP(ImageStore *, image_store_free)

/*
 * The image that a name, a digest or a unique beginning of a digest leads to. *ret (may be NULL) is the caller's to
 * image_record_done(). *ret_fd is the image, O_RDONLY, of the recorded size, with LOCK_SH held: keep it, or a copy that was
 * inherited, open for as long as the image is used. With ret_fd NULL no lock is waited for.
 *
 * -EINVAL: no name and no digest. -ENOENT: no such image. -ENOTUNIQ: several begin so. -EBADMSG: the image or its record is
 * damaged.
 */
int image_lookup(ImageStore *store, const char *reference, ImageRecord *ret, int *ret_fd, char **ret_error);

/* All images, by their first names, then those without one. *ret is the caller's to image_list_done(). */
int image_list(ImageStore *store, ImageList *ret, char **ret_error);

/* Reads the whole image: 0 when its digest is right, -EBADMSG when not; and the errors of image_lookup(). */
int image_verify(ImageStore *store, const char *reference, char **ret_error);

/* Another name for an image. The store is open for writing, here and below. */
int image_tag(ImageStore *store, const char *reference, const char *name, char **ret_error);

/*
 * By name: the name, and the image too if no other name leads to it. By digest: the image and all its names. -EBUSY, with nothing
 * done, when the image is in use.
 */
int image_remove(ImageStore *store, const char *reference, char **ret_error);

/* What pulls have left in the cache, in bytes. */
typedef struct ImageCache {
    uint64_t size; /* all of it */
    uint64_t
        unused; /* of it what no image with a name was made of: interrupted pulls, images that are gone */
} ImageCache;
int image_cache_look(ImageStore *store, ImageCache *ret, char **ret_error);

typedef struct PruneOptions {
    bool dry_run;      /* only tell; then a store open for reading will do */
    bool cached;       /* also cached layers that images were made of */
    usec_t older_than; /* only what was imported or fetched longer ago than this */
} PruneOptions;

typedef struct ImagePruned {
    ImageList images;     /* what was (or would be) removed */
    uint64_t cached_size; /* bytes that were (or would be) removed from the cache */
    bool cache_busy;      /* the cache was left as it is: a pull is under way */
} ImagePruned;

void image_pruned_done(ImagePruned *pruned);

/* Removes all images that have no name and are not in use, and what lies unused in the cache. *ret is the caller's to image_pruned_done(). */
int image_prune(ImageStore *store, const PruneOptions *options, ImagePruned *ret, char **ret_error);
