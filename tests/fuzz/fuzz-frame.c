/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/frame.h"
#include "tests/fuzz/target.h"

/* Whatever arrives in front of it, a whole frame is found once nothing can hide it any more. */
void fuzz_one(const uint8_t *data, size_t size)
{
    FrameDecoder d = { 0 };
    Bytes tail = { 0 };
    uint32_t session;
    const uint8_t *payload;
    size_t n;
    bool found = false;
    static const uint8_t filler[FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX];

    if (frame_decoder_push(&d, data, size) < 0 || frame_append(&tail, 77, "end", 3) < 0)
        abort();
    while (frame_decoder_next(&d, &session, &payload, &n) > 0)
        assert(n <= FRAME_PAYLOAD_MAX);
    if (frame_decoder_push(&d, tail.data, tail.size) < 0 || frame_decoder_push(&d, filler, sizeof filler) < 0)
        abort();
    while (frame_decoder_next(&d, &session, &payload, &n) > 0)
        found |= session == 77 && n == 3;
    assert(found);
    bytes_done(&tail);
    frame_decoder_done(&d);
}
