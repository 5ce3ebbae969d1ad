/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/log-ring.h"
#include "schemas/agent.h"
#include "tests/unit/test.h"

static void add(LogRing *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        log_ring_append(r, 1, "web", STREAM_STDOUT, false, "0123456789", 10);
}

static size_t send_all(LogRing *r, uint64_t *ret_dropped)
{
    size_t n = 0;

    for (uint64_t dropped; log_ring_peek(r, &dropped); n++) {
        if (n == 0)
            *ret_dropped = dropped;
        log_ring_sent(r);
    }
    return n;
}

static const size_t record = sizeof(LogEntry) + 10;

static void records_are_sent_once_and_kept_until_they_are_acknowledged(void **state)
{
    LogRing r;
    uint64_t dropped = 9;

    log_ring_init(&r, 100 * record, 50 * record);
    add(&r, 3);
    assert_int_equal(send_all(&r, &dropped), 3);
    assert_int_equal(dropped, 0);
    assert_int_equal(send_all(&r, &dropped), 0);
    assert_int_equal(log_ring_first(&r), 1);
    assert_success(log_ring_ack(&r, 2));
    assert_int_equal(log_ring_first(&r), 3);
    assert_success(log_ring_ack(&r, 3));
    assert_true(log_ring_empty(&r));
    assert_int_equal(log_ring_first(&r), 4);
    assert_int_equal(r.in_flight, 0);
    log_ring_done(&r);
}

static void a_new_session_gets_all_that_is_not_acknowledged(void **state)
{
    LogRing r;
    uint64_t dropped;

    log_ring_init(&r, 100 * record, 50 * record);
    add(&r, 10);
    assert_int_equal(send_all(&r, &dropped), 10);
    assert_success(log_ring_ack(&r, 4));
    log_ring_rewind(&r);
    const LogEntry *e = log_ring_peek(&r, &dropped);
    assert_int_equal(e->seq, 5);
    assert_int_equal(dropped, 0);
    assert_int_equal(send_all(&r, &dropped), 6);
    log_ring_done(&r);
}

static void no_more_than_the_window_is_in_flight(void **state)
{
    LogRing r;
    uint64_t dropped;

    log_ring_init(&r, 100 * record, 5 * record);
    add(&r, 20);
    assert_int_equal(send_all(&r, &dropped), 5);
    assert_success(log_ring_ack(&r, 2));
    assert_int_equal(send_all(&r, &dropped), 2);
    log_ring_done(&r);
}

static void the_oldest_go_first_and_their_number_is_told(void **state)
{
    LogRing r;
    uint64_t dropped;

    log_ring_init(&r, 10 * record, 100 * record);
    add(&r, 25);
    assert_int_equal(log_ring_first(&r), 16);
    assert_int_equal(send_all(&r, &dropped), 10);
    assert_int_equal(dropped, 15);
    log_ring_done(&r);
}

static void what_was_pushed_out_stays_in_the_window_until_it_is_acknowledged(void **state)
{
    LogRing r;
    uint64_t dropped;

    log_ring_init(&r, 10 * record, 5 * record);
    add(&r, 10);
    assert_int_equal(send_all(&r, &dropped), 5);
    add(&r, 8);
    assert_int_equal(log_ring_first(&r), 9);
    assert_int_equal(send_all(&r, &dropped), 0);
    assert_success(log_ring_ack(&r, 5));
    assert_int_equal(send_all(&r, &dropped), 5);
    assert_int_equal(dropped, 3);
    assert_int_equal(r.in_flight, 5 * record);
    log_ring_done(&r);
}

static void a_new_session_may_acknowledge_what_an_earlier_one_got(void **state)
{
    LogRing r;
    uint64_t dropped = 9;

    log_ring_init(&r, 100 * record, 50 * record);
    add(&r, 10);
    assert_int_equal(send_all(&r, &dropped), 10);
    log_ring_rewind(&r);
    assert_success(log_ring_ack(&r, 7));
    assert_int_equal(log_ring_first(&r), 8);
    assert_int_equal(r.in_flight, 0);
    assert_int_equal(send_all(&r, &dropped), 3);
    assert_int_equal(dropped, 0);
    log_ring_done(&r);
}

static void acknowledging_what_never_was_frees_nothing(void **state)
{
    LogRing r;
    uint64_t dropped;

    log_ring_init(&r, 10 * record, 2 * record);
    add(&r, 5);
    assert_int_equal(send_all(&r, &dropped), 2);
    assert_int_equal(log_ring_ack(&r, 6), -EINVAL);
    assert_int_equal(log_ring_ack(&r, UINT64_MAX), -EINVAL);
    assert_int_equal(log_ring_first(&r), 1);
    log_ring_done(&r);
}

static void room_is_enough_for_the_shortest_lines(void **state)
{
    LogRing r;

    log_ring_init(&r, 1024 * 1024, 1024);
    for (size_t room; (room = log_ring_room(&r)) > 0;)
        for (size_t i = 0; i < room; i++)
            log_ring_append(&r, 1, "web", STREAM_STDOUT, false, "", 0);
    assert_int_equal(log_ring_first(&r), 1);
    assert_true(r.size + AGENT_LOG_RECORD_MAX <= r.size_max);
    log_ring_done(&r);
}

static void a_record_larger_than_the_window_is_not_stuck(void **state)
{
    LogRing r;
    uint64_t dropped;

    log_ring_init(&r, 100 * record, record / 2);
    add(&r, 2);
    assert_int_equal(send_all(&r, &dropped), 1);
    assert_success(log_ring_ack(&r, 1));
    assert_int_equal(send_all(&r, &dropped), 1);
    log_ring_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_sent_once_and_kept_until_they_are_acknowledged),
        cmocka_unit_test(a_new_session_gets_all_that_is_not_acknowledged),
        cmocka_unit_test(no_more_than_the_window_is_in_flight),
        cmocka_unit_test(the_oldest_go_first_and_their_number_is_told),
        cmocka_unit_test(what_was_pushed_out_stays_in_the_window_until_it_is_acknowledged),
        cmocka_unit_test(a_new_session_may_acknowledge_what_an_earlier_one_got),
        cmocka_unit_test(acknowledging_what_never_was_frees_nothing),
        cmocka_unit_test(room_is_enough_for_the_shortest_lines),
        cmocka_unit_test(a_record_larger_than_the_window_is_not_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
