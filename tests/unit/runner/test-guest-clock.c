/* SPDX-License-Identifier: Apache-2.0 */
/* What can be known of a guest's clock by one question. */
#include "runner/guest-clock.h"
#include "tests/unit/test.h"

#define MSEC(n) ((n) * (int64_t)USEC_PER_MSEC)

static void only_what_is_certain_is_an_error(void **state)
{
    static const struct {
        int64_t round_trip, off; /* of the middle of the round trip */
        int64_t error;
        bool right;
    } rows[] = {
        { MSEC(1), 0, 0, true },
        { MSEC(1), MSEC(19), 0, true },
        { MSEC(1), -MSEC(19), 0, true },
        { MSEC(2), MSEC(20), 0, false },
        { MSEC(2), MSEC(22), MSEC(22), false },
        { MSEC(2), -MSEC(22), -MSEC(22), false },
        { MSEC(2), -MSEC(2000), -MSEC(2000), false },
        { MSEC(1000), MSEC(510), 0, false },
        { MSEC(1000), MSEC(530), MSEC(530), false },
        { MSEC(40), 0, 0, true },
        { MSEC(50), 0, 0, false },
    };
    const usec_t asked = 1000 * USEC_PER_SEC;

    TABLE_FOREACH (row, rows) {
        usec_t answered = asked + (usec_t)row->round_trip,
               time = asked + (usec_t)(row->round_trip / 2 + row->off);
        bool right = !row->right;
        assert_int_equal(guest_clock_error(asked, answered, time, &right), row->error);
        assert_int_equal(right, row->right);
    }
}

static void no_lie_is_too_big(void **state)
{
    bool right;

    assert_int_equal(guest_clock_error(5, 5, UINT64_MAX, &right), INT64_MAX);
    assert_false(right);
    assert_int_equal(guest_clock_error(USEC_PER_SEC, USEC_PER_SEC, 0, &right), -MSEC(1000));
}

static void a_host_whose_clock_goes_back_is_borne(void **state)
{
    bool right;

    assert_int_equal(guest_clock_error(MSEC(1000), MSEC(10), MSEC(1000), &right), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_certain_is_an_error),
        cmocka_unit_test(no_lie_is_too_big),
        cmocka_unit_test(a_host_whose_clock_goes_back_is_borne),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
