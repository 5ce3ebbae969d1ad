/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What people call images. As in container tools: [registry[:port]/]path[:tag] in lower case, where the tag `latest` is what is
 * meant when none is given; or the digest, "sha256:3f2a...", of which any unique beginning will do.
 *
 * A name that ends with "@sha256:<64 digits>" is pinned: it stands for what a registry calls so, for ever. Only a pull, which has
 * compared the digest, gives such a name.
 *
 * Each name has one canonical form, in which `:latest` is left out, and one file name, in which + stands for /.
 */
#include "base/digest.h"
#include "base/macro.h"

enum {
    IMAGE_NAME_MAX = 200,        /* characters of a canonical name: a file name with room for a suffix */
    IMAGE_DIGEST_PREFIX_MIN = 6, /* digits of a digest that are taken for one without "sha256:" before them */
    IMAGE_DIGEST_TEXT_SIZE = 72, /* "sha256:", 64 digits, NUL */
};

/* "busybox", "busybox:1.36", "registry.example:5000/x/y:tag": any form that image_name_canonical() takes. */
bool image_name_valid(const char *name);
/* The canonical form, malloc'ed: 0, -EINVAL for what is no name, -ENOMEM. */
int image_name_canonical(const char *name, char **ret);
/* The digest of a valid name that is pinned; NULL: it is not. Points into name. */
const char *image_name_pin(const char *name);
/* Between a canonical name and its file's name, both malloc'ed; NULL = no memory. */
char *image_name_to_file(const char *canonical);
char *image_name_from_file(const char *file);

/* "sha256:" and 64 lower-case hexadecimal digits. */
bool image_digest_valid(const char *digest);
/* The digits behind "sha256:" (some, at least one) or bare digits (enough of them); NULL when it is nothing of that. Points into s. */
const char *image_digest_prefix(const char *s);
/* "sha256:<hex>" of the digits. */
void image_digest_format(const char hex[SHA256_TEXT_SIZE], char ret[IMAGE_DIGEST_TEXT_SIZE]);
/* What a valid digest's files are called: "sha256-<hex>" and the suffix. malloc'ed; NULL = no memory. */
char *image_digest_to_file(const char *digest, const char *suffix);
/* The digest of "sha256-<hex><suffix>": 0, or -EINVAL when the file is called otherwise. */
int image_digest_from_file(const char *file, const char *suffix, char ret[IMAGE_DIGEST_TEXT_SIZE]);
