/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

/* As realloc(3), and where the bytes were before they are no more. */
static uint8_t *move_secret(Bytes *b, size_t allocated)
{
    uint8_t *data = malloc(allocated);

    if (!data)
        return NULL;
    if (b->data) {
        memcpy(data, b->data, b->size);
        explicit_bzero(b->data, b->allocated);
        free(b->data);
    }
    return data;
}

uint8_t *bytes_reserve(Bytes *b, size_t n)
{
    size_t needed;

    if (__builtin_add_overflow(b->size, n, &needed))
        return NULL;
    if (needed > b->allocated || !b->data) {
        size_t allocated = MAX(needed, MAX(b->allocated * 2, (size_t)64));
        uint8_t *data = b->secret ? move_secret(b, allocated) : realloc(b->data, allocated);
        if (!data)
            return NULL;
        b->data = data;
        b->allocated = allocated;
    }
    return b->data + b->size;
}

int bytes_append(Bytes *b, const void *data, size_t n)
{
    uint8_t *p = bytes_reserve(b, n);

    if (!p)
        return -ENOMEM;
    if (n > 0)
        memcpy(p, data, n);
    b->size += n;
    return 0;
}

void bytes_consume(Bytes *b, size_t n)
{
    assert(n <= b->size);
    if (n > 0)
        memmove(b->data, b->data + n, b->size - n);
    b->size -= n;
    if (b->secret && n > 0)
        explicit_bzero(b->data + b->size, n);
}

int bytes_terminate(Bytes *b)
{
    uint8_t *p = bytes_reserve(b, 1);

    if (!p)
        return -ENOMEM;
    *p = 0;
    return 0;
}

void bytes_done(Bytes *b)
{
    if (b->secret && b->data)
        explicit_bzero(b->data, b->allocated);
    free(b->data);
    *b = (Bytes){ 0 };
}
