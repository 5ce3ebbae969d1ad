/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who a program runs as: "www", "1000", "www:adm", "1000:1000" looked up in the image's own /etc/passwd and /etc/group. The
 * image wrote those files, so they are read with a bound and never outside of its root directory.
 */
#include <sys/types.h>

#include "base/bytes.h"

enum { IDENTITY_GROUPS_MAX = 64 };

typedef struct Identity {
    uid_t uid;
    gid_t gid;
    gid_t groups[IDENTITY_GROUPS_MAX]; /* supplementary */
    size_t n_groups;
    char home[256]; /* "/" when the image does not say */
} Identity;

/*
 * user NULL or "": root. passwd and group are the files' texts (terminated Bytes; empty when the image has none). 0, -EINVAL for what is
 * no user, -ENOENT for a user or group of a name that the files have not.
 */
int identity_resolve(const char *user, const Bytes *passwd, const Bytes *group, Identity *ret);
/* Adds supplementary groups, names or numbers (NULL: none): 0, -ENOENT with *ret_missing for a name that the file has not, -E2BIG. */
int identity_add_groups(Identity *i, char *const *groups, const Bytes *group, const char **ret_missing);
/* Both with the files below the directory root. *ret_missing is touched only where a group is missing. Also other negative errno
 * of reading. */
int identity_read(int root, const char *user, char *const *groups, Identity *ret, const char **ret_missing);

/* The text of the image's /etc/passwd, terminated; nothing where there is none. 0 or negative errno. */
int identity_read_passwd(int root, Bytes *ret);
/* The name of the user of this number (malloc'ed); NULL: it has none there, or no memory. */
char *identity_name(const Bytes *passwd, uid_t uid);
