/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "images/import-internal.h"
#include "images/oci-layout.h"
#include "images/oci-manifest.h"
#include "images/skopeo.h"

#define PULLED_DIR "pulled" /* in the work directory: the layout, and what is not complete yet */

enum { LIST_DEPTH_MAX = 3 };

static const usec_t default_stall_timeout = 2 * USEC_PER_MINUTE;

typedef struct Pull {
    const PullOptions *options;
    ImageStore *store;
    ImageWork *work;
    ImageReference reference;
    ImageNameRecord name;
    const char *architecture;
    Skopeo skopeo;
    OciManifest manifest;
    char *chosen; /* the digest of that manifest */
    int cache;    /* with LOCK_SH */
    int kept;     /* the blobs in the cache */
    int own;      /* SKOPEO_BLOBS_DIR of the work directory */
    int blobs;    /* the blobs in there */
    int layout;   /* PULLED_DIR */
    PullState state;
    usec_t deadline; /* of all that is fetched */
    usec_t arrived;  /* when something last did */
    const char *late;
} Pull;

void image_pulled_done(ImagePulled *pulled)
{
    image_record_done(&pulled->record);
    free(pulled->name);
    free(pulled->manifest);
    *pulled = (ImagePulled){ 0 };
}

static void pull_done(Pull *p)
{
    safe_close(p->layout);
    safe_close(p->blobs);
    safe_close(p->own);
    safe_close(p->kept);
    safe_close(p->cache);
    image_work_free(p->work);
    image_reference_done(&p->reference);
    image_name_record_done(&p->name);
    oci_manifest_done(&p->manifest);
    free(p->chosen);
}

/* --- how far it is --------------------------------------------------------------------------------------------------- */

static const char *hex_of(const char *digest)
{
    return digest + strlen("sha256:");
}

static int add_partial(void *userdata, const char *name)
{
    Pull *p = userdata;
    struct stat st;

    if (fstatat(p->layout, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        p->state.there += (uint64_t)st.st_size;
    return 0;
}

/* What is complete is kept, whatever becomes of this pull. That it is there already is as good, and a failure costs only another fetch. */
static void keep(const Pull *p, const char *hex)
{
    (void)!linkat(p->blobs, hex, p->kept, hex, 0);
}

/* A layer that is complete has its name; one that is not is in the layout. */
static void measure(Pull *p)
{
    struct stat st;

    p->state =
        (PullState){ .size = p->manifest.size, .layers = p->manifest.n_blobs ? p->manifest.n_blobs - 1 : 0 };
    for (size_t i = 0; i < p->manifest.n_blobs; i++) {
        if (fstatat(p->blobs, hex_of(p->manifest.blobs[i].digest), &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        keep(p, hex_of(p->manifest.blobs[i].digest));
        p->state.there += (uint64_t)st.st_size;
        p->state.layers_there += i > 0;
    }
    (void)directory_each(p->layout, add_partial, p);
}

static int tick(void *userdata)
{
    Pull *p = userdata;
    usec_t now = now_usec(CLOCK_MONOTONIC);
    uint64_t before = p->state.there;

    measure(p);
    if (p->state.there != before)
        p->arrived = now;
    if (usec_sub(now, p->arrived) >= (p->options->stall_timeout ?: default_stall_timeout))
        p->late = "the registry has sent nothing for too long";
    else if (now >= p->deadline)
        p->late = "it takes longer than it may";
    if (p->late)
        return -ETIME;
    return p->options->fetching ? p->options->fetching(p->options->userdata, &p->state) : 0;
}

static int explain_late(const Pull *p, int r, char **ret_error)
{
    if (r == -ETIME && p->late)
        return image_fail(
            ret_error, -ETIMEDOUT,
            "%s, and was given up; what is complete is kept, and the next pull goes on from there", p->late);
    if (r == -ECANCELED)
        return image_fail(ret_error, r,
                          "interrupted; what is complete is kept, and the next pull goes on from there");
    return r;
}

/* --- looking ------------------------------------------------------------------------------------------------------- */

static int look_at(Pull *p, const char *digest, Bytes *ret, char found[IMAGE_DIGEST_TEXT_SIZE],
                   char **ret_error)
{
    char hex[SHA256_TEXT_SIZE];

    p->arrived = now_usec(CLOCK_MONOTONIC);
    int r = tick(p);
    if (r >= 0)
        r = skopeo_inspect(&p->skopeo, &p->reference, digest, ret, ret_error);
    if (r < 0)
        return explain_late(p, r, ret_error);
    sha256_text(ret->data, ret->size, hex);
    image_digest_format(hex, found);
    if (digest && !streq(found, digest))
        return image_fail(ret_error, -EBADMSG, "the registry sent something else than %s: its digest is %s",
                          digest, found);
    return 0;
}

/* From what a list of manifests says to the one manifest for the architecture. */
static int descend(Pull *p, Bytes *document, char **ret_error)
{
    char found[IMAGE_DIGEST_TEXT_SIZE];

    int r = str_replace(&p->chosen, p->name.manifest);
    for (int depth = 0; r >= 0 && depth < LIST_DEPTH_MAX; depth++) {
        _cleanup_(oci_manifest_done) OciManifest manifest = { 0 };
        if ((r = oci_manifest_parse(document, p->architecture, &manifest, ret_error)) < 0)
            return r;
        if (!manifest.next) {
            p->manifest = take_struct(manifest);
            return 0;
        }
        bytes_done(document);
        if ((r = str_replace(&p->chosen, manifest.next)) >= 0)
            r = look_at(p, manifest.next, document, found, ret_error);
    }
    return r < 0 ? r : image_fail(ret_error, -EBADMSG, "its lists of manifests are nested too deep");
}

/* PULL_CURRENT when the name leads to what this digest stands for. */
static int is_current(Pull *p, const char *manifest)
{
    _cleanup_(image_name_record_done) ImageNameRecord before = { 0 };

    int r = store_read_name(p->store, p->name.name, &before);
    if (r < 0 || !streq_ptr(before.manifest, manifest))
        return 0;
    return image_lookup(p->store, p->name.name, NULL, NULL, NULL) < 0 ? 0 : PULL_CURRENT;
}

static int look(Pull *p, char **ret_error)
{
    char found[IMAGE_DIGEST_TEXT_SIZE];
    _cleanup_(bytes_done) Bytes document = { 0 };
    int r;

    if (p->reference.digest && is_current(p, p->reference.digest))
        return (r = str_replace(&p->name.manifest, p->reference.digest)) < 0 ? r : PULL_CURRENT;
    if ((r = look_at(p, p->reference.digest, &document, found, ret_error)) < 0 ||
        (r = str_replace(&p->name.manifest, found)) < 0 || (r = is_current(p, found)) != 0)
        return r;
    return descend(p, &document, ret_error);
}

/* --- fetching ------------------------------------------------------------------------------------------------------ */

/*
 * What is in the cache is used again: by a link, so that this pull has its own. Whatever happened to the disk, or came from it: a file that is
 * not what its name says is fetched again.
 */
static int use_again(Pull *p, const char *hex)
{
    char found[SHA256_TEXT_SIZE];

    _cleanup_(closep) int fd = file_open_at(p->kept, hex, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0 && fd != -ELOOP)
        return fd == -ENOENT ? 0 : fd;
    if (fd < 0 || sha256_text_fd(fd, found) < 0 || !streq(found, hex))
        return file_remove_at(p->kept, hex);
    return linkat(p->kept, hex, p->blobs, hex, 0) < 0 && errno != EEXIST && errno != ENOENT ? -errno : 0;
}

static int use_cache(Pull *p)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < p->manifest.n_blobs; i++) {
        r = use_again(p, hex_of(p->manifest.blobs[i].digest));
        if (r >= 0)
            r = strv_append(&p->name.blobs, p->manifest.blobs[i].digest);
    }
    return r;
}

static int fetch(Pull *p, char **ret_error)
{
    int r = use_cache(p);

    if (r < 0)
        return image_fail_errno(ret_error, r, "what was fetched before cannot be read");
    measure(p);
    p->arrived = now_usec(CLOCK_MONOTONIC);
    r = skopeo_copy(&p->skopeo, &p->reference, p->chosen, PULLED_DIR, ret_error);
    measure(p);
    return explain_late(p, r, ret_error);
}

static int import(Pull *p, ImageRecord *ret, char **ret_error)
{
    const PullOptions *options = p->options;
    const ImportOptions how = {
        .source = options->reference,
        .tag = OCI_STAGED_TAG,
        .architecture = p->architecture,
        .programs = options->programs,
        .progress = options->progress,
        .userdata = options->userdata,
    };
    const ImportSource source = { .kind = SOURCE_LAYOUT,
                                  .fd = take_fd(&p->layout),
                                  .blobs = take_fd(&p->own) };

    return import_into(take_ptr(p->work), &source, &how, &p->name, ret, ret_error);
}

/* --- all of it ------------------------------------------------------------------------------------------------------- */

static int read_options(Pull *p, char **ret_error)
{
    const PullOptions *options = p->options;
    int r = image_reference_parse(options->reference, &p->reference, ret_error);

    if (r < 0)
        return r;
    if (options->name && (image_name_pin(options->name) || !image_name_valid(options->name)))
        return image_fail(
            ret_error, -EINVAL,
            "\"%s\" cannot be a name of an image; names look like \"busybox\" or \"example.org/app:1.2\"",
            options->name);
    if ((r = image_name_canonical(options->name ?: p->reference.name, &p->name.name)) < 0)
        return r;
    return str_replace(&p->name.reference, p->reference.name);
}

static int prepare(Pull *p, char **ret_error)
{
    int r = image_work_new(p->store, &p->work);

    if (r < 0)
        return image_fail_errno(ret_error, r, "the image store cannot be written");
    if ((p->cache = store_use_cache(p->store, ret_error)) < 0)
        return p->cache;
    if ((p->kept = dir_make_at(p->cache, CACHE_BLOBS, 0700)) < 0)
        return p->kept;
    if ((p->own = dir_make_at(p->work->fd, SKOPEO_BLOBS_DIR, 0700)) < 0)
        return p->own;
    if ((p->blobs = dir_make_at(p->own, CACHE_BLOBS, 0700)) < 0)
        return p->blobs;
    if ((p->layout = dir_make_at(p->work->fd, PULLED_DIR, 0700)) < 0)
        return p->layout;
    p->deadline =
        p->options->timeout ? usec_add(now_usec(CLOCK_MONOTONIC), p->options->timeout) : USEC_INFINITY;
    p->skopeo = (Skopeo){ .options = p->options, .work = p->work->fd, .tick = tick, .userdata = p };
    return 0;
}

static int pull_steps(Pull *p, ImageRecord *record, char **ret_error)
{
    int r;

    if ((r = read_options(p, ret_error)) < 0 || (r = prepare(p, ret_error)) < 0 ||
        (r = look(p, ret_error)) < 0)
        return r;
    if (r == PULL_CURRENT)
        return (r = image_lookup(p->store, p->name.name, record, NULL, ret_error)) < 0 ? r : PULL_CURRENT;
    r = fetch(p, ret_error);
    return r < 0 ? r : import(p, record, ret_error);
}

/* Each failure names what was to be pulled; what is wrong with the words themselves names them already. */
static int explain(const Pull *p, int r, char **error, char **ret_error)
{
    if (r == -EINVAL && *error && ret_error)
        *ret_error = take_ptr(*error);
    else if (*error)
        return image_fail(ret_error, r, "\"%s\" cannot be pulled: %s", p->options->reference, *error);
    else
        return image_fail_errno(ret_error, r, "\"%s\" cannot be pulled", p->options->reference);
    return r;
}

int image_pull(ImageStore *store, const PullOptions *options, ImagePulled *ret, char **ret_error)
{
    _cleanup_(freep) char *error = NULL;
    _cleanup_(image_pulled_done) ImagePulled pulled = { 0 };
    _cleanup_(pull_done) Pull p = {
        .options = options,
        .store = store,
        .architecture = options->architecture ?: host_architecture(),
        .cache = -1,
        .kept = -1,
        .own = -1,
        .blobs = -1,
        .layout = -1,
    };

    int r = pull_steps(&p, &pulled.record, &error);
    if (r < 0)
        return explain(&p, r, &error, ret_error);
    pulled.name = take_ptr(p.name.name);
    pulled.manifest = take_ptr(p.name.manifest);
    if (ret)
        *ret = take_struct(pulled);
    return r;
}
