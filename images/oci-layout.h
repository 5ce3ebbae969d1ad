/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * OCI image layouts: a directory with `oci-layout`, `index.json` and blobs/. We choose the manifest and take the configuration;
 * umoci unpacks the layers. Documents are bounded, checked against their digests, and taken for nothing but what they say
 * about running the program. jansson's types stay behind this door.
 */
#include "images/image-record.h"

typedef struct OciImage {
    char *index;        /* an index.json whose only manifest is the chosen one, by the tag OCI_STAGED_TAG */
    char *architecture; /* as the configuration says; NULL when it does not */
    ImageConfig config;
} OciImage;

#define OCI_STAGED_TAG "image"

void oci_image_done(OciImage *image);

/* True when the directory calls itself a layout. */
bool oci_layout_detect(int dir);

/* True when the directory is what `docker save` packs, which is something else. */
bool oci_detect_docker_archive(int dir);

/*
 * tag NULL: the only image, or the one tagged "latest". -ENOENT: no such tag. -ENOEXEC: none for this architecture. -EBADMSG: damaged, or
 * not of a kind that can be unpacked. Sentences in *ret_error.
 */
int oci_layout_read(int dir, const char *tag, const char *architecture, OciImage *ret, char **ret_error);

/* Writes into `directory` a layout that umoci reads as OCI_STAGED_TAG: blobs is the path of the real blobs. */
int oci_layout_stage(const OciImage *image, int directory, const char *blobs);
