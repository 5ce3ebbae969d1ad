/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "images/store-internal.h"

static const PackLimits record_limits = { .size = IMAGE_RECORD_SIZE_MAX, .depth = 8, .count = 65536 };

static const usec_t lock_patience = 30 * USEC_PER_SEC;

static _printf_(1, 0) char *sentence(const char *format, va_list args, int error)
{
    _cleanup_(freep) char *text = strf_va(format, args);

    if (!text || error == 0)
        return take_ptr(text);
    return strf("%s: %s", text, strerrordesc_np(-error) ?: "unknown error");
}

int image_fail(char **ret_error, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (ret_error)
        *ret_error = sentence(format, args, 0);
    va_end(args);
    return error;
}

int image_fail_errno(char **ret_error, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (ret_error)
        *ret_error = sentence(format, args, error);
    va_end(args);
    return error;
}

int store_lock(ImageStore *store, char **ret_error)
{
    _cleanup_(closep) int fd = file_open_at(store->root, "lock", O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return image_fail_errno(ret_error, fd, "the image store cannot be locked");
    int r = file_lock(fd, LOCK_EX, lock_patience);
    if (r == -EWOULDBLOCK)
        return image_fail(ret_error, -ETIMEDOUT,
                          "the image store has been locked by another process for too long; see lslocks(8)");
    if (r < 0)
        return image_fail_errno(ret_error, r, "the image store cannot be locked");
    return take_fd(&fd);
}

int directory_each(int dir, DirectoryFunc func, void *userdata)
{
    /* A descriptor of its own: the offset of `dir` is shared. */
    int fd = dir_open_at(dir, ".");
    if (fd < 0)
        return fd;
    _cleanup_(closedirp) DIR *d = fdopendir(fd);
    if (!d) {
        safe_close(fd);
        return -ENOMEM;
    }
    for (struct dirent *e; (errno = 0, e = readdir(d));) {
        if (streq(e->d_name, ".") || streq(e->d_name, ".."))
            continue;
        int r = func(userdata, e->d_name);
        if (r != 0)
            return r;
    }
    return -errno;
}

static int store_open_dirs(ImageStore *store, int state_dir, ImageAccess access)
{
    int (*const open_dir)(int dir, const char *name, mode_t mode) = dir_make_at;
    const struct {
        const char *name;
        int *fd;
    } dirs[] = { { "blobs", &store->blobs },
                 { "names", &store->names },
                 { "work", &store->work },
                 { "cache", &store->cache } };

    if (access == IMAGE_READ) {
        store->root = dir_open_at(state_dir, "images");
        if (store->root == -ENOENT)
            return 0;
    } else {
        store->root = open_dir(state_dir, "images", 0700);
    }
    if (store->root < 0)
        return store->root;
    TABLE_FOREACH (row, dirs) {
        *row->fd = access == IMAGE_READ ? dir_open_at(store->root, row->name)
                                        : open_dir(store->root, row->name, 0700);
        if (*row->fd < 0 && !(access == IMAGE_READ && *row->fd == -ENOENT))
            return *row->fd;
    }
    return 0;
}

int image_store_open(int state_dir, ImageAccess access, ImageStore **ret, char **ret_error)
{
    _cleanup_(image_store_freep) ImageStore *store = malloc(sizeof *store);
    if (!store)
        return -ENOMEM;
    *store = (ImageStore){ -1, -1, -1, -1, -1 };

    int r = store_open_dirs(store, state_dir, access);
    if (r < 0)
        return image_fail_errno(ret_error, r, "the image store cannot be opened");
    if (access == IMAGE_WRITE) {
        _cleanup_(closep) int lock = store_lock(store, ret_error);
        if (lock < 0)
            return lock;
        if ((r = store_sweep(store)) < 0)
            return image_fail_errno(ret_error, r,
                                    "the image store cannot be cleaned of what was interrupted");
    }
    *ret = take_ptr(store);
    return 0;
}

ImageStore *image_store_free(ImageStore *store)
{
    if (!store)
        return NULL;
    safe_close(store->cache);
    safe_close(store->work);
    safe_close(store->names);
    safe_close(store->blobs);
    safe_close(store->root);
    free(store);
    return NULL;
}

static int read_packed(int dir, const char *file, const Schema *schema, void *ret)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };

    if (dir < 0)
        return -ENOENT;
    int r = file_read_at(dir, file, IMAGE_RECORD_SIZE_MAX, &bytes);
    if (r < 0)
        return r;
    return schema_from_bytes(schema, ret, bytes.data, bytes.size, &record_limits, NULL);
}

int store_read_record(ImageStore *store, const char *digest, ImageRecord *ret)
{
    ImageRecord record;
    _cleanup_(freep) char *file = image_digest_to_file(digest, RECORD_SUFFIX);
    if (!file)
        return -ENOMEM;

    int r = read_packed(store->blobs, file, &image_record_schema, &record);
    if (r < 0)
        return r;
    if (!streq_ptr(record.digest, digest)) {
        image_record_done(&record);
        return -EBADMSG;
    }
    *ret = record;
    return 0;
}

int store_read_name(ImageStore *store, const char *canonical, ImageNameRecord *ret)
{
    ImageNameRecord record;
    _cleanup_(freep) char *file = image_name_to_file(canonical);
    if (!file)
        return -ENOMEM;

    int r = read_packed(store->names, file, &image_name_record_schema, &record);
    if (r < 0)
        return r;
    if (!streq_ptr(record.name, canonical) || !record.digest || !image_digest_valid(record.digest)) {
        image_name_record_done(&record);
        return -EBADMSG;
    }
    *ret = record;
    return 0;
}

int store_write_name(ImageStore *store, const ImageNameRecord *record)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };
    _cleanup_(freep) char *file = image_name_to_file(record->name);

    int r = file ? schema_to_bytes(&image_name_record_schema, record, &bytes) : -ENOMEM;
    return r < 0 ? r : file_replace_at(store->names, file, bytes.data, bytes.size, 0600);
}

int store_open_blob(ImageStore *store, const char *digest)
{
    struct stat st;
    _cleanup_(freep) char *file = image_digest_to_file(digest, BLOB_SUFFIX);
    if (!file)
        return -ENOMEM;
    if (store->blobs < 0)
        return -ENOENT;

    _cleanup_(closep) int fd = file_open_at(store->blobs, file, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fd == -ELOOP ? -EBADMSG : fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) ? take_fd(&fd) : -EBADMSG;
}
