/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "tests/unit/test.h"
#include "uplink/frames.h"

enum { TCP = 6, UDP = 17, ICMP = 1, ICMPV6 = 58, SYN = 0x02, ACK = 0x10, NOW = 1000 };

typedef struct Frame {
    uint8_t data[128];
    size_t size;
} Frame;

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

/* As a guest or passt would make it, as far as anybody looks. */
static Frame frame(const char *from, const char *to, uint8_t protocol, unsigned from_port, unsigned to_port,
                   uint8_t flags)
{
    bool six = strchr(to, ':');
    Frame f = { .size = 14U + (six ? 40 : 20) + 20 };
    uint8_t *ip = f.data + 14, *inner = ip + (six ? 40 : 20);

    put16(f.data + 12, six ? 0x86dd : 0x0800);
    ip[0] = six ? 0x60 : 0x45;
    ip[six ? 6 : 9] = protocol;
    assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, from, ip + (six ? 8 : 12)), 1);
    assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, to, ip + (six ? 24 : 16)), 1);
    put16(inner, from_port);
    put16(inner + 2, to_port);
    inner[13] = flags;
    return f;
}

static bool allowed(Frames *frames, Frame f, uint32_t now)
{
    return frames_allow(frames, f.data, f.size, now);
}

static int open_frames(void **state)
{
    *state = frames_new();
    return *state ? 0 : -1;
}

static int close_frames(void **state)
{
    frames_free(*state);
    return 0;
}

static void no_packet_gets_to_a_loopback_address_in_whatever_clothes(void **state)
{
    static const char *const loopback[] = {
        "127.0.0.1", "127.255.1.2",      "0.0.0.0",          "0.1.2.3",    "::1",
        "::",        "::ffff:127.0.0.1", "::ffff:192.0.2.1", "::127.0.0.1"
    };

    TABLE_FOREACH (to, loopback) {
        const char *from = strchr(*to, ':') ? "fd00:706f:6476::15" : "10.0.2.15";
        for (uint8_t protocol = 0; protocol < UINT8_MAX; protocol++)
            if (allowed(*state, frame(from, *to, protocol, 1, 80, ACK), NOW))
                fail_msg("protocol %u gets to %s", protocol, *to);
    }
}

static void what_goes_anywhere_else_goes_on(void **state)
{
    static const char *const elsewhere[] = { "192.0.2.1", "10.0.2.3",        "10.0.2.15",   "128.0.0.1",
                                             "126.1.1.1", "255.255.255.255", "2001:db8::1", "fe80::2",
                                             "ff02::1",   "64:ff9b::1" };

    TABLE_FOREACH (to, elsewhere) {
        const char *from = strchr(*to, ':') ? "fd00:706f:6476::15" : "10.0.2.15";
        assert_true(allowed(*state, frame(from, *to, TCP, 1, 80, SYN), NOW));
        assert_true(allowed(*state, frame(from, *to, UDP, 1, 80, 0), NOW));
    }
    Frame arp = { .data = { [12] = 0x08, [13] = 0x06 }, .size = 42 };
    assert_true(allowed(*state, arp, NOW));
}

static void the_gateway_takes_no_beginning(void **state)
{
    assert_false(allowed(*state, frame("10.0.2.15", "10.0.2.2", TCP, 1, 80, SYN), NOW));
    assert_false(allowed(*state, frame("10.0.2.15", "10.0.2.2", TCP, 1, 80, SYN | ACK), NOW));
    assert_false(allowed(*state, frame("10.0.2.15", "10.0.2.2", UDP, 1, 80, 0), NOW));
    assert_false(allowed(*state, frame("10.0.2.15", "10.0.2.2", ICMP, 0x0800, 0, 0), NOW));
    assert_false(allowed(*state, frame("fd00:706f:6476::15", "fe80::1", TCP, 1, 80, SYN), NOW));
    assert_false(allowed(*state, frame("fd00:706f:6476::15", "fe80::1", UDP, 1, 80, 0), NOW));
    assert_false(allowed(*state, frame("fd00:706f:6476::15", "fe80::1", ICMPV6, 128 << 8, 0, 0), NOW));
    /* An extension header, behind which something could hide. */
    assert_false(allowed(*state, frame("fd00:706f:6476::15", "fe80::1", 60, TCP << 8, 80, 0), NOW));
    /* passt does nothing with these where it knows no connection. */
    assert_true(allowed(*state, frame("10.0.2.15", "10.0.2.2", TCP, 1, 80, ACK), NOW));
    /* Who has the gateway's address? */
    assert_true(allowed(*state, frame("fd00:706f:6476::15", "fe80::1", ICMPV6, 135 << 8, 0, 0), NOW));
}

static void a_fragment_for_the_gateway_is_never_an_answer(void **state)
{
    Frame f = frame("10.0.2.15", "10.0.2.2", TCP, 1, 80, ACK);

    put16(f.data + 14 + 6, 0x2000);
    assert_false(allowed(*state, f, NOW));
    put16(f.data + 14 + 6, 5);
    assert_false(allowed(*state, f, NOW));
}

static void answers_go_back_between_the_same_ports_for_a_while(void **state)
{
    static const struct {
        const char *guest, *gateway;
        uint8_t protocol, asked, answered;
    } rows[] = {
        { "10.0.2.15", "10.0.2.2", UDP, 0, 0 },
        { "10.0.2.15", "10.0.2.2", TCP, SYN, SYN | ACK },
        { "fd00:706f:6476::15", "fe80::1", UDP, 0, 0 },
        { "fd00:706f:6476::15", "fe80::1", TCP, SYN, SYN | ACK },
    };

    TABLE_FOREACH (row, rows) {
        Frame asked = frame(row->gateway, row->guest, row->protocol, 40000, 53, row->asked);
        Frame answer = frame(row->guest, row->gateway, row->protocol, 53, 40000, row->answered);
        assert_false(allowed(*state, answer, NOW));
        assert_true(frames_note(*state, asked.data, asked.size, NOW));
        assert_true(allowed(*state, answer, NOW));
        assert_true(allowed(*state, answer, NOW + FRAMES_ANSWER_TIME));
        assert_false(allowed(*state, answer, NOW + FRAMES_ANSWER_TIME + 1));
        assert_false(
            allowed(*state, frame(row->guest, row->gateway, row->protocol, 54, 40000, row->answered), NOW));
        assert_false(
            allowed(*state, frame(row->guest, row->gateway, row->protocol, 53, 40001, row->answered), NOW));
    }
}

static void what_others_send_opens_no_way_to_the_gateway(void **state)
{
    Frame asked = frame("192.0.2.1", "10.0.2.15", UDP, 40000, 53, 0);

    assert_true(frames_note(*state, asked.data, asked.size, NOW));
    assert_false(allowed(*state, frame("10.0.2.15", "10.0.2.2", UDP, 53, 40000, 0), NOW));
}

static void what_is_cut_off_does_not_go_on(void **state)
{
    Frame four = frame("10.0.2.15", "192.0.2.1", TCP, 1, 80, SYN),
          six = frame("fd00::1", "2001:db8::1", TCP, 1, 80, SYN);
    Frame to_gateway = frame("10.0.2.15", "10.0.2.2", TCP, 1, 80, ACK);

    for (size_t size = 0; size < 14 + 20; size++)
        assert_false(frames_allow(*state, four.data, size, NOW));
    for (size_t size = 0; size < 14 + 40; size++)
        assert_false(frames_allow(*state, six.data, size, NOW));
    for (size_t size = 0; size < 14 + 20 + 20; size++)
        assert_false(frames_allow(*state, to_gateway.data, size, NOW));
    four.data[14] = 0x4f; /* a header that is longer than the packet */
    assert_false(frames_allow(*state, four.data, 14 + 20, NOW));
}

static size_t append(uint8_t *to, Frame f)
{
    put16(to, 0);
    put16(to + 2, (unsigned)f.size);
    memcpy(to + FRAME_HEADER, f.data, f.size);
    return FRAME_HEADER + f.size;
}

/* However the bytes come, the same frames come out. */
static void a_stream_in_pieces_loses_what_is_forbidden_and_nothing_else(void **state)
{
    Frame good = frame("10.0.2.15", "192.0.2.1", TCP, 1, 80, SYN),
          bad = frame("10.0.2.15", "127.0.0.1", TCP, 1, 80, SYN);
    uint8_t all[1024], wanted[1024], data[1024], out[1024];
    size_t size = 0, n_wanted = 0;

    for (int i = 0; i < 8; i++) {
        size += append(all + size, i % 3 == 1 ? bad : good);
        if (i % 3 != 1)
            n_wanted += append(wanted + n_wanted, good);
    }
    for (size_t piece = 1; piece <= size; piece++) {
        size_t held = 0, n_out = 0;
        for (size_t at = 0; at < size; at += piece) {
            size_t n = MIN(piece, size - at);
            memcpy(data + held, all + at, n);
            held += n;
            ssize_t whole = frames_filter(*state, frames_allow, NOW, data, &held);
            assert_true(whole >= 0);
            memcpy(out + n_out, data, (size_t)whole);
            n_out += (size_t)whole;
            held -= (size_t)whole;
            memmove(data, data + whole, held);
        }
        assert_int_equal(held, 0);
        assert_int_equal(n_out, n_wanted);
        assert_memory_equal(out, wanted, n_wanted);
    }
}

static void a_frame_that_is_longer_than_any_is_an_error(void **state)
{
    uint8_t data[8] = { 0, 1, 0, 15 }; /* 65551 */
    size_t size = sizeof data;

    assert_int_equal(frames_filter(*state, frames_allow, NOW, data, &size), -EBADMSG);
    data[3] = 14;
    assert_int_equal(frames_filter(*state, frames_allow, NOW, data, &size), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_packet_gets_to_a_loopback_address_in_whatever_clothes, open_frames,
                                        close_frames),
        cmocka_unit_test_setup_teardown(what_goes_anywhere_else_goes_on, open_frames, close_frames),
        cmocka_unit_test_setup_teardown(the_gateway_takes_no_beginning, open_frames, close_frames),
        cmocka_unit_test_setup_teardown(a_fragment_for_the_gateway_is_never_an_answer, open_frames,
                                        close_frames),
        cmocka_unit_test_setup_teardown(answers_go_back_between_the_same_ports_for_a_while, open_frames,
                                        close_frames),
        cmocka_unit_test_setup_teardown(what_others_send_opens_no_way_to_the_gateway, open_frames,
                                        close_frames),
        cmocka_unit_test_setup_teardown(what_is_cut_off_does_not_go_on, open_frames, close_frames),
        cmocka_unit_test_setup_teardown(a_stream_in_pieces_loses_what_is_forbidden_and_nothing_else,
                                        open_frames, close_frames),
        cmocka_unit_test_setup_teardown(a_frame_that_is_longer_than_any_is_an_error, open_frames,
                                        close_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
