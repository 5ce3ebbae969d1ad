/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The keys by which who types into a container leaves it. Pure: bytes that are typed go in, those that are for the program come out.
 *
 * Invariant: `held` bytes, the first of `keys`, were typed and not handed on, since the rest of the keys may follow. Whatever follows instead,
 * all bytes come out in the order in which they were typed.
 */
#include "base/bytes.h"

enum { DETACH_KEYS_MAX = 8 };

#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

typedef struct DetachKeys {
    uint8_t keys[DETACH_KEYS_MAX];
    size_t n; /* 0: there are none, and all bytes are the program's */
    size_t held;
} DetachKeys;

/* What the text must be, for messages. */
extern const char detach_keys_accepted[];

/* "ctrl-p,ctrl-q", "a", "" for none: 0, or -EINVAL. */
int detach_keys_parse(const char *text, DetachKeys *ret);
/* Appends what is the program's to *to. 1: all keys have been typed, and what came behind them is for nobody; 0; or -ENOMEM. */
int detach_keys_take(DetachKeys *k, const uint8_t *data, size_t size, Bytes *to);
/* No more is typed: what is held is the program's after all. 0 or -ENOMEM. */
int detach_keys_rest(DetachKeys *k, Bytes *to);
