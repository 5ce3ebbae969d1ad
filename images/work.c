/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work directories: where an import happens, how it becomes an image in one rename, and what is done with those whose
 * owner is gone.
 */
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "images/store-internal.h"
#include "images/tree.h"

int image_work_new(ImageStore *store, ImageWork **ret)
{
    Id128 id;
    int r = id128_random(&id);
    if (r < 0)
        return r;

    _cleanup_(image_work_freep) ImageWork *work = calloc(1, sizeof *work);
    if (!work)
        return -ENOMEM;
    work->fd = -1;
    /* Under the store's lock, as otherwise a sweep could come between the directory and the lock on it. */
    _cleanup_(closep) int lock = store_lock(store, NULL);
    if (lock < 0)
        return lock;
    work->store = store;
    id128_format(id, work->name);
    if ((work->fd = dir_make_at(store->work, work->name, 0700)) < 0)
        return work->fd;
    if (flock(work->fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    *ret = take_ptr(work);
    return 0;
}

ImageWork *image_work_free(ImageWork *work)
{
    if (!work)
        return NULL;
    /* What cannot be removed now is removed by the next sweep. */
    if (work->store)
        (void)tree_discard(work->store->work, work->name);
    safe_close(work->fd);
    free(work);
    return NULL;
}

static bool blob_is_there(ImageStore *store, const ImageRecord *record)
{
    struct stat st;
    _cleanup_(image_record_done) ImageRecord old = { 0 };

    _cleanup_(closep) int fd = store_open_blob(store, record->digest);
    if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != record->size)
        return false;
    return store_read_record(store, record->digest, &old) == 0 && old.size == record->size;
}

static int publish_blob(ImageWork *work, const ImageRecord *record)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };
    _cleanup_(freep) char *blob = image_digest_to_file(record->digest, BLOB_SUFFIX);
    _cleanup_(freep) char *file = image_digest_to_file(record->digest, RECORD_SUFFIX);

    int r = blob && file ? schema_to_bytes(&image_record_schema, record, &bytes) : -ENOMEM;
    if (r >= 0)
        r = file_replace_at(work->store->blobs, file, bytes.data, bytes.size, 0600);
    if (r < 0)
        return r;
    /* From here on the image is there. */
    if (renameat(work->fd, WORK_IMAGE_FILE, work->store->blobs, blob) < 0)
        return -errno;
    return fsync(work->store->blobs) < 0 ? -errno : 0;
}

/* Takes back what publish_blob() did, as far as it came; a record alone is nothing to anybody. */
static void unpublish_blob(ImageWork *work, const ImageRecord *record)
{
    _cleanup_(freep) char *blob = image_digest_to_file(record->digest, BLOB_SUFFIX);
    _cleanup_(freep) char *file = image_digest_to_file(record->digest, RECORD_SUFFIX);

    if (blob && file && file_remove_at(work->store->blobs, blob) == 0)
        (void)file_remove_at(work->store->blobs, file);
}

/* The last step of an import, and the only one that a sweep does for a dead one: the waiting name takes its place. */
static int complete(ImageStore *store, int work, const char *canonical)
{
    _cleanup_(freep) char *file = image_name_to_file(canonical);

    if (!file)
        return -ENOMEM;
    return renameat(work, WORK_NAME_FILE, store->names, file) < 0 ? -errno : 0;
}

static int publish_locked(ImageWork *work, const ImageRecord *record, ImageNameRecord *name)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };

    name->created = record->created;
    int r = str_replace(&name->digest, record->digest);
    if (r >= 0)
        r = schema_to_bytes(&image_name_record_schema, name, &bytes);
    if (r >= 0)
        r = file_replace_at(work->fd, WORK_NAME_FILE, bytes.data, bytes.size, 0600);
    if (r < 0)
        return r;
    bool there = blob_is_there(work->store, record);
    if (!there)
        r = publish_blob(work, record);
    if (r >= 0)
        r = complete(work->store, work->fd, name->name);
    if (r < 0 && !there)
        unpublish_blob(work, record);
    if (r < 0)
        return r;
    /* When this fails the image stays: what its name led to before cannot be brought back. */
    return fsync(work->store->names) < 0 ? -errno : 0;
}

int image_work_publish(ImageWork *work, const ImageRecord *record, ImageNameRecord *name, char **ret_error)
{
    _cleanup_(closep) int lock = store_lock(work->store, ret_error);
    if (lock < 0)
        return lock;
    int r = publish_locked(work, record, name);
    return r < 0 ? image_fail_errno(ret_error, r, "the image cannot be put into the store") : 0;
}

/* A work directory whose owner is gone. */
static int recover(ImageStore *store, int work)
{
    _cleanup_(image_name_record_done) ImageNameRecord intent = { 0 };
    _cleanup_(bytes_done) Bytes bytes = { 0 };
    const PackLimits limits = { .size = IMAGE_RECORD_SIZE_MAX, .depth = 8, .count = 1024 };

    if (file_read_at(work, WORK_NAME_FILE, IMAGE_RECORD_SIZE_MAX, &bytes) < 0)
        return 0;
    /* It was cut off while it was written: then nothing came behind it. */
    if (schema_from_bytes(&image_name_record_schema, &intent, bytes.data, bytes.size, &limits, NULL) < 0)
        return 0;
    if (!intent.name || !image_name_valid(intent.name) || !intent.digest ||
        !image_digest_valid(intent.digest))
        return 0;
    _cleanup_(closep) int blob = store_open_blob(store, intent.digest);
    return blob < 0 ? 0 : complete(store, work, intent.name);
}

static int sweep_work(void *userdata, const char *name)
{
    ImageStore *store = userdata;

    _cleanup_(closep) int work = dir_open_at(store->work, name);
    if (work < 0)
        return tree_discard(store->work, name);
    if (flock(work, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 0 : -errno;
    int r = recover(store, work);
    return r < 0 ? r : tree_discard(store->work, name);
}

/* The temporary file of file_replace_at(): ".NAME.new". */
static bool is_remnant(const char *file)
{
    return *file == '.' && str_ends_with(file, ".new");
}

static int sweep_names(void *userdata, const char *file)
{
    ImageStore *store = userdata;
    return is_remnant(file) ? file_remove_at(store->names, file) : 0;
}

static int sweep_blobs(void *userdata, const char *file)
{
    ImageStore *store = userdata;
    char digest[IMAGE_DIGEST_TEXT_SIZE];

    if (is_remnant(file))
        return file_remove_at(store->blobs, file);
    if (image_digest_from_file(file, RECORD_SUFFIX, digest) < 0)
        return 0;
    _cleanup_(closep) int blob = store_open_blob(store, digest);
    return blob == -ENOENT ? file_remove_at(store->blobs, file) : 0;
}

int store_sweep(ImageStore *store)
{
    int r = directory_each(store->work, sweep_work, store);
    if (r >= 0)
        r = directory_each(store->blobs, sweep_blobs, store);
    return r < 0 ? r : directory_each(store->names, sweep_names, store);
}
