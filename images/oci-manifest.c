/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "images/oci-json.h"
#include "images/oci-manifest.h"
#include "images/store-internal.h"

void oci_manifest_done(OciManifest *manifest)
{
    free(manifest->next);
    free(manifest->blobs);
    *manifest = (OciManifest){ 0 };
}

/* --- of registries ------------------------------------------------------------------------------------------------- */

/* What only some registries serve, and what would be guessed wrong. */
static int refuse_kind(const json_t *document, char **ret_error)
{
    if (json_is_array(json_object_get(document, "fsLayers")))
        return image_fail(ret_error, -EBADMSG,
                          "its manifest is of the first kind that Docker had, which says nothing that can be "
                          "compared; push it again with a tool of today");
    return image_fail(ret_error, -EBADMSG, "what the registry has there is no image of a container");
}

static int add_blob(const json_t *descriptor, OciManifest *manifest, char **ret_error)
{
    const char *digest = oci_json_text(descriptor, "digest");
    const json_t *size = json_object_get(descriptor, "size");
    OciBlob *blob = &manifest->blobs[manifest->n_blobs];

    if (!digest || !image_digest_valid(digest))
        return image_fail(ret_error, -EBADMSG, "its manifest names a layer without a usable SHA-256 digest");
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        __builtin_add_overflow(manifest->size, (uint64_t)json_integer_value(size), &manifest->size))
        return image_fail(ret_error, -EBADMSG, "its manifest names a layer without a usable size");
    memcpy(blob->digest, digest, sizeof blob->digest);
    blob->size = (uint64_t)json_integer_value(size);
    manifest->n_blobs++;
    return 0;
}

static int take_blobs(const json_t *document, OciManifest *manifest, char **ret_error)
{
    const json_t *layers = json_object_get(document, "layers");
    size_t i;
    json_t *layer;

    if (json_array_size(layers) > OCI_LAYERS_MAX)
        return image_fail(ret_error, -E2BIG, "it has %zu layers; %d are the most that are taken",
                          json_array_size(layers), OCI_LAYERS_MAX);
    manifest->blobs = calloc(json_array_size(layers) + 1, sizeof *manifest->blobs);
    if (!manifest->blobs)
        return -ENOMEM;
    int r = add_blob(json_object_get(document, "config"), manifest, ret_error);
    json_array_foreach((json_t *)layers, i, layer)
    {
        if (r >= 0)
            r = add_blob(layer, manifest, ret_error);
    }
    return r;
}

/* A registry may have several that fit, such as for generations of a processor; the first is what every tool takes. */
static int take_next(const json_t *manifests, const char *architecture, OciManifest *manifest,
                     char **ret_error)
{
    const json_t *chosen;

    if (json_array_size(manifests) == 0)
        return image_fail(ret_error, -EBADMSG, "its list of manifests is empty");
    if (oci_fitting(manifests, architecture, &chosen) == 0)
        return oci_fail_platform(manifests, architecture, ret_error);
    const char *digest = oci_json_text(chosen, "digest");
    if (!digest || !image_digest_valid(digest))
        return image_fail(ret_error, -EBADMSG, "its list names a manifest without a usable SHA-256 digest");
    return str_replace(&manifest->next, digest);
}

int oci_manifest_parse(const Bytes *bytes, const char *architecture, OciManifest *ret, char **ret_error)
{
    _cleanup_(json_releasep) json_t *document = NULL;
    _cleanup_(oci_manifest_done) OciManifest manifest = { 0 };

    int r = oci_json_parse(bytes->data, bytes->size, &document);
    if (r < 0)
        return image_fail(ret_error, r, "its manifest is not JSON");
    const json_t *manifests = json_object_get(document, "manifests");
    if (json_is_array(manifests))
        r = take_next(manifests, architecture, &manifest, ret_error);
    else if (json_is_object(json_object_get(document, "config")) &&
             json_is_array(json_object_get(document, "layers")))
        r = take_blobs(document, &manifest, ret_error);
    else
        r = refuse_kind(document, ret_error);
    if (r < 0)
        return r;
    *ret = take_struct(manifest);
    return 0;
}

/* --- of docker save --------------------------------------------------------------------------------------------------- */

bool docker_archive_is(const Bytes *bytes)
{
    _cleanup_(json_releasep) json_t *document = NULL;

    if (oci_json_parse(bytes->data, bytes->size, &document) < 0)
        return false;
    const json_t *first = json_array_get(document, 0);
    return oci_json_text(first, "Config") && json_is_array(json_object_get(first, "Layers"));
}

/* "localhost:5000/app:1.2" has the tag "1.2". */
static bool tag_is(const char *reference, const char *tag)
{
    const char *slash = strrchr(reference, '/'), *colon = strchr(slash ?: reference, ':');

    return streq(reference, tag) || (colon && streq(colon + 1, tag));
}

static bool has_tag(const json_t *image, const char *tag)
{
    size_t i;
    json_t *reference;

    json_array_foreach(json_object_get(image, "RepoTags"), i, reference)
    {
        const char *text = json_string_value(reference);
        if (text && tag_is(text, tag))
            return true;
    }
    return false;
}

static char *list_tags(const json_t *images)
{
    size_t i, j;
    json_t *image, *reference;
    _cleanup_(strv_freep) char **words = NULL;

    json_array_foreach((json_t *)images, i, image)
    {
        json_array_foreach(json_object_get(image, "RepoTags"), j, reference)
            oci_add_word(&words, json_string_value(reference));
    }
    return oci_join_words(words);
}

int docker_archive_choose(const Bytes *bytes, const char *tag, size_t *ret_index, char **ret_error)
{
    _cleanup_(json_releasep) json_t *document = NULL;
    size_t i, n = 0, found = 0;
    json_t *image;

    int r = oci_json_parse(bytes->data, bytes->size, &document);
    if (r < 0)
        return image_fail(ret_error, r, "the archive's manifest.json is not JSON");
    json_array_foreach(document, i, image)
    {
        if (!tag || has_tag(image, tag))
            found = n++ == 0 ? i : found;
    }
    _cleanup_(freep) char *tags = list_tags(document);
    if (n == 0)
        return image_fail(ret_error, tag ? -ENOENT : -EBADMSG,
                          "the archive has no image tagged \"%s\"; its tags are: %s", tag ?: "", tags ?: "?");
    if (n > 1)
        return image_fail(ret_error, -ENOTUNIQ, "the archive has several images; choose one with --tag: %s",
                          tags ?: "?");
    *ret_index = found;
    return 0;
}
