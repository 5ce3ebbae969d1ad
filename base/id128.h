/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* 128-bit identities (of a pod, a boot, a session), as 16 bytes; as text 8-4-4-4-12 lower-case hexadecimal. */
#include "base/macro.h"

typedef struct Id128 {
    uint8_t bytes[16];
} Id128;

enum { ID128_TEXT_SIZE = 37 };

/* A random RFC 4122 version 4 identity; negative errno when the kernel gives no randomness. */
int id128_random(Id128 *ret);
/* With or without dashes: 0 or -EINVAL. */
int id128_parse(const char *s, Id128 *ret);
/* Fills and returns text. */
const char *id128_format(Id128 id, char text[ID128_TEXT_SIZE]);
bool id128_equal(Id128 a, Id128 b);
bool id128_is_null(Id128 id);
/* This boot's identity, from the kernel; negative errno. The kernel makes it up when it is read for the first time, by whomever. */
int id128_boot(Id128 *ret);
/* The same in two steps: a descriptor, or negative errno, at a time when there is time for it. */
int id128_boot_open(void) _warn_unused_;
int id128_boot_read(int fd, Id128 *ret);
