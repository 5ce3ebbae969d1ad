/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a fragment may add, element by element: the tables behind domain-fragment.h. Pure. */
#include "backends/libvirt/domain-fragment.h"

typedef enum FragmentVerdict {
    FRAGMENT_UNKNOWN, /* no row: refused */
    FRAGMENT_ADDED,
    FRAGMENT_MERGED, /* its children are judged one by one, in the place that `into` says */
    FRAGMENT_OWNED,  /* refused, for the reason */
} FragmentVerdict;

typedef struct FragmentElement {
    FragmentPlace place;
    const char *name;
    FragmentVerdict verdict;
    FragmentPlace into;
    const char *why; /* FRAGMENT_OWNED: what goes before it is "<name>: " */
} FragmentElement;

/* NULL: there is no row. */
const FragmentElement *fragment_element(FragmentPlace place, const char *name);
/* The name of the row that was meant, or NULL; static. */
const char *fragment_suggest(FragmentPlace place, const char *name);

/*
 * May this child of an element of <devices>, or that element itself (child NULL), stand there with these attributes (name, value, ...,
 * NULL)? NULL: yes; else why not, static, with the name of the attribute in *ret_attribute, NULL where it is the element itself.
 */
const char *fragment_refusal(const char *element, const char *child, const char *const *attributes,
                             const char **ret_attribute);
