/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/probe-life.h"
#include "tests/unit/test.h"

#define S USEC_PER_SEC

static ProbeDefinition definition(void)
{
    return (ProbeDefinition){ .tcp = (char[]){ ":80" },
                              .delay = 5 * S,
                              .period = 10 * S,
                              .timeout = S,
                              .failures = 3,
                              .successes = 2 };
}

static ProbeLife begun(ProbeKind kind, const ProbeDefinition *d, usec_t now)
{
    ProbeLife l;

    probe_life_init(&l, kind, d);
    assert_int_equal(l.deadline, USEC_INFINITY);
    assert_int_equal(probe_life_tell(&l, PROBE_BEGIN, now), PROBE_NOTHING);
    return l;
}

/* Its next try begins in time and ends as told, so much later. */
static ProbeAction tried(ProbeLife *l, ProbeEvent event, usec_t later)
{
    usec_t now = l->deadline;

    assert_int_equal(l->phase, PROBE_PENDING);
    assert_int_equal(probe_life_tell(l, PROBE_TIMEOUT, now), PROBE_TRY);
    assert_int_equal(l->deadline, now + l->definition->timeout);
    return probe_life_tell(l, event, now + later);
}

static void tries_come_after_the_delay_and_then_each_period(void **state)
{
    ProbeDefinition d = definition();
    ProbeLife l = begun(PROBE_READY, &d, 100 * S);

    assert_int_equal(l.deadline, 105 * S);
    tried(&l, PROBE_PASSED, S / 2);
    assert_int_equal(l.deadline, 115 * S);
    tried(&l, PROBE_FAILED, S / 2);
    assert_int_equal(l.deadline, 125 * S);
}

static void a_try_that_takes_longer_than_the_period_holds_up_the_next(void **state)
{
    ProbeDefinition d = definition();
    d.timeout = 60 * S;
    ProbeLife l = begun(PROBE_READY, &d, 0);

    tried(&l, PROBE_PASSED, 30 * S);
    assert_int_equal(l.deadline, 35 * S);
}

static void a_try_that_hangs_is_ended_and_counts(void **state)
{
    ProbeDefinition d = definition();
    ProbeLife l = begun(PROBE_ALIVE, &d, 0);

    for (int i = 0; i < 3; i++) {
        assert_false(l.failing);
        assert_int_equal(tried(&l, PROBE_TIMEOUT, S), PROBE_ABORT);
    }
    assert_true(l.failing);
}

static void it_takes_so_many_in_a_row_to_change_its_mind(void **state)
{
    static const struct {
        ProbeEvent event;
        bool passing, failing;
    } rows[] = {
        { PROBE_PASSED, false, false }, { PROBE_FAILED, false, false }, { PROBE_PASSED, false, false },
        { PROBE_PASSED, true, false },  { PROBE_FAILED, true, false },  { PROBE_FAILED, true, false },
        { PROBE_PASSED, true, false },  { PROBE_FAILED, true, false },  { PROBE_FAILED, true, false },
        { PROBE_FAILED, false, true },  { PROBE_PASSED, false, true },  { PROBE_PASSED, true, false },
    };
    ProbeDefinition d = definition();
    ProbeLife l = begun(PROBE_READY, &d, 0);

    TABLE_FOREACH (row, rows) {
        tried(&l, row->event, 1);
        assert_int_equal(l.passing, row->passing);
        assert_int_equal(l.failing, row->failing);
    }
}

static void startup_passes_once_and_for_all(void **state)
{
    ProbeDefinition d = definition();
    d.successes = 1;
    ProbeLife l = begun(PROBE_STARTUP, &d, 0);

    tried(&l, PROBE_FAILED, 1);
    tried(&l, PROBE_PASSED, 1);
    assert_int_equal(l.phase, PROBE_SETTLED);
    assert_int_equal(l.deadline, USEC_INFINITY);
    assert_true(l.passing);
    assert_int_equal(probe_life_tell(&l, PROBE_TIMEOUT, 99 * S), PROBE_NOTHING);
}

static void an_end_aborts_what_is_under_way_and_forgets(void **state)
{
    ProbeDefinition d = definition();
    d.successes = 1;
    ProbeLife l = begun(PROBE_READY, &d, 0);

    tried(&l, PROBE_PASSED, 1);
    assert_int_equal(probe_life_tell(&l, PROBE_TIMEOUT, l.deadline), PROBE_TRY);
    assert_int_equal(probe_life_tell(&l, PROBE_END, l.deadline), PROBE_ABORT);
    assert_int_equal(l.phase, PROBE_OFF);
    assert_int_equal(l.deadline, USEC_INFINITY);
    assert_false(l.passing);
    /* What comes late is nobody's. */
    assert_int_equal(probe_life_tell(&l, PROBE_PASSED, 0), PROBE_NOTHING);
    assert_false(l.passing);
}

static void without_a_probe_nothing_is_ever_due(void **state)
{
    static const ProbeDefinition none = { .period = S, .failures = 1, .successes = 1 };
    ProbeLife l;

    probe_life_init(&l, PROBE_ALIVE, &none);
    for (ProbeEvent event = 0; event < PROBE_EVENT_MAX; event++) {
        assert_int_equal(probe_life_tell(&l, event, 1), PROBE_NOTHING);
        assert_int_equal(l.deadline, USEC_INFINITY);
    }
    assert_int_equal(l.phase, PROBE_OFF);
}

static void every_phase_has_a_word(void **state)
{
    for (int p = 0; p < PROBE_PHASE_MAX; p++)
        assert_int_equal(enum_from_string(&probe_phase_table, enum_to_string(&probe_phase_table, p)), p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_come_after_the_delay_and_then_each_period),
        cmocka_unit_test(a_try_that_takes_longer_than_the_period_holds_up_the_next),
        cmocka_unit_test(a_try_that_hangs_is_ended_and_counts),
        cmocka_unit_test(it_takes_so_many_in_a_row_to_change_its_mind),
        cmocka_unit_test(startup_passes_once_and_for_all),
        cmocka_unit_test(an_end_aborts_what_is_under_way_and_forgets),
        cmocka_unit_test(without_a_probe_nothing_is_ever_due),
        cmocka_unit_test(every_phase_has_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
