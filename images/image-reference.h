/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is pulled: REGISTRY[:PORT]/PATH[:TAG][@sha256:DIGEST]. The registry is always said; which one a short name means is
 * nobody's to guess.
 */
#include "images/image-name.h"

/* All owned. */
typedef struct ImageReference {
    char *registry;   /* "example.org:5000" */
    char *repository; /* "example.org:5000/team/app" */
    char *tag;        /* "latest" where none is given */
    char
        *digest; /* "sha256:<64 digits>" of the manifest or list of manifests; NULL: whatever the tag means */
    char *name;  /* what the image is called here: the canonical name (image-name.h) */
} ImageReference;

void image_reference_done(ImageReference *reference);

/*
 * Bounded by IMAGE_NAME_MAX. 0, -EINVAL with a sentence that names the likely full form of a short name, -ENOMEM. On failure *ret
 * is not touched.
 */
int image_reference_parse(const char *text, ImageReference *ret, char **ret_error);

/* As skopeo names it: by `digest` if there is one, else by the tag. malloc'ed; NULL = no memory. */
char *image_reference_source(const ImageReference *reference, const char *digest);
