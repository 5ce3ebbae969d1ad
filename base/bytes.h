/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A growing run of bytes. A zeroed Bytes is empty and valid. `data` is owned, never NULL-terminated by contract
 * unless bytes_terminate() was called.
 *
 * Of one that is `secret`, which its owner may say at any time, nothing is left in memory that it has let go of.
 */
#include "base/macro.h"

typedef struct Bytes {
    uint8_t *data;
    size_t size;      /* bytes in use */
    size_t allocated; /* bytes owned */
    bool secret;
} Bytes;

/* Room for n more bytes behind size; returns where they go, NULL when out of memory. Add to size what was used. */
uint8_t *bytes_reserve(Bytes *b, size_t n);
int bytes_append(Bytes *b, const void *data, size_t n);
/* Removes the first n bytes (n <= size). */
void bytes_consume(Bytes *b, size_t n);
/* A NUL behind the data, not counted in size. */
int bytes_terminate(Bytes *b);
void bytes_done(Bytes *b);
