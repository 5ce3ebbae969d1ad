/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What registries and `docker save` say of an image, before any of it is fetched or unpacked. Pure functions of bytes that
 * strangers wrote: bounded in size (by the caller, OCI_DOCUMENT_SIZE_MAX), number and sum.
 */
#include "base/bytes.h"
#include "images/image-name.h"

enum {
    OCI_DOCUMENT_SIZE_MAX = 4 * 1024 * 1024, /* what registries accept, too */
    OCI_LAYERS_MAX = 512,                    /* no container tool makes as many */
};

typedef struct OciBlob {
    char digest[IMAGE_DIGEST_TEXT_SIZE];
    uint64_t size; /* bytes */
} OciBlob;

typedef struct OciManifest {
    char *next;     /* of a list of manifests: the digest of the one for the architecture; else NULL, and: */
    OciBlob *blobs; /* the configuration, then the layers */
    size_t n_blobs;
    uint64_t size; /* the sum of theirs */
} OciManifest;

void oci_manifest_done(OciManifest *manifest);

/* -ENOEXEC: none of the list is for the architecture. -EBADMSG: it is no manifest, or of a kind that cannot be used. Sentences. */
int oci_manifest_parse(const Bytes *document, const char *architecture, OciManifest *ret, char **ret_error);

/* True when this is the manifest.json of what `docker save` packs. */
bool docker_archive_is(const Bytes *document);
/*
 * Which of the archive's images: the one that has the tag, as "name:tag" or "tag"; NULL: the only one. -ENOENT: none has the tag.
 * -ENOTUNIQ: there are several. Sentences.
 */
int docker_archive_choose(const Bytes *document, const char *tag, size_t *ret_index, char **ret_error);
