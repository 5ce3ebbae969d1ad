/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/pod-state.h"
#include "supervisor/restart.h"
#include "tests/unit/test.h"

static const RestartSettings settings = {
    .delay = 1 * USEC_PER_SEC,
    .max_delay = 10 * USEC_PER_SEC,
    .reset_after = 60 * USEC_PER_SEC,
};

static void the_wait_doubles_up_to_its_limit(void **state)
{
    const usec_t expected[] = { 1, 2, 4, 8, 10, 10 };

    for (size_t i = 0; i < ELEMENTSOF(expected); i++)
        assert_int_equal(restart_delay(&settings, i + 1, UINT32_MAX), expected[i] * USEC_PER_SEC);
    assert_int_equal(restart_delay(&settings, UINT64_MAX, UINT32_MAX), 10 * USEC_PER_SEC);
}

static void a_tenth_of_the_wait_is_random(void **state)
{
    assert_int_equal(restart_delay(&settings, 1, 0), 900 * USEC_PER_MSEC);
    assert_in_range(restart_delay(&settings, 1, UINT32_MAX / 2), 949 * USEC_PER_MSEC, 951 * USEC_PER_MSEC);
    assert_int_equal(restart_delay(&settings, 1, UINT32_MAX), 1000 * USEC_PER_MSEC);
}

static void the_longest_settings_do_not_overflow(void **state)
{
    const RestartSettings longest = { .delay = USEC_INFINITY - 1, .max_delay = USEC_INFINITY };

    assert_true(restart_delay(&longest, 64, UINT32_MAX) >= longest.delay);
}

static void a_stable_run_forgets_failures(void **state)
{
    assert_int_equal(restart_failures(&settings, 0, 0), 1);
    assert_int_equal(restart_failures(&settings, 4, 59 * USEC_PER_SEC), 5);
    assert_int_equal(restart_failures(&settings, 4, 60 * USEC_PER_SEC), 1);
}

static void each_state_takes_each_event_to_a_state_or_refuses_it(void **state)
{
    for (int s = 0; s < POD_STATE_MAX; s++)
        for (int e = 0; e < POD_EVENT_MAX; e++) {
            int next = pod_state_next((PodState)s, (PodEvent)e);
            assert_true(next == -EINVAL || (next >= 0 && next < POD_STATE_MAX));
        }
}

/* Whatever a pod is doing, a doubt can be found, and its end can be seen. */
static void a_doubt_can_come_at_any_time(void **state)
{
    for (int s = 0; s < POD_STATE_MAX; s++) {
        assert_int_equal(pod_state_next((PodState)s, POD_EVENT_DOUBT), POD_INDETERMINATE);
        assert_int_equal(pod_state_next((PodState)s, POD_EVENT_IDLE), POD_INACTIVE);
    }
}

static void a_stopping_pod_does_not_become_ready_again(void **state)
{
    for (int e = POD_EVENT_STARTING; e <= POD_EVENT_PAUSED; e++)
        assert_int_equal(pod_state_next(POD_STOPPING, (PodEvent)e), POD_STOPPING);
}

static void a_runner_that_takes_over_does_not_make_a_pod_start(void **state)
{
    assert_int_equal(pod_state_next(POD_READY, POD_EVENT_STARTING), POD_READY);
    assert_int_equal(pod_state_next(POD_RUNNING, POD_EVENT_STARTING), POD_RUNNING);
    assert_int_equal(pod_state_next(POD_RECOVERING, POD_EVENT_STARTING), POD_RECOVERING);
}

static void no_machine_starts_beside_one_that_runs(void **state)
{
    assert_int_equal(pod_state_next(POD_RUNNING, POD_EVENT_LAUNCHED), -EINVAL);
    assert_int_equal(pod_state_next(POD_READY, POD_EVENT_LAUNCHED), -EINVAL);
    assert_int_equal(pod_state_next(POD_PAUSED, POD_EVENT_LAUNCHED), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_doubles_up_to_its_limit),
        cmocka_unit_test(a_tenth_of_the_wait_is_random),
        cmocka_unit_test(the_longest_settings_do_not_overflow),
        cmocka_unit_test(a_stable_run_forgets_failures),
        cmocka_unit_test(each_state_takes_each_event_to_a_state_or_refuses_it),
        cmocka_unit_test(a_doubt_can_come_at_any_time),
        cmocka_unit_test(a_stopping_pod_does_not_become_ready_again),
        cmocka_unit_test(a_runner_that_takes_over_does_not_make_a_pod_start),
        cmocka_unit_test(no_machine_starts_beside_one_that_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
