/* SPDX-License-Identifier: Apache-2.0 */
/* Listing, naming and removing images. Each change is made under the store's lock. */
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/lock-holders.h"
#include "base/strings.h"
#include "images/store-internal.h"

/* True when somebody runs the image. Under the store's lock, so that two who look do not take each other for users. */
static bool blob_in_use(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK;
    (void)flock(fd, LOCK_UN);
    /* A QEMU of libvirt has opened it by itself, and has locked it in its own way. */
    return file_has_record_lock(fd) > 0;
}

typedef struct Listing {
    ImageStore *store;
    ImageList *list;
} Listing;

static const char *describe_problem(ImageStore *store, const char *digest, ImageInfo *info)
{
    struct stat st;
    ImageRecord record;

    _cleanup_(closep) int fd = store_open_blob(store, digest);
    if (fd < 0 || fstat(fd, &st) < 0)
        return "its file cannot be read";
    info->in_use = blob_in_use(fd);
    int r = store_read_record(store, digest, &record);
    if (r < 0)
        return r == -ENOMEM ? "out of memory" : "its record is damaged";
    image_record_done(&info->record);
    info->record = record;
    return (uint64_t)st.st_size == record.size ? NULL : "its file has another size than was recorded";
}

static int list_blob(void *userdata, const char *file)
{
    Listing *listing = userdata;
    char digest[IMAGE_DIGEST_TEXT_SIZE];

    if (image_digest_from_file(file, BLOB_SUFFIX, digest) < 0)
        return 0;
    ImageInfo *info = field_append(schema_field(&image_list_schema, "images"), listing->list);
    if (!info || str_replace(&info->record.digest, digest) < 0)
        return -ENOMEM;
    return str_replace(&info->problem, describe_problem(listing->store, digest, info));
}

static int add_name(ImageInfo *info, const ImageNameRecord *name)
{
    int r = strv_append(&info->names, name->name);

    if (r < 0 || !name->reference || !name->manifest)
        return r;
    return strv_appendf(&info->pulled, "%.*s@%s", (int)strcspn(name->reference, "@"), name->reference,
                        name->manifest);
}

static int list_name(void *userdata, const char *file)
{
    Listing *listing = userdata;
    _cleanup_(image_name_record_done) ImageNameRecord name = { 0 };
    _cleanup_(freep) char *canonical = image_name_from_file(file);
    if (!canonical)
        return -ENOMEM;

    /* A damaged name is told by the lookup of it; it must not hide the images. */
    if (!image_name_valid(canonical) || store_read_name(listing->store, canonical, &name) < 0)
        return 0;
    for (size_t i = 0; i < listing->list->n_images; i++)
        if (streq(listing->list->images[i].record.digest, name.digest))
            return add_name(&listing->list->images[i], &name);
    return 0;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_strings(char **v)
{
    if (v)
        qsort(v, strv_length(v), sizeof *v, compare_strings);
}

static int compare_infos(const void *a, const void *b)
{
    const ImageInfo *x = a, *y = b;

    if (!x->names != !y->names)
        return x->names ? -1 : 1;
    return strcmp(x->names ? x->names[0] : x->record.digest, y->names ? y->names[0] : y->record.digest);
}

int store_list(ImageStore *store, ImageList *ret)
{
    _cleanup_(image_list_done) ImageList list = { 0 };
    Listing listing = { store, &list };

    int r = directory_each(store->blobs, list_blob, &listing);
    if (r >= 0)
        r = directory_each(store->names, list_name, &listing);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.n_images; i++) {
        sort_strings(list.images[i].names);
        sort_strings(list.images[i].pulled);
    }
    if (list.n_images > 0)
        qsort(list.images, list.n_images, sizeof *list.images, compare_infos);
    *ret = take_struct(list);
    return 0;
}

int image_list(ImageStore *store, ImageList *ret, char **ret_error)
{
    if (store->blobs < 0 || store->names < 0) {
        *ret = (ImageList){ 0 };
        return 0;
    }
    _cleanup_(closep) int lock = store_lock(store, ret_error);
    if (lock < 0)
        return lock;
    int r = store_list(store, ret);
    return r < 0 ? image_fail_errno(ret_error, r, "the images cannot be listed") : 0;
}

int image_tag(ImageStore *store, const char *reference, const char *name, char **ret_error)
{
    char digest[IMAGE_DIGEST_TEXT_SIZE];
    _cleanup_(freep) char *canonical = NULL;

    int r = image_name_canonical(name, &canonical);
    if (r == -EINVAL)
        return image_fail(ret_error, r, "\"%s\" cannot be a name of an image", name);
    if (r < 0)
        return r;
    if (image_name_pin(canonical))
        return image_fail(
            ret_error, -EINVAL,
            "\"%s\" cannot be given as a name: only what is pulled is named by the digest of a registry",
            name);
    _cleanup_(closep) int lock = store_lock(store, ret_error);
    if (lock < 0)
        return lock;
    if ((r = store_resolve(store, reference, digest, NULL, ret_error)) < 0)
        return r;
    _cleanup_(closep) int fd = store_open_blob(store, digest);
    if (fd < 0)
        return image_fail_errno(ret_error, fd, "the image \"%s\" cannot be opened", reference);
    r = store_write_name(
        store,
        &(ImageNameRecord){ .name = canonical, .digest = digest, .created = now_usec(CLOCK_REALTIME) });
    return r < 0 ? image_fail_errno(ret_error, r, "the name \"%s\" cannot be written", canonical) : 0;
}

/* Appends "4711 (qemu-system-x86)". One that has ended has left the lock to others. */
static void add_user(void *userdata, pid_t pid)
{
    char path[64], name[32];

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *comm = pid > 0 ? fopen(path, "re") : NULL;
    if (comm && fgets(name, sizeof name, comm))
        (void)strv_appendf(userdata, "%d (%.*s)", (int)pid, (int)strcspn(name, "\n"), name);
    if (comm)
        fclose(comm);
}

/* The processes that the kernel names as holders of a lock on fd; best effort, may be NULL. */
static char *blob_users(int fd)
{
    _cleanup_(strv_freep) char **users = NULL;
    struct stat st;

    if (fstat(fd, &st) == 0)
        (void)lock_holders(&st, add_user, &users);
    return users ? strv_join(users, ", ") : NULL;
}

/* LOCK_EX, so that nobody can begin to use it; -EBUSY with the users in the sentence. */
static int claim_blob(int fd, const char *what, char **ret_error)
{
    bool claimed = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!claimed && errno != EWOULDBLOCK)
        return image_fail_errno(ret_error, -errno, "the image \"%s\" cannot be locked", what);
    if (claimed && file_has_record_lock(fd) <= 0)
        return 0;
    _cleanup_(freep) char *users = blob_users(fd);
    return image_fail(ret_error, -EBUSY, "the image \"%s\" is in use%s%s; stop the pods that run it first",
                      what, users ? " by process " : "", users ?: "");
}

static int remove_name(ImageStore *store, const char *canonical)
{
    _cleanup_(freep) char *file = image_name_to_file(canonical);
    return file ? file_remove_at(store->names, file) : -ENOMEM;
}

static int remove_file_of(ImageStore *store, const char *digest, const char *suffix)
{
    _cleanup_(freep) char *file = image_digest_to_file(digest, suffix);
    return file ? file_remove_at(store->blobs, file) : -ENOMEM;
}

/* Names, image, record: at each point in between what is left is whole, or nothing to anybody. */
int store_remove_image(ImageStore *store, const ImageInfo *info)
{
    const char *digest = info->record.digest;
    int r = 0;

    STRV_FOREACH (name, info->names)
        if (r >= 0)
            r = remove_name(store, *name);
    if (r >= 0 && info->names && fsync(store->names) < 0)
        r = -errno;
    if (r >= 0)
        r = remove_file_of(store, digest, BLOB_SUFFIX);
    if (r >= 0 && fsync(store->blobs) < 0)
        r = -errno;
    return r < 0 ? r : remove_file_of(store, digest, RECORD_SUFFIX);
}

static const ImageInfo *find_digest(const ImageList *list, const char *digest)
{
    for (size_t i = 0; i < list->n_images; i++)
        if (streq(list->images[i].record.digest, digest))
            return &list->images[i];
    return NULL;
}

/* canonical is the name that was said, NULL when it was a digest. */
static int remove_locked(ImageStore *store, const char *digest, const char *canonical, const char *reference,
                         char **ret_error)
{
    _cleanup_(image_list_done) ImageList list = { 0 };

    int r = store_list(store, &list);
    if (r < 0)
        return image_fail_errno(ret_error, r, "the images cannot be listed");
    const ImageInfo *info = find_digest(&list, digest);
    _cleanup_(closep) int fd = info ? store_open_blob(store, digest) : -ENOENT;
    if (fd >= 0 && (r = claim_blob(fd, reference, ret_error)) < 0)
        return r;
    /* A name that leads nowhere can be removed too. */
    if (canonical && (!info || strv_length(info->names) > 1))
        r = remove_name(store, canonical);
    else if (info)
        r = store_remove_image(store, info);
    return r < 0 ? image_fail_errno(ret_error, r, "the image \"%s\" cannot be removed", reference) : 0;
}

int image_remove(ImageStore *store, const char *reference, char **ret_error)
{
    char digest[IMAGE_DIGEST_TEXT_SIZE];
    _cleanup_(freep) char *canonical = NULL;

    _cleanup_(closep) int lock = store_lock(store, ret_error);
    if (lock < 0)
        return lock;
    int r = store_resolve(store, reference, digest, &canonical, ret_error);
    return r < 0 ? r : remove_locked(store, digest, canonical, reference, ret_error);
}
