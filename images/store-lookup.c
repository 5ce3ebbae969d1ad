/* SPDX-License-Identifier: Apache-2.0 */
/* From what people write to an image: names, digests, and what to say when there is none. */
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "images/store-internal.h"

/* Somebody takes LOCK_EX for a moment to see whether the image is in use; longer than this it is not held. */
static const usec_t use_patience = 5 * USEC_PER_SEC;

typedef struct PrefixSearch {
    const char *hex;
    char found[IMAGE_DIGEST_TEXT_SIZE];
    size_t n_found;
} PrefixSearch;

static int match_prefix(void *userdata, const char *file)
{
    PrefixSearch *search = userdata;
    char digest[IMAGE_DIGEST_TEXT_SIZE];

    if (image_digest_from_file(file, BLOB_SUFFIX, digest) < 0 ||
        !str_after(digest + strlen("sha256:"), search->hex))
        return 0;
    memcpy(search->found, digest, sizeof digest);
    search->n_found++;
    return 0;
}

static int resolve_prefix(ImageStore *store, const char *hex, char ret[IMAGE_DIGEST_TEXT_SIZE])
{
    PrefixSearch search = { .hex = hex };

    int r = store->blobs < 0 ? 0 : directory_each(store->blobs, match_prefix, &search);
    if (r < 0)
        return r;
    if (search.n_found != 1)
        return search.n_found == 0 ? -ENOENT : -ENOTUNIQ;
    memcpy(ret, search.found, sizeof search.found);
    return 0;
}

static int collect_name(void *userdata, const char *file)
{
    _cleanup_(freep) char *name = image_name_from_file(file);

    if (!name)
        return -ENOMEM;
    return image_name_valid(name) ? strv_append(userdata, name) : 0;
}

static int fail_unknown(ImageStore *store, const char *reference, char **ret_error)
{
    _cleanup_(strv_freep) char **names = NULL;

    if (store->names >= 0)
        (void)directory_each(store->names, collect_name, &names);
    const char *near = str_suggest(reference, (const char *const *)names, strv_length(names));
    if (near)
        return image_fail(ret_error, -ENOENT, "there is no image \"%s\"; did you mean \"%s\"?", reference,
                          near);
    return image_fail(ret_error, -ENOENT,
                      "there is no image \"%s\"; `podvisor image list` shows what there is, `podvisor image "
                      "import` adds one, `podvisor image pull` fetches one",
                      reference);
}

static int resolve_name(ImageStore *store, const char *canonical, char ret[IMAGE_DIGEST_TEXT_SIZE])
{
    _cleanup_(image_name_record_done) ImageNameRecord record = { 0 };

    int r = store_read_name(store, canonical, &record);
    if (r < 0)
        return r;
    memcpy(ret, record.digest, IMAGE_DIGEST_TEXT_SIZE);
    return 0;
}

int store_resolve(ImageStore *store, const char *reference, char ret[IMAGE_DIGEST_TEXT_SIZE],
                  char **ret_canonical, char **ret_error)
{
    _cleanup_(freep) char *canonical = NULL;
    const char *hex = image_digest_prefix(reference);

    int r = image_name_canonical(reference, &canonical);
    if (r == -EINVAL && !hex) {
        _cleanup_(freep) char *escaped = str_escape(reference, strlen(reference));
        return image_fail(
            ret_error, r,
            "\"%s\" is no name of an image; names look like \"busybox\" or \"example.org/app:1.2\"",
            escaped ?: "?");
    }
    if (canonical)
        r = resolve_name(store, canonical, ret);
    if (r == -EBADMSG)
        return image_fail(ret_error, r, "the record of the name \"%s\" is damaged; import the image again",
                          reference);
    if (ret_canonical)
        *ret_canonical = NULL;
    if (r >= 0 && ret_canonical)
        *ret_canonical = take_ptr(canonical);
    if ((r == -ENOENT || r == -EINVAL) && hex)
        r = resolve_prefix(store, hex, ret);
    if (r == -ENOTUNIQ)
        return image_fail(ret_error, r, "several images begin with \"%s\"; give more digits", reference);
    if (r == -ENOENT)
        return fail_unknown(store, reference, ret_error);
    return r < 0 ? image_fail_errno(ret_error, r, "the image \"%s\" cannot be looked up", reference) : 0;
}

/* The image itself; 1 when it was removed meanwhile. */
static int open_for_use(ImageStore *store, const char *digest, bool lock, int *ret_fd, uint64_t *ret_size)
{
    struct stat st;

    _cleanup_(closep) int fd = store_open_blob(store, digest);
    if (fd < 0)
        return fd == -ENOENT ? 1 : fd;
    int r = lock ? file_lock(fd, LOCK_SH, use_patience) : 0;
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_nlink == 0)
        return 1;
    *ret_size = (uint64_t)st.st_size;
    *ret_fd = take_fd(&fd);
    return 0;
}

static int fail_open(int r, const char *reference, char **ret_error)
{
    if (r == -EWOULDBLOCK)
        return image_fail(ret_error, r, "the image \"%s\" is being removed", reference);
    if (r == -EBADMSG)
        return image_fail(ret_error, r, "the image \"%s\" is damaged: it is no regular file", reference);
    return image_fail_errno(ret_error, r, "the image \"%s\" cannot be opened", reference);
}

static int fail_record(int r, const char *reference, char **ret_error)
{
    if (r == -EBADMSG || r == -ENOENT || r == -EFBIG || r == -E2BIG)
        return image_fail(ret_error, -EBADMSG,
                          "the record of the image \"%s\" is damaged; remove the image and import it again",
                          reference);
    return image_fail_errno(ret_error, r, "the record of the image \"%s\" cannot be read", reference);
}

static int lookup_digest(ImageStore *store, const char *reference, const char *digest, ImageRecord *ret,
                         int *ret_fd, char **ret_error)
{
    uint64_t size = 0;
    _cleanup_(image_record_done) ImageRecord record = { 0 };
    _cleanup_(closep) int fd = -1;

    int r = open_for_use(store, digest, ret_fd != NULL, &fd, &size);
    if (r != 0)
        return r < 0 ? fail_open(r, reference, ret_error) : r;
    if ((r = store_read_record(store, digest, &record)) < 0)
        return fail_record(r, reference, ret_error);
    if (size != record.size)
        return image_fail(
            ret_error, -EBADMSG,
            "the image \"%s\" is damaged: it has %ju bytes instead of %ju; remove it and import it again",
            reference, (uintmax_t)size, (uintmax_t)record.size);
    if (ret)
        *ret = take_struct(record);
    if (ret_fd)
        *ret_fd = take_fd(&fd);
    return 0;
}

int image_lookup(ImageStore *store, const char *reference, ImageRecord *ret, int *ret_fd, char **ret_error)
{
    char digest[IMAGE_DIGEST_TEXT_SIZE], before[IMAGE_DIGEST_TEXT_SIZE] = "";

    for (;;) {
        int r = store_resolve(store, reference, digest, NULL, ret_error);
        if (r < 0)
            return r;
        r = lookup_digest(store, reference, digest, ret, ret_fd, ret_error);
        if (r <= 0)
            return r;
        /* It went away between the name and the image: the name may lead elsewhere by now. */
        if (streq(digest, before))
            return image_fail(ret_error, -ENOENT,
                              "the image \"%s\" is missing from the store; import it again", reference);
        memcpy(before, digest, sizeof before);
    }
}

int image_verify(ImageStore *store, const char *reference, char **ret_error)
{
    char hex[SHA256_TEXT_SIZE];
    _cleanup_(closep) int fd = -1;
    _cleanup_(image_record_done) ImageRecord record = { 0 };

    int r = image_lookup(store, reference, &record, &fd, ret_error);
    if (r < 0)
        return r;
    if ((r = sha256_text_fd(fd, hex)) < 0)
        return image_fail_errno(ret_error, r, "the image \"%s\" cannot be read", reference);
    assert(record.digest);
    if (streq(hex, record.digest + strlen("sha256:")))
        return 0;
    return image_fail(ret_error, -EBADMSG,
                      "the image \"%s\" is damaged: its content is not %s; remove it and import it again",
                      reference, record.digest);
}
