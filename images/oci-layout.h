/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * OCI image layouts: a directory with `oci-layout`, `index.json` and blobs/. We choose the manifest and take the configuration;
 * umoci unpacks the layers. Documents are bounded, checked against their digests, and taken for nothing but what they say
 * about running the program. jansson's types stay behind this door.
 */
#include "images/image-record.h"

typedef struct OciLayout OciLayout;
struct OciLayout {
    int dir;   /* has oci-layout and index.json */
    int blobs; /* has sha256/; it need not be the one in `dir` */
    /* Reads a document, of at most size_max bytes: index.json for a digest of NULL. NULL: from the directories. */
    int (*read)(const OciLayout *layout, const char *digest, size_t size_max, Bytes *ret);
};

typedef struct OciImage {
    char *index;        /* an index.json whose only manifest is the chosen one, by the tag OCI_STAGED_TAG */
    char *architecture; /* as the configuration says; NULL when it does not */
    ImageConfig config;
} OciImage;

#define OCI_STAGED_TAG "image"

void oci_image_done(OciImage *image);

/* True when the directory calls itself a layout. */
bool oci_layout_detect(int dir);

/*
 * tag NULL: the only image, or the one tagged "latest". -ENOENT: no such tag. -ENOEXEC: none for this architecture. -EBADMSG: damaged, or
 * not of a kind that can be unpacked. Sentences in *ret_error.
 */
int oci_layout_read(const OciLayout *layout, const char *tag, const char *architecture, OciImage *ret,
                    char **ret_error);

/* Writes into `directory` a layout that umoci reads as OCI_STAGED_TAG: blobs is the path of the real blobs. */
int oci_layout_stage(const OciImage *image, int directory, const char *blobs);
