/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "guest/agent/dhcp-message.h"
#include "tests/unit/agent/dhcp-answer.h"

static const uint8_t mac[] = ANSWER_MAC;

static int decode(const Packet *p, DhcpAnswer *ret)
{
    const char *why = NULL;
    int r = dhcp_decode(p->data, p->size, mac, ret, &why);

    assert_true(r != -EBADMSG || why);
    return r;
}

static void all_that_a_server_says_is_read(void **state)
{
    Packet p = plain();
    DhcpAnswer a;

    ADD(&p, 51, "\x00\x00\x0e\x10");
    ADD(&p, 58, "\x00\x00\x07\x08");
    ADD(&p, 59, "\x00\x00\x0c\x4e");
    ADD(&p, 1, "\xff\xff\xff\x00");
    ADD(&p, 3, "\x0a\x00\x00\x01\x0a\x00\x00\x02");
    ADD(&p, 6, "\x00\x00\x00\x00\x0a\x00\x00\x03\x7f\x00\x00\x01\x0a\x00\x00\x04");
    ADD(&p, 15, "example.org");
    ADD(&p, 26, "\x05\x78");
    p.data[p.size++] = 255;
    seal(&p);
    assert_success(decode(&p, &a));
    assert_int_equal(a.type, DHCP_ACK);
    assert_int_equal(a.xid, 0x12345678);
    assert_int_equal(a.address.s_addr, inet_addr("10.0.0.57"));
    assert_int_equal(a.server.s_addr, inet_addr("10.0.0.1"));
    assert_int_equal(a.router.s_addr, inet_addr("10.0.0.1"));
    assert_int_equal(a.bits, 24);
    assert_int_equal(a.lease, 3600);
    assert_int_equal(a.renew, 1800);
    assert_int_equal(a.rebind, 3150);
    assert_int_equal(a.mtu, 1400);
    assert_string_equal(a.domain, "example.org");
    /* What can be no server is none. */
    assert_int_equal(a.n_nameservers, 2);
    assert_int_equal(a.nameservers[1].s_addr, inet_addr("10.0.0.4"));
}

static void options_go_on_where_the_server_says_so(void **state)
{
    Packet p = plain();
    DhcpAnswer a;

    ADD(&p, 52, "\3");
    memcpy(p.data + FILE_NAME, "\x33\x04\x00\x00\x00\x07\xff", 7);
    memcpy(p.data + SNAME, "\x1a\x02\x05\x78\xff", 5);
    assert_success(decode(&p, &a));
    assert_int_equal(a.lease, 7);
    assert_int_equal(a.mtu, 1400);
    /* And end there. */
    memset(p.data + SNAME, 0, 64);
    p.data[SNAME + 62] = 26;
    p.data[SNAME + 63] = 2;
    assert_int_equal(decode(&p, &a), -EBADMSG);
}

static void what_is_said_twice_counts_the_first_time(void **state)
{
    Packet p = plain();
    DhcpAnswer a;

    ADD(&p, 26, "\x05\x78");
    ADD(&p, 26, "\x05\x00");
    assert_success(decode(&p, &a));
    assert_int_equal(a.mtu, 1400);
}

static void a_refusal_is_shown_without_what_a_terminal_would_obey(void **state)
{
    Packet p = plain();
    DhcpAnswer a;

    p.data[OPTIONS + 2] = 6;
    ADD(&p, 56, "not here\x1b[2J\xff");
    assert_success(decode(&p, &a));
    assert_string_equal(a.text, "not here?[2J?");
}

static void a_domain_that_is_no_name_is_none(void **state)
{
    static const char *const rows[][2] = {
        { "example.org.", "example.org" },
        { "a b", "" },
        { "a\nnameserver", "" },
        { ".org", "" },
        { "a..b", "" },
        { "-a", "" },
        { "", "" },
        { "a_b-c", "a_b-c" },
        { "\xc3\xa4", "" },
    };

    TABLE_FOREACH (row, rows) {
        Packet p = plain();
        DhcpAnswer a;
        add(&p, 15, (*row)[0], strlen((*row)[0]));
        assert_success(decode(&p, &a));
        assert_string_equal(a.domain, (*row)[1]);
    }
}

static void an_option_of_a_wrong_size_or_value_spoils_the_message(void **state)
{
    static const struct {
        uint8_t option;
        const char *data;
        size_t size;
    } rows[] = {
        { 1, "\xff\x00\xff\x00", 4 },
        { 1, "\x00\x00\x00\x00", 4 },
        { 1, "\xff", 1 },
        { 3, "\x0a", 1 },
        { 3, "\x0a\x00\x00\x01\x0a", 5 },
        { 6, "\x0a\x00\x00", 3 },
        { 26, "\x05", 1 },
        { 51, "\x05\x05", 2 },
        { 52, "\4", 1 },
        { 52, "\0", 1 },
        { 52, "", 0 },
        { 58, "", 0 },
        { 59, "12345", 5 },
    };

    TABLE_FOREACH (row, rows) {
        Packet p = plain();
        DhcpAnswer a;
        add(&p, row->option, row->data, row->size);
        if (decode(&p, &a) != -EBADMSG)
            fail_msg("option %u of %zu bytes is taken", row->option, row->size);
    }
}

static void what_does_not_say_what_it_is_or_whose_is_bad(void **state)
{
    Packet p = plain();
    DhcpAnswer a;

    p.data[OPTIONS] = 200;
    assert_int_equal(decode(&p, &a), -EBADMSG);
    p.data[OPTIONS] = 53;
    p.data[OPTIONS + 3] = 200;
    assert_int_equal(decode(&p, &a), -EBADMSG);
    p = plain();
    p.data[OPTIONS + 2] = 1; /* what only a client says */
    assert_int_equal(decode(&p, &a), -EBADMSG);
}

static void what_is_for_others_is_nothing(void **state)
{
    /* The place of a byte, and what stands there instead. */
    static const struct {
        size_t at;
        uint8_t byte;
    } rows[] = {
        { 0, 0x65 },
        { 0, 0x44 },
        { 6, 0x20 },
        { 7, 1 },
        { 9, 6 },
        { IP + 1, 68 },
        { IP + 3, 67 },
        { MESSAGE, 1 },
        { MESSAGE + 1, 6 },
        { MESSAGE + 2, 16 },
        { MESSAGE + 28, 4 },
        { MESSAGE + 33, 0x56 },
        { MESSAGE + 236, 0 },
    };

    TABLE_FOREACH (row, rows) {
        Packet p = plain();
        DhcpAnswer a;
        p.data[row->at] = row->byte;
        seal(&p);
        if (decode(&p, &a) != -ENOMSG)
            fail_msg("byte %zu may be %u", row->at, row->byte);
    }
}

static void a_packet_cut_short_anywhere_is_refused(void **state)
{
    Packet p = plain();
    DhcpAnswer a;

    for (size_t n = 0; n < p.size; n++) {
        const char *why;
        _cleanup_(freep) uint8_t *exact = malloc(n + 1);
        assert_non_null(exact);
        memcpy(exact, p.data, n);
        assert_true(dhcp_decode(exact, n, mac, &a, &why) < 0);
    }
}

static void a_checksum_that_is_wrong_is_seen(void **state)
{
    Packet p = plain();
    DhcpAnswer a;

    p.data[8] = 63;
    assert_int_equal(decode(&p, &a), -EBADMSG);
    p.data[8] = 64;
    p.data[IP + 6] = 1; /* of UDP: 0 would be none */
    assert_int_equal(decode(&p, &a), -EBADMSG);
}

static bool says(const uint8_t *packet, size_t size, const char *bytes, size_t n)
{
    return memmem(packet + OPTIONS, size - OPTIONS, bytes, n);
}
#define SAYS(packet, size, bytes) says(packet, size, bytes, sizeof bytes - 1)

static void a_request_says_who_asks_for_what(void **state)
{
    DhcpRequest r = { .type = DHCP_REQUEST,
                      .xid = 7,
                      .seconds = 3,
                      .to.s_addr = INADDR_BROADCAST,
                      .wanted.s_addr = inet_addr("10.0.0.57"),
                      .server.s_addr = inet_addr("10.0.0.1"),
                      .hostname = "web" };
    uint8_t packet[DHCP_PACKET_MAX];

    memcpy(r.mac, mac, sizeof mac);
    size_t size = dhcp_encode(&r, packet);
    assert_int_equal(size, MESSAGE + 300);
    assert_int_equal(packet[MESSAGE], 1);
    assert_memory_equal(packet + MESSAGE + 28, mac, sizeof mac);
    assert_true(SAYS(packet, size, "\x35\1\3"));
    assert_true(SAYS(packet, size, "\x3d\7\1\2\x11\x22\x33\x44\x55"));
    assert_true(SAYS(packet, size, "\x32\4\x0a\0\0\x39"));
    assert_true(SAYS(packet, size, "\x36\4\x0a\0\0\1"));
    assert_true(SAYS(packet, size, "\x0c\3web"));
    assert_true(SAYS(packet, size, "\x37\7\1\3\6\x0f\x1a\x3a\x3b"));
    /* Turned round it is read, so its sums are right. */
    memcpy(packet + IP, "\0\x43\0\x44", 4);
    packet[MESSAGE] = 2;
    packet[OPTIONS + 2] = DHCP_ACK;
    DhcpAnswer a;
    const char *why = "";
    /* One was added to the first, and taken from the second port; the rest is the sum of what was changed. */
    packet[IP + 6] = packet[IP + 7] = 0;
    if (dhcp_decode(packet, size, mac, &a, &why) < 0)
        fail_msg("%s", why);
    assert_int_equal(a.xid, 7);
}

static void a_release_asks_for_nothing(void **state)
{
    DhcpRequest r = { .type = DHCP_RELEASE,
                      .from.s_addr = inet_addr("10.0.0.57"),
                      .to.s_addr = inet_addr("10.0.0.1"),
                      .server.s_addr = inet_addr("10.0.0.1") };
    uint8_t packet[DHCP_PACKET_MAX];

    size_t size = dhcp_encode(&r, packet);
    assert_true(SAYS(packet, size, "\x35\1\7"));
    assert_false(SAYS(packet, size, "\x37\7\1\3"));
    assert_memory_equal(packet + MESSAGE + 12, &r.from, 4);
    assert_memory_equal(packet + 12, &r.from, 4);
    assert_memory_equal(packet + 16, &r.to, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_a_server_says_is_read),
        cmocka_unit_test(options_go_on_where_the_server_says_so),
        cmocka_unit_test(what_is_said_twice_counts_the_first_time),
        cmocka_unit_test(a_refusal_is_shown_without_what_a_terminal_would_obey),
        cmocka_unit_test(a_domain_that_is_no_name_is_none),
        cmocka_unit_test(an_option_of_a_wrong_size_or_value_spoils_the_message),
        cmocka_unit_test(what_does_not_say_what_it_is_or_whose_is_bad),
        cmocka_unit_test(what_is_for_others_is_nothing),
        cmocka_unit_test(a_packet_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_checksum_that_is_wrong_is_seen),
        cmocka_unit_test(a_request_says_who_asks_for_what),
        cmocka_unit_test(a_release_asks_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
