/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/frame.h"
#include "tests/unit/test.h"

static void expect(FrameDecoder *d, uint32_t session, const char *payload)
{
    uint32_t got_session = 0;
    const uint8_t *got;
    size_t size;

    assert_int_equal(frame_decoder_next(d, &got_session, &got, &size), 1);
    assert_int_equal(got_session, session);
    assert_int_equal(size, strlen(payload));
    assert_memory_equal(got, payload, size);
}

static void expect_none(FrameDecoder *d)
{
    uint32_t session;
    const uint8_t *payload;
    size_t size;
    assert_int_equal(frame_decoder_next(d, &session, &payload, &size), 0);
}

static void frames_arrive_byte_by_byte(void **state)
{
    Bytes wire = { 0 };
    FrameDecoder d = { 0 };

    assert_success(frame_append(&wire, 5, "hello", 5));
    assert_success(frame_append(&wire, 6, "", 0));
    for (size_t i = 0; i < wire.size; i++) {
        assert_success(frame_decoder_push(&d, wire.data + i, 1));
        if (i + 1 == FRAME_HEADER_SIZE + 5)
            expect(&d, 5, "hello");
        else if (i + 1 == wire.size)
            expect(&d, 6, "");
        else
            expect_none(&d);
    }
    assert_int_equal(d.skipped, 0);
    frame_decoder_done(&d);
    bytes_done(&wire);
}

static void a_reader_that_arrives_anywhere_finds_the_next_frame(void **state)
{
    Bytes wire = { 0 };

    assert_success(frame_append(&wire, 1, "first PvF1 first", 16));
    size_t second = wire.size;
    assert_success(frame_append(&wire, 2, "second", 6));
    for (size_t start = 1; start <= second; start++) {
        FrameDecoder d = { 0 };
        assert_success(frame_decoder_push(&d, wire.data + start, wire.size - start));
        expect(&d, 2, "second");
        expect_none(&d);
        assert_int_equal(d.skipped, second - start);
        frame_decoder_done(&d);
    }
    bytes_done(&wire);
}

static void a_damaged_frame_is_never_handed_out_and_hides_no_other(void **state)
{
    Bytes wire = { 0 };

    assert_success(frame_append(&wire, 1, "payload", 7));
    size_t first = wire.size;
    assert_success(frame_append(&wire, 1, "whole", 5));
    for (size_t i = 0; i < first * 8; i++) {
        FrameDecoder d = { 0 };
        wire.data[i / 8] ^= (uint8_t)(1 << (i % 8));
        assert_success(frame_decoder_push(&d, wire.data, wire.size));
        expect(&d, 1, "whole");
        expect_none(&d);
        wire.data[i / 8] ^= (uint8_t)(1 << (i % 8));
        frame_decoder_done(&d);
    }
    bytes_done(&wire);
}

static void a_frame_cut_off_by_the_end_of_its_sender_does_not_swallow_the_next_ones(void **state)
{
    Bytes wire = { 0 }, large = { 0 };
    FrameDecoder d = { 0 };
    static const char payload[1000] = "cut";

    assert_success(frame_append(&large, 1, payload, sizeof payload));
    assert_success(bytes_append(&wire, large.data, 500));
    for (int i = 0; i < 40; i++)
        assert_success(frame_append(&wire, 2, "next", 4));
    assert_success(frame_decoder_push(&d, wire.data, wire.size));
    for (int i = 0; i < 40; i++)
        expect(&d, 2, "next");
    frame_decoder_done(&d);
    bytes_done(&wire);
    bytes_done(&large);
}

static void garbage_is_not_hoarded(void **state)
{
    FrameDecoder d = { 0 };
    uint8_t noise[4096];
    uint32_t seed = 1;

    for (int round = 0; round < 1000; round++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
        assert_success(frame_decoder_push(&d, noise, sizeof noise));
        expect_none(&d);
        assert_true(d.buffer.size - d.offset <= FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX);
        assert_true(d.buffer.allocated <= 4 * (FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX));
    }
    frame_decoder_done(&d);
}

static void a_payload_too_large_is_not_sent(void **state)
{
    Bytes wire = { 0 };
    _cleanup_(freep) uint8_t *payload = calloc(1, FRAME_PAYLOAD_MAX + 1);

    assert_int_equal(frame_append(&wire, 1, payload, FRAME_PAYLOAD_MAX + 1), -EMSGSIZE);
    assert_success(frame_append(&wire, 1, payload, FRAME_PAYLOAD_MAX));
    bytes_done(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_arrive_byte_by_byte),
        cmocka_unit_test(a_reader_that_arrives_anywhere_finds_the_next_frame),
        cmocka_unit_test(a_damaged_frame_is_never_handed_out_and_hides_no_other),
        cmocka_unit_test(a_frame_cut_off_by_the_end_of_its_sender_does_not_swallow_the_next_ones),
        cmocka_unit_test(garbage_is_not_hoarded),
        cmocka_unit_test(a_payload_too_large_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
