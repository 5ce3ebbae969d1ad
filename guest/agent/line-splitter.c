/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "guest/agent/line-splitter.h"

static void emit(LineSplitter *s, bool partial)
{
    s->func(s->userdata, partial, s->pending.data, s->pending.size);
    s->pending.size = 0;
}

int line_splitter_push(LineSplitter *s, const void *data, size_t size)
{
    const uint8_t *p = data, *end = p + size;

    while (p < end) {
        /* A full piece waits for the byte behind it, which says whether the line goes on. */
        if (s->pending.size == s->line_max && *p != '\n')
            emit(s, true);
        size_t room = MIN(s->line_max - s->pending.size, (size_t)(end - p));
        const uint8_t *line_end = memchr(p, '\n', MIN(room + 1, (size_t)(end - p)));
        size_t n = line_end ? (size_t)(line_end - p) : room;
        int r = bytes_append(&s->pending, p, n);
        if (r < 0)
            return r;
        p += n;
        if (line_end) {
            emit(s, false);
            p++;
        }
    }
    return 0;
}

void line_splitter_finish(LineSplitter *s)
{
    if (s->pending.size > 0)
        emit(s, false);
    bytes_done(&s->pending);
}
