/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What registries and layouts say of an image. The documents are apart by NUL; "#1" in one stands for the digest of the document after it,
 * "#2" for that of the next: so a layout is whole, and what is behind the digests is reached.
 */
#include "base/digest.h"
#include "base/strings.h"
#include "images/oci-layout.h"
#include "images/oci-manifest.h"
#include "tests/fuzz/target.h"

enum { DOCUMENTS_MAX = 8 };

typedef struct Documents {
    OciLayout layout;
    Bytes items[DOCUMENTS_MAX];
    char digests[DOCUMENTS_MAX][IMAGE_DIGEST_TEXT_SIZE];
    size_t n;
} Documents;

static int copy(const Bytes *from, size_t size_max, Bytes *ret)
{
    return from->size > size_max ? -EFBIG : bytes_append(ret, from->data, from->size);
}

static int read_document(const OciLayout *layout, const char *digest, size_t size_max, Bytes *ret)
{
    const Documents *d = (const Documents *)layout;

    if (!digest)
        return copy(&d->items[0], size_max, ret);
    for (size_t i = 0; i < d->n; i++)
        if (streq(d->digests[i], digest))
            return copy(&d->items[i], size_max, ret);
    return -ENOENT;
}

/* Those behind it have their digests already. */
static void add_with_digests(Documents *d, size_t i, const uint8_t *text, size_t size)
{
    char hex[SHA256_TEXT_SIZE];

    for (size_t at = 0; at < size; at++) {
        size_t other = text[at] == '#' && at + 1 < size && text[at + 1] > '0' && text[at + 1] <= '9'
                           ? i + (size_t)(text[at + 1] - '0')
                           : d->n;
        int r = other < d->n ? bytes_append(&d->items[i], d->digests[other], strlen(d->digests[other]))
                             : bytes_append(&d->items[i], &text[at], 1);
        assert(r == 0);
        at += other < d->n;
    }
    sha256_text(d->items[i].data ?: (const uint8_t *)"", d->items[i].size, hex);
    image_digest_format(hex, d->digests[i]);
}

static void split(Documents *d, const uint8_t *data, size_t size)
{
    const uint8_t *begins[DOCUMENTS_MAX];
    size_t sizes[DOCUMENTS_MAX];

    for (size_t at = 0; at < size && d->n < DOCUMENTS_MAX; d->n++) {
        begins[d->n] = data + at;
        sizes[d->n] = strnlen((const char *)data + at, size - at);
        at += sizes[d->n] + 1;
    }
    for (size_t i = d->n; i-- > 0;)
        add_with_digests(d, i, begins[i], sizes[i]);
}

static void read_layout(const Documents *d, const char *tag)
{
    OciImage image;
    char *error = NULL;

    int r = oci_layout_read(&d->layout, tag, "amd64", &image, &error);
    assert(r == 0 || error || r == -ENOMEM || r == -E2BIG);
    free(error);
    if (r < 0)
        return;
    assert(image.index && strstr(image.index, "\"digest\":\"sha256:"));
    oci_image_done(&image);
}

static void read_one(const Bytes *document)
{
    OciManifest manifest;
    size_t index;
    char *error = NULL;

    int r = oci_manifest_parse(document, "amd64", &manifest, &error);
    assert((r < 0) == (error != NULL));
    free(error);
    if (r == 0) {
        assert(!manifest.next || image_digest_valid(manifest.next));
        oci_manifest_done(&manifest);
    }
    if (!docker_archive_is(document))
        return;
    error = NULL;
    r = docker_archive_choose(document, "1", &index, &error);
    assert((r < 0) == (error != NULL));
    free(error);
}

void fuzz_one(const uint8_t *data, size_t size)
{
    Documents d = { .layout = { .dir = -1, .blobs = -1, .read = read_document } };

    split(&d, data, size);
    read_layout(&d, NULL);
    read_layout(&d, "1");
    for (size_t i = 0; i < d.n; i++) {
        read_one(&d.items[i]);
        bytes_done(&d.items[i]);
    }
}
