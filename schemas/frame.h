/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Frames: messages on a byte stream that has no beginning. virtio-serial has no connection, so a reader may arrive in
 * the middle of a frame, or find what an earlier session left; log files may end in half a record.
 *
 *     0        4        8         12            16           20
 *     | "PvF1" | length | session | payload CRC | header CRC | payload ...          all numbers little-endian
 *
 * Invariants: a frame is handed out only when both checksums hold and its length is at most FRAME_PAYLOAD_MAX; after
 * garbage the decoder finds the next whole frame; it never holds more than one frame of the largest size plus
 * what was pushed last; its work is linear in the bytes pushed, and in addition FRAME_PAYLOAD_MAX for each torn frame.
 */
#include "base/bytes.h"

enum {
    FRAME_HEADER_SIZE = 20,
    FRAME_PAYLOAD_MAX = 64 * 1024,
};

typedef struct FrameDecoder {
    Bytes buffer;
    size_t offset;    /* where the next look begins */
    uint64_t skipped; /* bytes that belonged to no frame */
    /* Good headers whose payload was not; each costs a checksum over it, so a reader counts them. */
    uint64_t torn;
} FrameDecoder;

/* Appends one frame to out: 0, -EMSGSIZE, -ENOMEM. */
int frame_append(Bytes *out, uint32_t session, const void *payload, size_t size);

int frame_decoder_push(FrameDecoder *d, const void *data, size_t size);
/* 1 with a payload that is valid until the next call with this decoder, 0 when more bytes are needed. */
int frame_decoder_next(FrameDecoder *d, uint32_t *ret_session, const uint8_t **ret_payload, size_t *ret_size);
void frame_decoder_done(FrameDecoder *d);
