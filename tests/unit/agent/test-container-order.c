/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/container-order.h"
#include "tests/unit/test.h"

enum { FIRST, SECOND, PROXY, LOG, APP, N };

typedef struct Story {
    OrderFacts facts[N];
} Story;

static Story begin(void)
{
    return (Story){ .facts = { [FIRST] = { .role = CONTAINER_INIT },
                               [SECOND] = { .role = CONTAINER_INIT },
                               [PROXY] = { .role = CONTAINER_SIDECAR },
                               [LOG] = { .role = CONTAINER_SIDECAR } } };
}

static Turn turn(const Story *s, size_t i)
{
    size_t other = N;
    return container_order_start(s->facts, N, i, &other);
}

static size_t blame(const Story *s, size_t i)
{
    size_t other = N;
    (void)container_order_start(s->facts, N, i, &other);
    return other;
}

static void init_runs_one_after_the_other_and_before_all_others(void **state)
{
    Story s = begin();

    assert_int_equal(turn(&s, FIRST), TURN_NOW);
    for (size_t i = SECOND; i < N; i++)
        assert_int_equal(turn(&s, i), TURN_LATER);
    assert_int_equal(blame(&s, APP), FIRST);
    s.facts[FIRST].over = s.facts[FIRST].through = true;
    assert_int_equal(turn(&s, SECOND), TURN_NOW);
    assert_int_equal(turn(&s, PROXY), TURN_LATER);
    assert_int_equal(blame(&s, PROXY), SECOND);
}

static void sidecars_start_together_and_the_others_when_all_are_through(void **state)
{
    Story s = begin();

    s.facts[FIRST].through = s.facts[SECOND].through = true;
    assert_int_equal(turn(&s, PROXY), TURN_NOW);
    assert_int_equal(turn(&s, LOG), TURN_NOW);
    s.facts[PROXY].through = true;
    assert_int_equal(turn(&s, APP), TURN_LATER);
    assert_int_equal(blame(&s, APP), LOG);
    s.facts[LOG].through = true;
    assert_int_equal(turn(&s, APP), TURN_NOW);
}

static void what_was_through_may_end(void **state)
{
    Story s = begin();

    for (size_t i = FIRST; i < APP; i++)
        s.facts[i].over = s.facts[i].through = true;
    assert_int_equal(turn(&s, APP), TURN_NOW);
}

static void who_fails_is_the_reason_why_the_rest_never_starts(void **state)
{
    Story s = begin();

    s.facts[SECOND].over = true;
    assert_int_equal(turn(&s, FIRST), TURN_NOW);
    for (size_t i = PROXY; i < N; i++) {
        assert_int_equal(turn(&s, i), TURN_NEVER);
        assert_int_equal(blame(&s, i), SECOND);
    }
}

static void a_sidecar_that_ended_early_keeps_the_others_from_starting(void **state)
{
    Story s = begin();

    s.facts[FIRST].through = s.facts[SECOND].through = s.facts[LOG].over = true;
    assert_int_equal(turn(&s, PROXY), TURN_NOW);
    assert_int_equal(turn(&s, APP), TURN_NEVER);
    assert_int_equal(blame(&s, APP), LOG);
}

static void sidecars_end_when_all_others_are_over(void **state)
{
    Story s = begin();

    assert_false(container_order_end(s.facts, N));
    s.facts[FIRST].over = s.facts[SECOND].over = true;
    assert_false(container_order_end(s.facts, N));
    s.facts[APP].over = true;
    assert_true(container_order_end(s.facts, N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_runs_one_after_the_other_and_before_all_others),
        cmocka_unit_test(sidecars_start_together_and_the_others_when_all_are_through),
        cmocka_unit_test(what_was_through_may_end),
        cmocka_unit_test(who_fails_is_the_reason_why_the_rest_never_starts),
        cmocka_unit_test(a_sidecar_that_ended_early_keeps_the_others_from_starting),
        cmocka_unit_test(sidecars_end_when_all_others_are_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
