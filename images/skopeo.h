/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The two things that a pull has skopeo do. What is not here of options and environment, skopeo does not get. */
#include "images/child.h"
#include "images/image-reference.h"
#include "images/pull.h"

#define SKOPEO_BLOBS_DIR                                                                                     \
    "blobs" /* in the work directory: sha256/ of it has what is there, and gets what is fetched, each when it is complete */

typedef struct Skopeo {
    const PullOptions *options;
    int work; /* where it starts and may write */
    int (*tick)(void *userdata);
    void *userdata;
} Skopeo;

/* The manifest, or the list of manifests, byte for byte as the registry has it: by digest if there is one, else by the reference's tag. */
int skopeo_inspect(const Skopeo *s, const ImageReference *reference, const char *digest, Bytes *ret,
                   char **ret_error);

/* Fetches what the manifest of that digest names and is not there yet, and makes a layout of it, without blobs, in `directory` of the work. */
int skopeo_copy(const Skopeo *s, const ImageReference *reference, const char *digest, const char *directory,
                char **ret_error);
