/* SPDX-License-Identifier: Apache-2.0 */
/* What podvisor-uplink takes for an order, of a runner that may be anybody's. */
#include <sys/socket.h>

#include "base/socket.h"
#include "tests/unit/test.h"
#include "uplink/uplink.h"

typedef struct Ends {
    int runner, uplink; /* the socket between them */
    int file, stream;   /* descriptors that a runner may send */
} Ends;

static int open_ends(void **state)
{
    Ends *e = calloc(1, sizeof *e);
    int pair[2], stream[2];

    assert_non_null(e);
    assert_success(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
    assert_success(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream));
    e->runner = pair[0];
    e->uplink = pair[1];
    e->stream = stream[0];
    safe_close(stream[1]);
    e->file = open("/dev/null", O_RDWR | O_CLOEXEC);
    *state = e;
    return 0;
}

static int close_ends(void **state)
{
    Ends *e = *state;

    safe_close(e->runner);
    safe_close(e->uplink);
    safe_close(e->file);
    safe_close(e->stream);
    free(e);
    return 0;
}

static void say(const Ends *e, UplinkMessageType type, const void *body, int fd)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    assert_success(message_to_bytes(&uplink_protocol, (int)type, 0, body, &packet));
    assert_success(packet_send(e->runner, packet.data, packet.size, fd));
}

static int receive(const Ends *e, UplinkOrder *order)
{
    int r = uplink_order_receive(e->uplink, order);

    uplink_order_done(order);
    return r;
}

static void a_lock_and_a_connection_are_an_order(void **state)
{
    const Ends *e = *state;
    char *publish[] = { (char *)(uintptr_t) "8080:80", NULL };
    const UplinkBegin begin = { .network = { NETWORK_USER, publish },
                                .passt = (char *)(uintptr_t) "/usr/bin/passt" };
    UplinkOrder order;

    say(e, UPLINK_LOCK, NULL, e->file);
    say(e, UPLINK_BEGIN, &begin, e->stream);
    assert_success(uplink_order_receive(e->uplink, &order));
    assert_true(order.lock >= 0 && order.guest >= 0);
    assert_string_equal(order.begin.network.publish[0], "8080:80");
    uplink_order_done(&order);
}

static void what_is_no_order_is_refused(void **state)
{
    const Ends *e = *state;
    const UplinkBegin begin = { .passt = (char *)(uintptr_t) "/usr/bin/passt" };
    UplinkOrder order;

    /* No lock first. */
    say(e, UPLINK_BEGIN, &begin, e->stream);
    assert_int_equal(receive(e, &order), -EPROTO);
    /* A lock without a descriptor. */
    say(e, UPLINK_LOCK, NULL, -1);
    assert_int_equal(receive(e, &order), -EPROTO);
    /* Two locks. */
    say(e, UPLINK_LOCK, NULL, e->file);
    say(e, UPLINK_LOCK, NULL, e->file);
    assert_int_equal(receive(e, &order), -EPROTO);
    /* What is to be written to is no connection. */
    say(e, UPLINK_LOCK, NULL, e->file);
    say(e, UPLINK_BEGIN, &begin, e->file);
    assert_int_equal(receive(e, &order), -EPROTO);
    /* A word of the other side. */
    say(e, UPLINK_READY, NULL, e->file);
    assert_int_equal(receive(e, &order), -EPROTO);
    /* No message. */
    assert_success(packet_send(e->runner, "\xc1", 1, e->file));
    assert_true(receive(e, &order) < 0);
}

static void a_wish_for_a_tap_is_an_order_alone(void **state)
{
    const Ends *e = *state;
    const UplinkBegin begin = { .network = { .mode = NETWORK_BRIDGE },
                                .link = { .bridge = (char *)(uintptr_t) "br0", .mtu = 1500 } };
    UplinkOrder order;

    say(e, UPLINK_JOIN, &begin, -1);
    assert_success(uplink_order_receive(e->uplink, &order));
    assert_true(order.join && order.lock < 0 && order.guest < 0);
    assert_string_equal(order.begin.link.bridge, "br0");
    uplink_order_done(&order);
    /* Not behind what belongs to the other kind, nor what only this side says. */
    say(e, UPLINK_LOCK, NULL, e->file);
    say(e, UPLINK_JOIN, &begin, -1);
    assert_int_equal(receive(e, &order), -EPROTO);
    say(e, UPLINK_TAP, NULL, e->file);
    assert_int_equal(receive(e, &order), -EPROTO);
}

/* The one word that came back, and the descriptor with it; false: nothing came. The caller calls message_done(). */
static bool hear(const Ends *e, Message *ret, int *ret_fd)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    *ret_fd = -1;
    if (packet_receive(e->runner, UPLINK_PACKET_MAX, &packet, ret_fd) <= 0)
        return false;
    return message_from_bytes(&uplink_protocol, packet.data, packet.size, ret) >= 0;
}

/* podvisord's record says which kind a pod has; a runner that asks for the other one is told so, and gets nothing. */
static void the_kind_of_network_is_not_the_runners_to_choose(void **state)
{
    static const struct {
        NetworkMode mode;
        bool join;
    } rows[] = { { NETWORK_USER, true }, { NETWORK_NONE, true }, { NETWORK_BRIDGE, false } };
    const Ends *e = *state;

    TABLE_FOREACH (row, rows) {
        UplinkOrder order = { .begin.network.mode = row->mode, .join = row->join, .lock = -1, .guest = -1 };
        Message m;
        int fd;
        assert_int_equal(uplink_run(e->uplink, &order), -EACCES);
        assert_true(hear(e, &m, &fd));
        assert_int_equal(m.type, UPLINK_ENDED);
        assert_string_equal(((UplinkEnded *)m.body)->message,
                            "its definition gives it a network of another kind");
        assert_int_equal(fd, -1);
        message_done(&m);
    }
}

static void a_bridge_that_is_not_there_is_told_to_the_runner(void **state)
{
    const Ends *e = *state;
    UplinkOrder order = {
        .begin = { .network = { .mode = NETWORK_BRIDGE },
                   .link = { .bridge = (char *)(uintptr_t) "no-such-bridge",
                             .tap = (char *)(uintptr_t) "pv-test",
                             .mac = (char *)(uintptr_t) "02:00:00:00:00:01",
                             .mtu = 1500 } },
        .join = true,
        .lock = -1,
        .guest = -1,
    };
    Message m;
    int fd;

    assert_int_equal(uplink_run(e->uplink, &order), -ENODEV);
    assert_true(hear(e, &m, &fd));
    assert_int_equal(m.type, UPLINK_ENDED);
    assert_string_equal(((UplinkEnded *)m.body)->message, "this host has no bridge no-such-bridge");
    message_done(&m);
}

static void bridges_that_are_gone_are_an_order_alone(void **state)
{
    const Ends *e = *state;
    UplinkBridge bridge = { .bridge = (char *)(uintptr_t) "pv-lan",
                            .mac = (char *)(uintptr_t) "02:00:00:00:00:01" };
    const UplinkSweep sweep = { &bridge, 1 };
    UplinkOrder order;

    say(e, UPLINK_SWEEP, &sweep, -1);
    assert_success(uplink_order_receive(e->uplink, &order));
    assert_true(order.sweep && !order.join && order.guest < 0);
    assert_int_equal(order.bridges.n_bridges, 1);
    assert_string_equal(order.bridges.bridges[0].bridge, "pv-lan");
    uplink_order_done(&order);
    /* Not after a lock, which is a runner's. */
    say(e, UPLINK_LOCK, NULL, e->file);
    say(e, UPLINK_SWEEP, &sweep, -1);
    assert_int_equal(receive(e, &order), -EPROTO);
}

static void a_runner_that_goes_away_has_ordered_nothing(void **state)
{
    Ends *e = *state;
    UplinkOrder order;

    say(e, UPLINK_LOCK, NULL, e->file);
    e->runner = safe_close(e->runner);
    assert_int_equal(receive(e, &order), -ECONNRESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lock_and_a_connection_are_an_order, open_ends, close_ends),
        cmocka_unit_test_setup_teardown(what_is_no_order_is_refused, open_ends, close_ends),
        cmocka_unit_test_setup_teardown(a_wish_for_a_tap_is_an_order_alone, open_ends, close_ends),
        cmocka_unit_test_setup_teardown(the_kind_of_network_is_not_the_runners_to_choose, open_ends,
                                        close_ends),
        cmocka_unit_test_setup_teardown(a_bridge_that_is_not_there_is_told_to_the_runner, open_ends,
                                        close_ends),
        cmocka_unit_test_setup_teardown(bridges_that_are_gone_are_an_order_alone, open_ends, close_ends),
        cmocka_unit_test_setup_teardown(a_runner_that_goes_away_has_ordered_nothing, open_ends, close_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
