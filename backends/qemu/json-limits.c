/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/qemu/json-limits.h"

typedef enum JsonMark {
    MARK_NONE,
    MARK_OPEN,
    MARK_CLOSE,
    MARK_SEPARATOR,
    MARK_QUOTE,
} JsonMark;

static const uint8_t marks[256] = {
    ['['] = MARK_OPEN,      ['{'] = MARK_OPEN,      [']'] = MARK_CLOSE, ['}'] = MARK_CLOSE,
    [','] = MARK_SEPARATOR, [':'] = MARK_SEPARATOR, ['"'] = MARK_QUOTE,
};

/* The first byte behind the string that begins at p. */
static const uint8_t *string_skip(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' && end - p > 1 ? 2 : 1;
    return p < end ? p + 1 : end;
}

int json_limits_check(const void *data, size_t size, const JsonLimits *limits)
{
    const uint8_t *p = data, *end = p + size;
    size_t depth = 0, values = 1;

    while (p < end) {
        JsonMark mark = (JsonMark)marks[*p++];
        if (mark == MARK_QUOTE)
            p = string_skip(p, end);
        else if (mark == MARK_OPEN)
            depth++, values++;
        else if (mark == MARK_SEPARATOR)
            values++;
        else if (mark == MARK_CLOSE && depth > 0)
            depth--;
        if (depth > limits->depth || values > limits->values)
            return -E2BIG;
    }
    return 0;
}
