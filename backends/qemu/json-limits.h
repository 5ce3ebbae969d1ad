/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a line of JSON may cost, told before a parser is let at it. Pure. */
#include "base/macro.h"

typedef struct JsonLimits {
    size_t depth;
    size_t values;
} JsonLimits;

/*
 * Walks the bytes once, knowing strings and escapes but no grammar. 0, or -E2BIG when nesting or the number of values that
 * a parser could find is beyond the limits.
 */
int json_limits_check(const void *data, size_t size, const JsonLimits *limits);
