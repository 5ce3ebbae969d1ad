/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "guest/agent/dhcp-client.h"
#include "tests/unit/test.h"

#define S USEC_PER_SEC
#define BEGIN (100 * S)

static uint32_t number;

/* Each one another, and in the middle of what varies by a second: no wait varies. */
static uint32_t same_random(void)
{
    return (uint32_t)S + number++ % 2 * 2 * (uint32_t)S;
}

static uint32_t no_random(void)
{
    return 0;
}

static struct in_addr ip(const char *text)
{
    return (struct in_addr){ .s_addr = inet_addr(text) };
}

static DhcpAnswer answer(const DhcpClient *c, DhcpType type)
{
    return (DhcpAnswer){ .type = type,
                         .xid = c->xid,
                         .address = ip("10.0.0.57"),
                         .server = ip("10.0.0.1"),
                         .router = ip("10.0.0.254"),
                         .bits = 24,
                         .lease = 3600 };
}

static unsigned take(DhcpClient *c, DhcpType type, usec_t now)
{
    DhcpAnswer a = answer(c, type);
    return dhcp_client_take(c, &a, now);
}

/* Its deadline comes: when that was. */
static usec_t passes(DhcpClient *c, unsigned expected)
{
    usec_t now = c->deadline;

    assert_int_not_equal(now, USEC_INFINITY);
    assert_int_equal(dhcp_client_tell(c, DHCP_TIMEOUT, now), expected);
    return now;
}

static DhcpClient begun(DhcpRandom random)
{
    static const uint8_t mac[MAC_ADDRESS_SIZE] = { 2, 0x11, 0x22, 0x33, 0x44, 0x55 };
    DhcpClient c;

    dhcp_client_init(&c, mac, "web", random);
    assert_int_equal(c.deadline, USEC_INFINITY);
    assert_int_equal(dhcp_client_tell(&c, DHCP_BEGIN, BEGIN), DHCP_DO_SEND);
    return c;
}

static DhcpClient bound(void)
{
    DhcpClient c = begun(no_random);

    assert_int_equal(take(&c, DHCP_OFFER, BEGIN), DHCP_DO_SEND);
    assert_int_equal(take(&c, DHCP_ACK, BEGIN + S), DHCP_DO_TAKE);
    assert_int_equal(c.state, DHCP_BOUND);
    return c;
}

static DhcpRequest said(const DhcpClient *c, usec_t now)
{
    DhcpRequest r;

    dhcp_client_request(c, now, &r);
    assert_int_equal(r.xid, c->xid);
    assert_string_equal(r.hostname, "web");
    return r;
}

static void an_offer_is_asked_for_and_then_held(void **state)
{
    DhcpClient c = begun(no_random);
    DhcpRequest r = said(&c, BEGIN);

    assert_int_equal(r.type, DHCP_DISCOVER);
    assert_int_equal(r.to.s_addr, INADDR_BROADCAST);
    assert_int_equal(take(&c, DHCP_OFFER, BEGIN + 2 * S), DHCP_DO_SEND);
    r = said(&c, BEGIN + 2 * S);
    assert_int_equal(r.type, DHCP_REQUEST);
    assert_int_equal(r.wanted.s_addr, ip("10.0.0.57").s_addr);
    assert_int_equal(r.server.s_addr, ip("10.0.0.1").s_addr);
    assert_int_equal(r.from.s_addr, 0);
    assert_int_equal(r.seconds, 2);
    assert_int_equal(take(&c, DHCP_ACK, BEGIN + 3 * S), DHCP_DO_TAKE);
    assert_true(dhcp_client_has_lease(&c));
    assert_int_equal(c.lease.bits, 24);
    /* From when it asked, not from when it was answered. */
    assert_int_equal(c.expires, BEGIN + 3602 * S);
    assert_int_equal(c.deadline, BEGIN + 1802 * S);
    assert_int_equal(c.rebind, BEGIN + 3152 * S);
    assert_string_equal(c.trouble, "");
}

static void without_an_answer_it_asks_again_ever_more_rarely(void **state)
{
    static const usec_t waits[] = { 4, 8, 16, 32, 64, 64, 64 };
    number = 0;
    DhcpClient c = begun(same_random);
    usec_t at = BEGIN;

    TABLE_FOREACH (wait, waits) {
        uint32_t xid = c.xid;
        at += *wait * S;
        assert_int_equal(c.deadline, at);
        passes(&c, DHCP_DO_SEND);
        assert_int_equal(c.xid, xid);
    }
    assert_int_equal(said(&c, at).seconds, 252);
}

static void an_answer_to_another_question_means_nothing(void **state)
{
    DhcpClient c = begun(no_random);
    DhcpAnswer a = answer(&c, DHCP_OFFER);

    a.xid++;
    assert_int_equal(dhcp_client_take(&c, &a, BEGIN), 0);
    assert_int_equal(take(&c, DHCP_ACK, BEGIN), 0);
    assert_int_equal(take(&c, DHCP_NAK, BEGIN), 0);
    assert_int_equal(c.state, DHCP_SELECTING);
}

static void another_server_cannot_answer_for_the_one_that_was_asked(void **state)
{
    DhcpClient c = begun(no_random);

    take(&c, DHCP_OFFER, BEGIN);
    DhcpAnswer a = answer(&c, DHCP_ACK);
    a.server = ip("10.0.0.66");
    assert_int_equal(dhcp_client_take(&c, &a, BEGIN), 0);
    a.type = DHCP_NAK;
    assert_int_equal(dhcp_client_take(&c, &a, BEGIN), 0);
    assert_int_equal(c.state, DHCP_REQUESTING);
    c = bound();
    passes(&c, DHCP_DO_SEND);
    a.xid = c.xid;
    assert_int_equal(dhcp_client_take(&c, &a, c.sent), 0);
    a.type = DHCP_ACK;
    assert_int_equal(dhcp_client_take(&c, &a, c.sent), 0);
    assert_int_equal(c.state, DHCP_RENEWING);
}

static void an_offer_that_no_host_can_take_is_passed_over_and_told(void **state)
{
    DhcpClient c = begun(no_random);
    DhcpAnswer good = answer(&c, DHCP_OFFER);
    struct {
        DhcpAnswer a;
        const char *words;
    } rows[] = {
        { good, "its own address is none" },
        { good, "it says no subnet mask" },
        { good, "it offers an address that no host can have" },
        { good, "it offers an address that no host can have" },
        { good, "its router is none" },
        { good, "its leases are too short" },
    };
    rows[0].a.server = ip("0.0.0.0");
    rows[1].a.bits = 0;
    rows[2].a.address = ip("10.0.0.255");
    rows[3].a.address = ip("127.0.0.1");
    rows[4].a.router = ip("255.255.255.255");
    rows[5].a.lease = DHCP_LEASE_MIN - 1;

    TABLE_FOREACH (row, rows) {
        assert_int_equal(dhcp_client_take(&c, &row->a, BEGIN), 0);
        assert_int_equal(c.state, DHCP_SELECTING);
        if (!strstr(c.trouble, row->words))
            fail_msg("\"%s\" is not \"%s\"", c.trouble, row->words);
    }
    assert_int_equal(take(&c, DHCP_OFFER, BEGIN), DHCP_DO_SEND);
}

static void a_server_that_is_silent_after_its_offer_is_given_up(void **state)
{
    DhcpClient c = begun(no_random);

    take(&c, DHCP_OFFER, BEGIN);
    passes(&c, DHCP_DO_SEND);
    passes(&c, DHCP_DO_SEND);
    assert_int_equal(c.state, DHCP_REQUESTING);
    passes(&c, DHCP_DO_SEND);
    assert_int_equal(c.state, DHCP_SELECTING);
    assert_string_equal(c.trouble,
                        "the DHCP server 10.0.0.1 made an offer, and then did not answer any more");
}

static void a_lease_is_renewed_by_its_server(void **state)
{
    DhcpClient c = bound();
    usec_t now = passes(&c, DHCP_DO_SEND);
    DhcpRequest r = said(&c, now);

    assert_int_equal(c.state, DHCP_RENEWING);
    assert_int_equal(r.type, DHCP_REQUEST);
    assert_int_equal(r.to.s_addr, ip("10.0.0.1").s_addr);
    assert_int_equal(r.from.s_addr, ip("10.0.0.57").s_addr);
    /* Those two are for who has no address yet: RFC 2131, 4.3.2. */
    assert_int_equal(r.wanted.s_addr, 0);
    assert_int_equal(r.server.s_addr, 0);
    assert_int_equal(take(&c, DHCP_ACK, now + S), DHCP_DO_TAKE);
    assert_int_equal(c.state, DHCP_BOUND);
    assert_int_equal(c.expires, now + 3600 * S);
}

static void a_server_that_is_away_is_asked_again_then_all_and_then_the_lease_ends(void **state)
{
    DhcpClient c = bound();
    usec_t at = passes(&c, DHCP_DO_SEND), rebind = c.rebind, expires = c.expires;

    /* Half of what is left each time, until less than a minute is. */
    while (c.state == DHCP_RENEWING) {
        assert_int_equal(c.deadline, MIN(at + MAX((rebind - at) / 2, 60 * S), rebind));
        at = passes(&c, DHCP_DO_SEND);
        assert_string_equal(c.trouble, "the DHCP server 10.0.0.1 does not answer");
    }
    assert_int_equal(at, rebind);
    assert_int_equal(said(&c, at).to.s_addr, INADDR_BROADCAST);
    while (c.deadline < expires)
        passes(&c, DHCP_DO_SEND);
    assert_int_equal(c.state, DHCP_REBINDING);
    passes(&c, DHCP_DO_SEND | DHCP_DO_DROP);
    assert_int_equal(c.state, DHCP_SELECTING);
    assert_string_equal(c.trouble, "the lease of 10.0.0.57 ran out, and no DHCP server made it longer");
}

static void any_server_may_go_on_with_a_lease_that_was_asked_of_all(void **state)
{
    DhcpClient c = bound();

    while (c.state != DHCP_REBINDING)
        passes(&c, DHCP_DO_SEND);
    DhcpAnswer a = answer(&c, DHCP_ACK);
    a.server = ip("10.0.0.2");
    assert_int_equal(dhcp_client_take(&c, &a, c.sent), DHCP_DO_TAKE);
    assert_int_equal(c.lease.server.s_addr, a.server.s_addr);
    assert_string_equal(c.trouble, "");
}

static void a_renewal_that_is_for_another_address_is_not_taken(void **state)
{
    DhcpClient c = bound();
    usec_t now = passes(&c, DHCP_DO_SEND);
    DhcpAnswer a = answer(&c, DHCP_ACK);

    a.address = ip("10.0.0.58");
    assert_int_equal(dhcp_client_take(&c, &a, now), 0);
    assert_int_equal(c.state, DHCP_RENEWING);
    assert_non_null(strstr(c.trouble, "another address"));
}

static void a_refusal_takes_the_lease_and_asks_anew_at_once(void **state)
{
    DhcpClient c = bound();
    usec_t now = passes(&c, DHCP_DO_SEND);
    DhcpAnswer a = answer(&c, DHCP_NAK);

    (void)snprintf(a.text, sizeof a.text, "not here");
    assert_int_equal(dhcp_client_take(&c, &a, now), DHCP_DO_DROP | DHCP_DO_SEND);
    assert_int_equal(c.state, DHCP_SELECTING);
    assert_false(dhcp_client_has_lease(&c));
    assert_int_equal(said(&c, now).from.s_addr, 0);
    assert_string_equal(c.trouble, "the DHCP server 10.0.0.1 refuses: not here");
}

static void a_server_that_offers_and_refuses_is_not_asked_without_end(void **state)
{
    static const usec_t waits[] = { 2, 4, 8, 16, 32, 64, 64 };
    DhcpClient c = begun(no_random);
    usec_t now = BEGIN;

    take(&c, DHCP_OFFER, now);
    assert_int_equal(take(&c, DHCP_NAK, now), DHCP_DO_SEND);
    TABLE_FOREACH (wait, waits) {
        take(&c, DHCP_OFFER, now);
        assert_int_equal(take(&c, DHCP_NAK, now), 0);
        assert_int_equal(c.state, DHCP_WAITING);
        assert_int_equal(c.deadline, now + *wait * S);
        now = passes(&c, DHCP_DO_SEND);
    }
}

static void times_of_a_server_that_make_no_sense_are_not_taken(void **state)
{
    /* Lease, T1 and T2 as said; T1 and T2 as taken. */
    static const uint32_t rows[][5] = {
        { 800, 100, 300, 100, 300 }, { 800, 0, 0, 400, 700 },   { 800, 700, 600, 400, 600 },
        { 800, 900, 900, 400, 700 }, { 800, 100, 1, 100, 700 }, { 800, UINT32_MAX, UINT32_MAX, 400, 700 },
    };

    TABLE_FOREACH (row, rows) {
        DhcpClient c = begun(no_random);
        take(&c, DHCP_OFFER, BEGIN);
        DhcpAnswer a = answer(&c, DHCP_ACK);
        a.lease = (*row)[0];
        a.renew = (*row)[1];
        a.rebind = (*row)[2];
        dhcp_client_take(&c, &a, BEGIN);
        assert_int_equal(c.renew, BEGIN + (*row)[3] * S);
        assert_int_equal(c.rebind, BEGIN + (*row)[4] * S);
    }
}

static void a_lease_for_ever_is_never_asked_about(void **state)
{
    DhcpClient c = begun(no_random);

    take(&c, DHCP_OFFER, BEGIN);
    DhcpAnswer a = answer(&c, DHCP_ACK);
    a.lease = UINT32_MAX;
    dhcp_client_take(&c, &a, BEGIN);
    assert_int_equal(c.deadline, USEC_INFINITY);
    dhcp_client_skip(&c, 10000 * S);
    assert_int_equal(c.expires, USEC_INFINITY);
}

static void time_that_the_clock_has_not_seen_counts(void **state)
{
    static const struct {
        usec_t skipped;
        DhcpState state;
        unsigned action;
    } rows[] = {
        { 1900 * S, DHCP_RENEWING, DHCP_DO_SEND },
        { 3300 * S, DHCP_REBINDING, DHCP_DO_SEND },
        { 4000 * S, DHCP_SELECTING, DHCP_DO_SEND | DHCP_DO_DROP },
        { UINT64_MAX - 1, DHCP_SELECTING, DHCP_DO_SEND | DHCP_DO_DROP },
    };

    TABLE_FOREACH (row, rows) {
        DhcpClient c = bound();
        dhcp_client_skip(&c, row->skipped);
        assert_true(c.deadline <= BEGIN + 10 * S);
        assert_int_equal(dhcp_client_tell(&c, DHCP_TIMEOUT, BEGIN + 10 * S), row->action);
        assert_int_equal(c.state, row->state);
    }
}

static void an_end_gives_the_lease_back(void **state)
{
    DhcpClient c = bound();
    DhcpRequest r;

    dhcp_client_release(&c, &r);
    assert_int_equal(r.type, DHCP_RELEASE);
    assert_int_equal(r.to.s_addr, ip("10.0.0.1").s_addr);
    assert_int_equal(r.server.s_addr, ip("10.0.0.1").s_addr);
    assert_int_equal(r.from.s_addr, ip("10.0.0.57").s_addr);
    assert_int_equal(dhcp_client_tell(&c, DHCP_END, BEGIN), DHCP_DO_DROP);
    assert_int_equal(c.deadline, USEC_INFINITY);
    assert_int_equal(dhcp_client_tell(&c, DHCP_TIMEOUT, BEGIN), 0);
}

static void every_state_has_a_word(void **state)
{
    for (int i = 0; i < DHCP_STATE_MAX; i++)
        assert_int_equal(enum_from_string(&dhcp_state_table, enum_to_string(&dhcp_state_table, i)), i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_is_asked_for_and_then_held),
        cmocka_unit_test(without_an_answer_it_asks_again_ever_more_rarely),
        cmocka_unit_test(an_answer_to_another_question_means_nothing),
        cmocka_unit_test(another_server_cannot_answer_for_the_one_that_was_asked),
        cmocka_unit_test(an_offer_that_no_host_can_take_is_passed_over_and_told),
        cmocka_unit_test(a_server_that_is_silent_after_its_offer_is_given_up),
        cmocka_unit_test(a_lease_is_renewed_by_its_server),
        cmocka_unit_test(a_server_that_is_away_is_asked_again_then_all_and_then_the_lease_ends),
        cmocka_unit_test(any_server_may_go_on_with_a_lease_that_was_asked_of_all),
        cmocka_unit_test(a_renewal_that_is_for_another_address_is_not_taken),
        cmocka_unit_test(a_refusal_takes_the_lease_and_asks_anew_at_once),
        cmocka_unit_test(a_server_that_offers_and_refuses_is_not_asked_without_end),
        cmocka_unit_test(times_of_a_server_that_make_no_sense_are_not_taken),
        cmocka_unit_test(a_lease_for_ever_is_never_asked_about),
        cmocka_unit_test(time_that_the_clock_has_not_seen_counts),
        cmocka_unit_test(an_end_gives_the_lease_back),
        cmocka_unit_test(every_state_has_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
