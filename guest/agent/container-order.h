/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which container's turn it is, to start and to end. Pure: a question about facts, asked again whenever they have changed.
 *
 *     init, one after the other --> all sidecars --> all the others
 *
 * A container starts when all that come before it are through. One before it that is over and was never through decides, too:
 * then it never starts. A sidecar ends when all the others are over, whether they were stopped or not.
 */
#include "schemas/pod-definition.h"

typedef struct OrderFacts {
    ContainerRole role;
    bool over;    /* nothing of it runs, and nothing will */
    bool through; /* those behind it may start; stays so */
} OrderFacts;

typedef enum Turn {
    TURN_NOW,
    TURN_LATER, /* another one comes first */
    TURN_NEVER, /* another one had to come first, and has failed */
} Turn;

/* facts: of all n containers, those of init first. *ret_other: which one, unless it is TURN_NOW. */
Turn container_order_start(const OrderFacts *facts, size_t n, size_t i, size_t *ret_other);
/* Of a sidecar: nobody needs it any more. */
bool container_order_end(const OrderFacts *facts, size_t n);
