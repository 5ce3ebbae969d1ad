/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "schemas/frame.h"

static const uint8_t magic[4] = { 'P', 'v', 'F', '1' };

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int frame_append(Bytes *out, uint32_t session, const void *payload, size_t size)
{
    uint8_t header[FRAME_HEADER_SIZE];

    if (size > FRAME_PAYLOAD_MAX)
        return -EMSGSIZE;
    if (!bytes_reserve(out, sizeof header + size))
        return -ENOMEM;
    memcpy(header, magic, sizeof magic);
    put32(header + 4, (uint32_t)size);
    put32(header + 8, session);
    put32(header + 12, crc32_of(payload, size));
    put32(header + 16, crc32_of(header, 16));
    (void)bytes_append(out, header, sizeof header);
    return bytes_append(out, payload, size);
}

int frame_decoder_push(FrameDecoder *d, const void *data, size_t size)
{
    bytes_consume(&d->buffer, d->offset);
    d->offset = 0;
    return bytes_append(&d->buffer, data, size);
}

static bool header_good(const uint8_t *p)
{
    return memcmp(p, magic, sizeof magic) == 0 && get32(p + 16) == crc32_of(p, 16) &&
           get32(p + 4) <= FRAME_PAYLOAD_MAX;
}

/* To the next place where a frame may begin; false when the rest is too short to tell. */
static bool find_header(FrameDecoder *d)
{
    while (d->buffer.size - d->offset >= FRAME_HEADER_SIZE) {
        const uint8_t *at = d->buffer.data + d->offset;
        if (header_good(at))
            return true;
        const uint8_t *next = memchr(at + 1, magic[0], d->buffer.size - d->offset - 1);
        size_t step = next ? (size_t)(next - at) : d->buffer.size - d->offset;
        d->offset += step;
        d->skipped += step;
    }
    return false;
}

int frame_decoder_next(FrameDecoder *d, uint32_t *ret_session, const uint8_t **ret_payload, size_t *ret_size)
{
    while (find_header(d)) {
        const uint8_t *header = d->buffer.data + d->offset, *payload = header + FRAME_HEADER_SIZE;
        size_t size = get32(header + 4);
        if (d->buffer.size - d->offset < FRAME_HEADER_SIZE + size)
            return 0;
        if (get32(header + 12) != crc32_of(payload, size)) {
            /* The payload is torn; a whole frame may begin inside of it. */
            d->offset++;
            d->skipped++;
            d->torn++;
            continue;
        }
        d->offset += FRAME_HEADER_SIZE + size;
        *ret_session = get32(header + 8);
        *ret_payload = payload;
        *ret_size = size;
        return 1;
    }
    return 0;
}

void frame_decoder_done(FrameDecoder *d)
{
    bytes_done(&d->buffer);
    *d = (FrameDecoder){ 0 };
}
