/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>

#include "guest/agent/port.h"
#include "tests/unit/test.h"

static usec_t fake_now = 1;

static usec_t fake_clock(void)
{
    return fake_now;
}

typedef struct Fixture {
    Loop loop;
    Port port;
    int peer;
    char got[128]; /* payloads, each ended by ; */
    unsigned hangups;
} Fixture;

static void on_frame(void *userdata, uint32_t session, const uint8_t *payload, size_t size)
{
    Fixture *f = userdata;
    size_t n = strlen(f->got);
    (void)snprintf(f->got + n, sizeof f->got - n, "%.*s;", (int)size, (const char *)payload);
}

static bool begins(void *userdata, const uint8_t *payload, size_t size)
{
    return size == 5 && memcmp(payload, "hello", 5) == 0;
}

static void on_hangup(void *userdata)
{
    ((Fixture *)userdata)->hangups++;
}

static void open_fixture(Fixture *f)
{
    int fds[2];

    *f = (Fixture){ 0 };
    assert_success(loop_init(&f->loop, fake_clock));
    assert_success(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
    port_init(&f->port, &f->loop);
    f->port.on_frame = on_frame;
    f->port.begins = begins;
    f->port.on_hangup = on_hangup;
    f->port.userdata = f;
    f->peer = fds[1];
    assert_success(port_open(&f->port, fds[0]));
}

static void close_fixture(Fixture *f)
{
    port_done(&f->port);
    loop_done(&f->loop);
    safe_close(f->peer);
}

static Bytes frame(const char *payload)
{
    Bytes b = { 0 };
    assert_success(frame_append(&b, 1, payload, strlen(payload)));
    return b;
}

static void say(Fixture *f, const void *data, size_t size)
{
    assert_int_equal(write(f->peer, data, size), (ssize_t)size);
    assert_success(loop_round(&f->loop, false));
}

static void garbage_between_frames_is_passed_over(void **state)
{
    Fixture f;
    _cleanup_(bytes_done) Bytes a = frame("one"), b = frame("two");

    open_fixture(&f);
    say(&f, "PvF1 is no frame, nor is PvF", 28);
    say(&f, a.data, a.size);
    say(&f, "\0\0\xff PvF1PvF1", 12);
    say(&f, b.data, b.size);
    assert_string_equal(f.got, "one;two;");
    close_fixture(&f);
    bytes_done(&b);
}

static void a_half_frame_of_a_dead_runner_gives_way_to_a_hello(void **state)
{
    Fixture f;
    uint8_t large[1000] = { 0 };
    Bytes torn = { 0 };
    _cleanup_(bytes_done) Bytes hello = frame("hello");

    open_fixture(&f);
    assert_success(frame_append(&torn, 1, large, sizeof large));
    say(&f, torn.data, torn.size / 2);
    say(&f, hello.data, hello.size);
    assert_string_equal(f.got, "");
    fake_now += PORT_PATIENCE;
    assert_success(loop_round(&f.loop, false));
    assert_string_equal(f.got, "hello;");
    close_fixture(&f);
    bytes_done(&torn);
}

static void a_slow_frame_is_not_given_up_for_what_its_payload_looks_like(void **state)
{
    Fixture f;
    _cleanup_(bytes_done) Bytes inner = frame("inner");
    Bytes outer = { 0 };

    open_fixture(&f);
    assert_success(frame_append(&outer, 1, inner.data, inner.size));
    say(&f, outer.data, outer.size - 1);
    fake_now += 10 * PORT_PATIENCE;
    assert_success(loop_round(&f.loop, false));
    assert_string_equal(f.got, "");
    say(&f, outer.data + outer.size - 1, 1);
    assert_int_equal(f.got[0], 'P');
    close_fixture(&f);
    bytes_done(&outer);
}

static void a_frame_that_has_begun_to_go_out_is_completed(void **state)
{
    _cleanup_(freep) uint8_t *large = calloc(1, FRAME_PAYLOAD_MAX);
    _cleanup_(freep) uint8_t *received = malloc(PORT_OUT_MAX);
    FrameDecoder d = { 0 };
    const uint8_t *payload;
    uint32_t session;
    Fixture f;
    size_t n_frames = 0, size;

    open_fixture(&f);
    for (int i = 0; i < 20; i++)
        assert_success(port_send(&f.port, 1, large, FRAME_PAYLOAD_MAX));
    port_flush(&f.port);
    assert_true(f.port.written > 0 && port_busy(&f.port));
    port_discard(&f.port);
    assert_success(port_send(&f.port, 2, "new", 3));
    for (ssize_t n; (n = read(f.peer, received, PORT_OUT_MAX)) > 0; port_flush(&f.port))
        assert_success(frame_decoder_push(&d, received, (size_t)n));
    while (frame_decoder_next(&d, &session, &payload, &size) > 0)
        n_frames++;
    assert_int_equal(session, 2);
    assert_int_equal(d.skipped, 0);
    assert_true(n_frames > 1 && n_frames < 20 && port_idle(&f.port));
    frame_decoder_done(&d);
    close_fixture(&f);
}

static void a_reader_that_never_reads_costs_bounded_memory(void **state)
{
    _cleanup_(freep) uint8_t *large = calloc(1, FRAME_PAYLOAD_MAX);
    Fixture f;
    int r = 0;

    open_fixture(&f);
    for (int i = 0; i < 1000 && r >= 0; i++)
        r = port_send(&f.port, 1, large, FRAME_PAYLOAD_MAX);
    assert_int_equal(r, -ENOBUFS);
    close_fixture(&f);
}

static void a_hang_up_counts_when_it_lasts(void **state)
{
    Fixture f;
    _cleanup_(bytes_done) Bytes last = frame("last");

    open_fixture(&f);
    assert_int_equal(write(f.peer, last.data, last.size), (ssize_t)last.size);
    f.peer = safe_close(f.peer);
    assert_success(loop_round(&f.loop, false));
    assert_string_equal(f.got, "last;");
    assert_int_equal(f.hangups, 0);
    fake_now += PORT_HANGUP_DELAY;
    assert_success(loop_round(&f.loop, false));
    assert_int_equal(f.hangups, 1);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(garbage_between_frames_is_passed_over),
        cmocka_unit_test(a_half_frame_of_a_dead_runner_gives_way_to_a_hello),
        cmocka_unit_test(a_slow_frame_is_not_given_up_for_what_its_payload_looks_like),
        cmocka_unit_test(a_frame_that_has_begun_to_go_out_is_completed),
        cmocka_unit_test(a_reader_that_never_reads_costs_bounded_memory),
        cmocka_unit_test(a_hang_up_counts_when_it_lasts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
