/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the readers of container tools' documents share. Only images/oci-*.c include this: jansson's types stay behind that door. */
#include <jansson.h>

#include "images/oci-manifest.h"

#define OCI_MEDIA "application/vnd.oci.image."

static inline _unused_ void json_releasep(json_t **value)
{
    json_decref(*value);
}

/* 0, or -EBADMSG for what is no JSON. */
int oci_json_parse(const void *data, size_t size, json_t **ret);
/* NULL: there is none, or it is no text. */
const char *oci_json_text(const json_t *object, const char *key);

/* The first of the descriptors that is for Linux on this architecture; one without a platform is for all. *ret is borrowed, NULL: none. */
size_t oci_fitting(const json_t *descriptors, const char *architecture, const json_t **ret);
/* "it is an image for arm64, ppc64le; this host runs amd64": -ENOEXEC. */
int oci_fail_platform(const json_t *descriptors, const char *architecture, char **ret_error);

/* Adds a stranger's word to a list for messages, escaped, once. */
void oci_add_word(char ***words, const char *word);
/* "1.35, latest". malloc'ed; NULL = no memory. */
char *oci_join_words(char **words);
