/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Sizes and durations as systemd writes them: "192M", "1.5G", "64K"; "2s", "1min 30s", "500ms", "infinity".
 * Sizes are bytes, with units to the base of 1024; durations are microseconds. Both are uint64_t.
 */
#include "base/macro.h"

typedef uint64_t usec_t;

#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC ((usec_t)1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_INFINITY UINT64_MAX
#define SIZE_INFINITY UINT64_MAX

/* 0, -EINVAL for what is no size or duration, -ERANGE for what does not fit. */
int size_parse(const char *s, uint64_t *ret);
int duration_parse(const char *s, usec_t *ret);

/* "192M", "1.5G": exact where it can be with at most two decimals, else bytes. The caller frees; NULL = no memory. */
char *size_format(uint64_t size);
/* "1min 30s", "500ms". The caller frees; NULL = no memory. */
char *duration_format(usec_t duration);
/* "2h ago", "12s ago": the largest unit alone, for tables. The caller frees; NULL = no memory. */
char *age_format(usec_t age);

/* Now, by CLOCK_MONOTONIC, CLOCK_BOOTTIME or CLOCK_REALTIME. */
usec_t now_usec(int clock);

/* a + b, and infinity where it would be more. */
static inline usec_t usec_add(usec_t a, usec_t b)
{
    usec_t sum;
    return __builtin_add_overflow(a, b, &sum) ? USEC_INFINITY : sum;
}

/* a - b, and 0 where it would be less. */
static inline usec_t usec_sub(usec_t a, usec_t b)
{
    return a > b ? a - b : 0;
}
