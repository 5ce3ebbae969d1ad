/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From a registry to an image in the store, through skopeo.
 *
 * Theory of operation
 * -------------------
 *     reference --look (skopeo inspect)--> digest, manifest --fetch (skopeo copy)--> cache/sha256/ --import (import.h)--> blobs/
 *
 * - What a tag means is asked once. Its digest, which we compute ourselves, is what all the rest is asked for by, so that a tag that moves
 *   meanwhile mixes nothing, and what was pinned is what comes, or nothing does.
 * - Layers lie in the cache by their digests, and are kept: an interrupted pull goes on with what it has not yet, and images share what
 *   they have in common. What lies there is not believed but compared with its digest before it is used. A pull works on links of its own,
 *   so that pulls of the same do not meet: skopeo writes manifests in place.
 * - skopeo gets no words but ours: a reference was parsed by us, and stands behind "docker://". It writes only to its work directory. Credentials are skopeo's to find, in the files where container tools keep them; they pass through nothing of ours.
 * - TLS is always wanted, whatever the host's configuration of container tools says, unless the caller says otherwise.
 * - A registry that sends nothing for a while is given up.
 */
#include "images/import.h"

typedef struct PullState {
    size_t layers, layers_there; /* how many the image has, and how many of them are here now */
    uint64_t size, there;        /* the same in bytes, with the configuration */
} PullState;

typedef struct PullOptions {
    const char *reference;    /* image-reference.h */
    const char *name;         /* what it is called here; NULL: as the reference says */
    const char *architecture; /* NULL: this host's */
    bool insecure;            /* this registry may have a certificate of anybody's, or no TLS at all */
    char *const *
        environment; /* the caller's: what of it skopeo needs for credentials, proxies and certificates is handed on */
    const char *programs; /* directories to find skopeo and the others in; NULL: the system's */
    usec_t stall_timeout; /* how long a registry may send nothing; 0: two minutes */
    usec_t timeout;       /* by when all must be fetched; 0: no limit */
    int (*fetching)(void *userdata,
                    const PullState *state); /* as ImportProgress, while anything is fetched; may be NULL */
    ImportProgress progress;                 /* of what comes then; may be NULL */
    void *userdata;                          /* of both */
} PullOptions;

typedef struct ImagePulled {
    ImageRecord record;
    char *name;     /* what it is called here */
    char *manifest; /* the registry's digest of it */
} ImagePulled;

void image_pulled_done(ImagePulled *pulled);

enum { PULL_CURRENT = 1 };

/*
 * The store is open for writing. 0: pulled. PULL_CURRENT: the name leads to what the registry has, so nothing was done. *ret (may be
 * NULL) is the caller's to image_pulled_done(). On failure there is no image of it, and what was fetched completely is kept in the cache:
 * -EINVAL (no reference, no name), -ENOENT (the registry has no such image), -ECONNREFUSED, -EHOSTUNREACH, -ECONNRESET (it stopped in
 * the middle), -ETIMEDOUT, -EPROTO (no TLS), -EKEYREJECTED (its certificate), -EACCES (credentials), -EPERM (the host's policy), -EBADMSG
 * (something else than its digest says), -EBUSY (asked too often), and those of image_import(); each with a sentence.
 */
int image_pull(ImageStore *store, const PullOptions *options, ImagePulled *ret, char **ret_error);
