/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "base/digest.h"
#include "base/strings.h"
#include "images/image-name.h"
#include "images/oci-json.h"
#include "images/oci-layout.h"
#include "images/oci-manifest.h"
#include "images/store-internal.h"
#include "schemas/formats.h"

enum { INDEX_DEPTH_MAX = 3 };

#define ANNOTATION_TAG "org.opencontainers.image.ref.name"

void oci_image_done(OciImage *image)
{
    schema_done(&image_config_schema, &image->config);
    free(image->index);
    free(image->architecture);
    *image = (OciImage){ 0 };
}

/* --- documents ------------------------------------------------------------------------------------------------------- */

static int read_files(const OciLayout *layout, const char *digest, size_t size_max, Bytes *ret)
{
    if (!digest)
        return file_read_at(layout->dir, "index.json", size_max, ret);
    _cleanup_(freep) char *path = strf("sha256/%s", digest + strlen("sha256:"));
    return path ? file_read_at(layout->blobs, path, size_max, ret) : -ENOMEM;
}

static int read_bytes(const OciLayout *layout, const char *digest, Bytes *ret)
{
    return (layout->read ?: read_files)(layout, digest, OCI_DOCUMENT_SIZE_MAX, ret);
}

static int read_index(const OciLayout *layout, json_t **ret)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };

    int r = read_bytes(layout, NULL, &bytes);
    return r < 0 ? r : oci_json_parse(bytes.data, bytes.size, ret);
}

/* The document that a descriptor {digest, size} points to, checked. */
static int read_blob(const OciLayout *layout, const json_t *descriptor, json_t **ret, char **ret_error)
{
    char hex[SHA256_TEXT_SIZE];
    _cleanup_(bytes_done) Bytes bytes = { 0 };
    const char *digest = oci_json_text(descriptor, "digest");

    if (!digest || !image_digest_valid(digest))
        return image_fail(ret_error, -EBADMSG, "the layout names a document without a usable SHA-256 digest");
    int r = read_bytes(layout, digest, &bytes);
    if (r < 0)
        return image_fail_errno(ret_error, r == -ENOENT ? -EBADMSG : r, "the layout's %s cannot be read",
                                digest);
    sha256_text(bytes.data, bytes.size, hex);
    if (!streq(hex, digest + strlen("sha256:")))
        return image_fail(ret_error, -EBADMSG, "the layout is damaged: the content of %s is another", digest);
    r = oci_json_parse(bytes.data, bytes.size, ret);
    return r < 0 ? image_fail(ret_error, r, "the layout's %s is not JSON", digest) : 0;
}

bool oci_layout_detect(int dir)
{
    struct stat st;

    return fstatat(dir, "oci-layout", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           fstatat(dir, "index.json", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* --- choosing a manifest ----------------------------------------------------------------------------------------------- */

static const char *tag_of(const json_t *descriptor)
{
    return oci_json_text(json_object_get(descriptor, "annotations"), ANNOTATION_TAG);
}

/* Those of the manifests that have the tag (NULL: all), as a new array of borrowed references. */
static json_t *with_tag(const json_t *manifests, const char *tag)
{
    size_t i;
    json_t *descriptor, *found = json_array();

    json_array_foreach((json_t *)manifests, i, descriptor)
    {
        if (!tag || streq_ptr(tag_of(descriptor), tag))
            json_array_append(found, descriptor);
    }
    return found;
}

static char *list_tags(const json_t *descriptors)
{
    size_t i;
    json_t *descriptor;
    _cleanup_(strv_freep) char **words = NULL;

    json_array_foreach((json_t *)descriptors, i, descriptor) oci_add_word(&words, tag_of(descriptor));
    return oci_join_words(words);
}

static int choose_platform(const json_t *descriptors, const char *architecture, const json_t **ret,
                           char **ret_error)
{
    const json_t *chosen;
    size_t n_fitting = oci_fitting(descriptors, architecture, &chosen);

    if (n_fitting == 0)
        return oci_fail_platform(descriptors, architecture, ret_error);
    *ret = chosen;
    return n_fitting > 1 ? -ENOTUNIQ : 0;
}

static int choose_tag(const json_t *manifests, const char *tag, const char *architecture, const json_t **ret,
                      char **ret_error)
{
    _cleanup_(json_releasep) json_t *tagged = with_tag(manifests, tag);
    _cleanup_(freep) char *words = list_tags(manifests);

    if (json_array_size(tagged) == 0)
        return image_fail(ret_error, -ENOENT, "the layout has no image tagged \"%s\"; its tags are: %s",
                          tag ?: "", words ?: "?");
    int r = choose_platform(tagged, architecture, ret, ret_error);
    if (r != -ENOTUNIQ)
        return r;
    if (!tag) {
        _cleanup_(json_releasep) json_t *latest = with_tag(manifests, "latest");
        r = json_array_size(latest) > 0 ? choose_platform(latest, architecture, ret, ret_error) : r;
    }
    return r == -ENOTUNIQ
               ? image_fail(ret_error, r, "the layout has several images; choose one by its tag: %s",
                            words ?: "?")
               : r;
}

/* From index.json down to one manifest; nested indexes are for several architectures. */
static int choose_manifest(const OciLayout *layout, const json_t *index, const char *tag,
                           const char *architecture, json_t **ret, char **ret_error)
{
    _cleanup_(json_releasep) json_t *document = NULL;
    const json_t *chosen = NULL;

    for (int depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
        const json_t *manifests = json_object_get(document ?: index, "manifests");
        if (json_array_size(manifests) == 0)
            return image_fail(ret_error, -EBADMSG, "the layout holds no image");
        int r = choose_tag(manifests, depth == 0 ? tag : NULL, architecture, &chosen, ret_error);
        if (r < 0)
            return r;
        const char *type = oci_json_text(chosen, "mediaType") ?: OCI_MEDIA "manifest.v1+json";
        if (streq(type, OCI_MEDIA "manifest.v1+json")) {
            *ret = json_deep_copy(chosen);
            return *ret ? 0 : -ENOMEM;
        }
        if (!streq(type, OCI_MEDIA "index.v1+json"))
            break;
        json_t *next = NULL;
        if ((r = read_blob(layout, chosen, &next, ret_error)) < 0)
            return r;
        json_decref(document);
        document = next;
    }
    return image_fail(ret_error, -EBADMSG,
                      "the layout's image is of a kind that cannot be unpacked; "
                      "`skopeo copy oci:DIR oci:NEWDIR:latest` makes one that can");
}

/* --- configuration -------------------------------------------------------------------------------------------------- */

/* Elements that are no text are skipped: such a configuration says nothing that could be run. */
static int get_strings(const json_t *object, const char *key, bool assignments, char ***ret)
{
    size_t i;
    json_t *element;

    json_array_foreach(json_object_get(object, key), i, element)
    {
        const char *text = json_string_value(element);
        if (!text || (assignments && (*text == '=' || !strchr(text, '='))))
            continue;
        int r = i < IMAGE_STRINGS_MAX ? strv_append(ret, text) : -E2BIG;
        if (r < 0)
            return r;
    }
    return 0;
}

static int get_word(const json_t *object, const char *key, const Format *format, char **ret, char **ret_error)
{
    const char *text = oci_json_text(object, key);

    if (str_empty(text))
        return 0;
    if (format->valid(text))
        return str_replace(ret, text);
    _cleanup_(freep) char *escaped = str_escape(text, strlen(text));
    return image_fail(ret_error, -EBADMSG, "its configuration has %s = \"%s\", which is not %s", key,
                      escaped ?: "?", format->accepted);
}

/* "/srv/" and "srv//www" are written by some tools; all lead from the root. */
static int get_working_dir(const json_t *object, char **ret, char **ret_error)
{
    const char *text = oci_json_text(object, "WorkingDir");

    if (str_empty(text))
        return 0;
    _cleanup_(strv_freep) char **steps = strv_split(text, "/");
    _cleanup_(freep) char *joined = steps ? strv_join(steps, "/") : strdup("");
    _cleanup_(freep) char *path = joined ? strf("/%s", joined) : NULL;
    _cleanup_(json_releasep) json_t *clean = path ? json_pack("{s:s}", "WorkingDir", path) : NULL;
    return clean ? get_word(clean, "WorkingDir", &format_absolute_path, ret, ret_error) : -ENOMEM;
}

static int read_config(const json_t *document, OciImage *image, char **ret_error)
{
    const json_t *config = json_object_get(document, "config");
    int r;

    if ((r = get_strings(config, "Entrypoint", false, &image->config.entrypoint)) < 0 ||
        (r = get_strings(config, "Cmd", false, &image->config.command)) < 0 ||
        (r = get_strings(config, "Env", true, &image->config.environment)) < 0 ||
        (r = get_word(config, "User", &format_user, &image->config.user, ret_error)) < 0 ||
        (r = get_word(config, "StopSignal", &format_signal, &image->config.stop_signal, ret_error)) < 0 ||
        (r = get_working_dir(config, &image->config.working_dir, ret_error)) < 0)
        return r;
    return get_word(document, "architecture", &format_line, &image->architecture, ret_error);
}

static int check_system(const json_t *config, const OciImage *image, const char *architecture,
                        char **ret_error)
{
    const char *os = oci_json_text(config, "os");

    if (os && !streq(os, "linux"))
        return image_fail(ret_error, -ENOEXEC, "it is not an image for Linux");
    if (image->architecture && !streq(image->architecture, architecture))
        return image_fail(ret_error, -ENOEXEC, "it is an image for %s; this host runs %s",
                          image->architecture, architecture);
    return 0;
}

/* umoci knows these, and says little about others. */
static bool layer_known(const char *type)
{
    static const char *const known[] = { OCI_MEDIA "layer.v1.tar", OCI_MEDIA "layer.v1.tar+gzip",
                                         OCI_MEDIA "layer.nondistributable.v1.tar",
                                         OCI_MEDIA "layer.nondistributable.v1.tar+gzip" };
    TABLE_FOREACH (row, known)
        if (streq_ptr(type, *row))
            return true;
    return false;
}

static int check_layers(const json_t *manifest, char **ret_error)
{
    size_t i;
    json_t *layer;

    if (json_array_size(json_object_get(manifest, "layers")) > OCI_LAYERS_MAX)
        return image_fail(ret_error, -E2BIG, "it has more than %d layers", OCI_LAYERS_MAX);
    json_array_foreach(json_object_get(manifest, "layers"), i, layer)
    {
        const char *type = oci_json_text(layer, "mediaType"), *digest = oci_json_text(layer, "digest");
        if (!layer_known(type))
            return image_fail(
                ret_error, -EBADMSG,
                "it has a layer that cannot be unpacked here; `skopeo copy --dest-compress-format gzip "
                "oci:DIR oci:NEWDIR:latest` makes one that can");
        if (!digest || !image_digest_valid(digest))
            return image_fail(ret_error, -EBADMSG,
                              "the layout names a layer without a usable SHA-256 digest");
    }
    return 0;
}

/* The chosen manifest as the only one, so that what we have checked is what umoci unpacks. */
static int make_index(const json_t *descriptor, char **ret)
{
    _cleanup_(json_releasep) json_t *index =
        json_pack("{s:i, s:[{s:s, s:O, s:O, s:{s:s}}]}", "schemaVersion", 2, "manifests", "mediaType",
                  OCI_MEDIA "manifest.v1+json", "digest", json_object_get(descriptor, "digest"), "size",
                  json_object_get(descriptor, "size"), "annotations", ANNOTATION_TAG, OCI_STAGED_TAG);
    char *text = index ? json_dumps(index, JSON_COMPACT) : NULL;

    if (!text)
        return index ? -ENOMEM : -EBADMSG;
    *ret = text;
    return 0;
}

static int read_chosen(const OciLayout *layout, const json_t *descriptor, const char *architecture,
                       OciImage *image, char **ret_error)
{
    _cleanup_(json_releasep) json_t *manifest = NULL;
    _cleanup_(json_releasep) json_t *config = NULL;
    int r;

    if ((r = read_blob(layout, descriptor, &manifest, ret_error)) < 0 ||
        (r = check_layers(manifest, ret_error)) < 0 ||
        (r = read_blob(layout, json_object_get(manifest, "config"), &config, ret_error)) < 0 ||
        (r = read_config(config, image, ret_error)) < 0 ||
        (r = check_system(config, image, architecture, ret_error)) < 0)
        return r;
    r = make_index(descriptor, &image->index);
    return r == -EBADMSG ? image_fail(ret_error, r, "the layout's description of the image is not complete")
                         : r;
}

int oci_layout_read(const OciLayout *layout, const char *tag, const char *architecture, OciImage *ret,
                    char **ret_error)
{
    _cleanup_(json_releasep) json_t *index = NULL;
    _cleanup_(json_releasep) json_t *descriptor = NULL;
    _cleanup_(oci_image_done) OciImage image = { 0 };

    int r = read_index(layout, &index);
    if (r < 0)
        return image_fail_errno(ret_error, r, "the layout's index.json cannot be read");
    if ((r = choose_manifest(layout, index, tag, architecture, &descriptor, ret_error)) < 0 ||
        (r = read_chosen(layout, descriptor, architecture, &image, ret_error)) < 0)
        return r;
    *ret = take_struct(image);
    return 0;
}

int oci_layout_stage(const OciImage *image, int directory, const char *blobs)
{
    static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

    int r = file_replace_at(directory, "oci-layout", version, strlen(version), 0600);
    if (r >= 0)
        r = file_replace_at(directory, "index.json", image->index, strlen(image->index), 0600);
    if (r >= 0 && symlinkat(blobs, directory, "blobs") < 0)
        r = -errno;
    return r;
}
