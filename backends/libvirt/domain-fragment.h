/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a pod file adds to its domain: `libvirt.xml`, the elements that stand inside of <domain>. It may add, and may not touch
 * what podvisor owns: identity, size, kernel, ends, the agent's channel, consoles, the SCSI host with the images, labels.
 *
 * Invariants
 * - One table says of every element of <domain>, <devices> and <features> whether it may be added; what is not in it is refused.
 * - The text is read by a parser with bounds, in which no document type, entity or encoding can be declared, and written anew from
 *   what was understood; no byte of it reaches libvirt as it stood in the file.
 * - No element with a namespace gets in but below <metadata>, so nothing becomes a raw argument of QEMU.
 */
#include "base/macro.h"

enum { FRAGMENT_SIZE_MAX = 64 * 1024, FRAGMENT_DEPTH_MAX = 16, FRAGMENT_ELEMENTS_MAX = 1000 };

typedef enum FragmentPlace {
    FRAGMENT_DOMAIN, /* children of <domain> itself */
    FRAGMENT_METADATA,
    FRAGMENT_FEATURES,
    FRAGMENT_DEVICES,
    FRAGMENT_PLACE_MAX,
} FragmentPlace;

typedef struct DomainFragment {
    char *text[FRAGMENT_PLACE_MAX]; /* XML that goes there; never NULL, "" for nothing */
} DomainFragment;

/*
 * 0; -EBADMSG when it is refused, with the reason in *ret_message (if wanted): one escaped sentence that begins with "line L, column C: ",
 * malloc'ed, NULL when out of memory; -ENOMEM. On failure there is nothing to free but the message.
 */
int domain_fragment_read(const char *xml, DomainFragment *ret, char **ret_message) _warn_unused_;
void domain_fragment_done(DomainFragment *f);

/* Only whether it would be taken. As above. */
int domain_fragment_check(const char *xml, char **ret_message) _warn_unused_;
