/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/target.h"
#include "uplink/frames.h"

static bool is_loopback_ipv4(const uint8_t *frame, size_t size)
{
    return size >= 34 && frame[12] == 0x08 && frame[13] == 0 && (frame[30] == 127 || frame[30] == 0);
}

/* Whatever a guest sends: what passes are whole frames, none of them for the loopback, and the rest is the beginning of one. */
void fuzz_one(const uint8_t *data, size_t size)
{
    Frames *f = frames_new();
    uint8_t *copy = malloc(size + 1);
    size_t left = size;

    if (!f || !copy)
        abort();
    memcpy(copy, data, size);
    ssize_t whole = frames_filter(f, frames_note, 1, copy, &left);
    assert(whole < 0 || (left == size && (size_t)whole <= size));
    whole = frames_filter(f, frames_allow, 1, copy, &left);
    assert(whole < 0 || (size_t)whole <= left);
    for (size_t at = 0; whole > 0 && at < (size_t)whole;) {
        size_t length =
            (size_t)copy[at] << 24 | (size_t)copy[at + 1] << 16 | (size_t)copy[at + 2] << 8 | copy[at + 3];
        assert(!is_loopback_ipv4(copy + at + FRAME_HEADER, length));
        at += FRAME_HEADER + length;
        assert(at <= (size_t)whole);
    }
    free(copy);
    frames_free(f);
}
