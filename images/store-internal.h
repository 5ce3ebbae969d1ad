/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the image store share. Nobody else includes this. */
#include "base/file.h"
#include "images/image-name.h"
#include "images/image-store.h"

#define BLOB_SUFFIX ".erofs"
#define RECORD_SUFFIX ".msgpack"
#define WORK_NAME_FILE "name"   /* in a work directory: the ImageNameRecord that completes it */
#define WORK_IMAGE_FILE "image" /* in a work directory: the erofs file to be */
#define CACHE_BLOBS "sha256"    /* in the cache: what was fetched, by the digits of its digest */

struct ImageStore {
    int root, blobs, names, work, cache; /* directories; all -1: nothing was ever imported */
};

/* A work directory, with its lock held by `fd` and whoever inherits it. */
typedef struct ImageWork {
    ImageStore *store;
    char name[ID128_TEXT_SIZE];
    int fd;
} ImageWork;

/* Sets *ret_error (if wanted) to the sentence and returns error, for `return image_fail(...)`. */
int image_fail(char **ret_error, int error, const char *format, ...) _printf_(3, 4);
/* The same with ": <what errno says>" behind the sentence. */
int image_fail_errno(char **ret_error, int error, const char *format, ...) _printf_(3, 4);

/* The store's lock as a descriptor; closing it gives the lock back. -ETIMEDOUT when somebody keeps it. */
int store_lock(ImageStore *store, char **ret_error) _warn_unused_;

/* Removes what killed programs left, and completes the imports that can be. */
int store_sweep(ImageStore *store);

int store_read_record(ImageStore *store, const char *digest, ImageRecord *ret);
int store_read_name(ImageStore *store, const char *canonical, ImageNameRecord *ret);
int store_write_name(ImageStore *store, const ImageNameRecord *record);
/* O_RDONLY, no lock. -ENOENT: there is no such image. -EBADMSG: what stands in its place is no regular file. */
int store_open_blob(ImageStore *store, const char *digest) _warn_unused_;
/* The digest that a reference leads to; *ret_canonical (may be NULL) is the name that led to it, or NULL. The image may be gone. */
int store_resolve(ImageStore *store, const char *reference, char ret[IMAGE_DIGEST_TEXT_SIZE],
                  char **ret_canonical, char **ret_error);

/* All images; under the store's lock, here and below. */
int store_list(ImageStore *store, ImageList *ret);
int store_remove_image(ImageStore *store, const ImageInfo *info);

/* Calls func for each name in a directory, dotfiles included, in no order, until it returns other than 0; returns that. */
typedef int (*DirectoryFunc)(void *userdata, const char *name);
int directory_each(int dir, DirectoryFunc func, void *userdata);

/* A new work directory, empty, locked. */
int image_work_new(ImageStore *store, ImageWork **ret);
/* Removes it and all in it. */
ImageWork *image_work_free(ImageWork *work);
DEFINE_CLEANUP(ImageWork *, image_work_free)
/*
 * Makes the work's WORK_IMAGE_FILE the image that the record tells of, and the name (its canonical form, and where it is from) lead to
 * it. The record of an image that is there already stays as it is.
 */
int image_work_publish(ImageWork *work, const ImageRecord *record, ImageNameRecord *name, char **ret_error);

/*
 * The cache, for whoever adds to it or reads from it: a descriptor with LOCK_SH, under which nothing is removed. The store is open for
 * writing.
 */
int store_use_cache(ImageStore *store, char **ret_error) _warn_unused_;

/*
 * Calls func for each file of the cache that came before that time, with whether the image of some name was made of it, until it returns
 * other than 0; returns that. What is to be removed needs LOCK_EX on the cache.
 */
typedef int (*CacheFunc)(void *userdata, int dir, const char *file, uint64_t size, bool used);
int store_each_cached(ImageStore *store, usec_t before, CacheFunc func, void *userdata);
