/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pod-wait.h"
#include "tests/unit/test.h"

static WaitOutcome judge(WaitGoal goal, WaitSince since, PodStatus status)
{
    return wait_judge(&goal, &since, &status);
}

static void test_every_word_has_a_goal_that_can_be_reached(void **state)
{
    for (int i = 0; i < wait_goal_table.n; i++) {
        WaitGoal goal = wait_goal((uint64_t)i);
        assert_true(goal.reached != 0);
        assert_int_equal(goal.reached & goal.failed, 0);
    }
}

static void test_each_state_reaches_its_own_word(void **state)
{
    for (int i = 0; i < POD_STATE_MAX; i++) {
        int index = enum_from_string(&wait_goal_table, enum_to_string(&pod_state_table, i));
        assert_int_equal(index, i);
        PodStatus status = { .state = (PodState)i };
        assert_int_equal(judge(wait_goal((uint64_t)i), (WaitSince){ 0 }, status), WAIT_REACHED);
    }
}

static void test_a_pod_that_is_not_there_is_gone_and_stopped_and_not_yet_ready(void **state)
{
    WaitGoal gone = wait_goal((uint64_t)enum_from_string(&wait_goal_table, "gone"));
    WaitGoal stopped = wait_goal((uint64_t)enum_from_string(&wait_goal_table, "stopped"));
    WaitGoal ready = wait_goal(POD_READY);
    WaitSince since = { 0 };

    assert_int_equal(wait_judge(&gone, &since, NULL), WAIT_REACHED);
    assert_int_equal(wait_judge(&stopped, &since, NULL), WAIT_REACHED);
    assert_int_equal(wait_judge(&ready, &since, NULL), WAIT_GOES_ON);
}

static void test_what_an_operator_must_solve_ends_the_waiting(void **state)
{
    WaitSince since = { 0 };

    assert_int_equal(judge(wait_goal(POD_READY), since, (PodStatus){ .state = POD_FAILED }), WAIT_FAILED);
    assert_int_equal(judge(wait_goal(POD_READY), since, (PodStatus){ .state = POD_INDETERMINATE }),
                     WAIT_FAILED);
    assert_int_equal(judge(wait_goal(POD_READY), since, (PodStatus){ .state = POD_BACKOFF }), WAIT_GOES_ON);
    assert_int_equal(judge(wait_goal(POD_RUNNING), since, (PodStatus){ .state = POD_READY }), WAIT_REACHED);
}

static void test_a_missing_image_ends_a_start_and_no_other_waiting(void **state)
{
    WaitGoal start = { .reached = STATE_BIT(POD_READY), .failed = STATE_BIT(POD_BACKOFF) };
    PodStatus lacks = { .state = POD_WAITING, .missing_image = (char[]){ "web" } };
    WaitSince since = { 0 };

    assert_int_equal(judge(start, since, lacks), WAIT_FAILED);
    assert_int_equal(judge(start, since, (PodStatus){ .state = POD_WAITING }), WAIT_GOES_ON);
    assert_int_equal(judge(start, since, (PodStatus){ .state = POD_WAITING, .at_rest = true }), WAIT_FAILED);
    assert_int_equal(judge(wait_goal(POD_READY), since, lacks), WAIT_GOES_ON);
    assert_int_equal(judge(wait_goal(POD_BACKOFF), since, lacks), WAIT_GOES_ON);
}

static void test_a_pod_at_rest_gets_nowhere_without_an_operator(void **state)
{
    static const char *const words[] = { "ready", "running", "paused", "failed", "backoff" };
    WaitSince since = { 0 };
    PodStatus rest = { .state = POD_INACTIVE, .at_rest = true }, moment = { .state = POD_INACTIVE };

    TABLE_FOREACH (word, words) {
        WaitGoal goal = wait_goal((uint64_t)enum_from_string(&wait_goal_table, *word));
        assert_int_equal(judge(goal, since, rest), WAIT_FAILED);
        assert_int_equal(judge(goal, since, moment), WAIT_GOES_ON);
        assert_int_equal(judge(wait_goal_patient(goal), since, rest), WAIT_GOES_ON);
    }
    assert_int_equal(judge(wait_goal(POD_INACTIVE), since, rest), WAIT_REACHED);
    /* A file that was just removed is not noticed yet. */
    WaitGoal gone = wait_goal((uint64_t)enum_from_string(&wait_goal_table, "gone"));
    assert_int_equal(judge(gone, since, rest), WAIT_GOES_ON);
}

static void test_the_patient_wait_for_an_operator(void **state)
{
    WaitGoal goal = wait_goal_patient(wait_goal(POD_READY));
    ContainerReport containers[] = { { .state = CONTAINER_RUNNING }, { .state = CONTAINER_FAILED } };
    PodStatus lost = { .state = POD_RUNNING, .containers = containers, .n_containers = 2 };
    WaitSince since = { 0 };

    assert_int_equal(judge(goal, since, (PodStatus){ .state = POD_FAILED, .at_rest = true }), WAIT_GOES_ON);
    assert_int_equal(judge(goal, since, (PodStatus){ .state = POD_INDETERMINATE }), WAIT_GOES_ON);
    assert_int_equal(judge(goal, since, lost), WAIT_GOES_ON);
    assert_int_equal(judge(goal, since, (PodStatus){ .state = POD_READY }), WAIT_REACHED);
}

static void test_a_failure_from_before_does_not_count(void **state)
{
    WaitGoal goal = { .reached = STATE_BIT(POD_READY), .failed = STATE_BIT(POD_FAILED) };
    WaitSince since = { .given = true, .since = 100, .attempt = 3 };

    assert_int_equal(judge(goal, since, (PodStatus){ .state = POD_FAILED, .since = 100, .attempt = 3 }),
                     WAIT_GOES_ON);
    assert_int_equal(judge(goal, since, (PodStatus){ .state = POD_FAILED, .since = 200, .attempt = 3 }),
                     WAIT_FAILED);
    assert_int_equal(judge(goal, since, (PodStatus){ .state = POD_FAILED, .since = 100, .attempt = 4 }),
                     WAIT_FAILED);
}

static void test_a_container_that_failed_for_good_ends_the_waiting_for_all_of_them(void **state)
{
    ContainerReport containers[] = { { .state = CONTAINER_RUNNING }, { .state = CONTAINER_BACKOFF } };
    PodStatus status = { .state = POD_RUNNING, .attempt = 3, .containers = containers, .n_containers = 2 };
    WaitSince none = { 0 }, old = { .given = true, .attempt = 3, .new_attempt = true };

    assert_int_equal(judge(wait_goal(POD_READY), none, status), WAIT_GOES_ON);
    containers[1] = (ContainerReport){ .state = CONTAINER_ENDED };
    assert_int_equal(judge(wait_goal(POD_READY), none, status), WAIT_GOES_ON);
    containers[1].exit_code = 3;
    assert_int_equal(judge(wait_goal(POD_READY), none, status), WAIT_FAILED);
    containers[1] = (ContainerReport){ .state = CONTAINER_FAILED };
    assert_int_equal(judge(wait_goal(POD_READY), none, status), WAIT_FAILED);
    assert_int_equal(judge(wait_goal(POD_READY), old, status), WAIT_GOES_ON);
    assert_int_equal(judge(wait_goal(POD_RUNNING), none, status), WAIT_REACHED);
    assert_int_equal(judge(wait_goal(POD_SUCCEEDED), none, status), WAIT_GOES_ON);
    /* The last one: the machine ends with it, and is started again. */
    containers[0] = (ContainerReport){ .state = CONTAINER_ENDED };
    assert_int_equal(judge(wait_goal(POD_READY), none, status), WAIT_GOES_ON);
}

static void test_a_restart_is_done_when_another_machine_is_ready(void **state)
{
    WaitGoal goal = { .reached = STATE_BIT(POD_READY) };
    WaitSince since = { .given = true, .since = 100, .attempt = 3, .new_attempt = true };

    assert_int_equal(judge(goal, since, (PodStatus){ .state = POD_READY, .since = 100, .attempt = 3 }),
                     WAIT_GOES_ON);
    assert_int_equal(judge(goal, since, (PodStatus){ .state = POD_READY, .since = 300, .attempt = 4 }),
                     WAIT_REACHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_word_has_a_goal_that_can_be_reached),
        cmocka_unit_test(test_each_state_reaches_its_own_word),
        cmocka_unit_test(test_a_pod_that_is_not_there_is_gone_and_stopped_and_not_yet_ready),
        cmocka_unit_test(test_what_an_operator_must_solve_ends_the_waiting),
        cmocka_unit_test(test_a_missing_image_ends_a_start_and_no_other_waiting),
        cmocka_unit_test(test_a_pod_at_rest_gets_nowhere_without_an_operator),
        cmocka_unit_test(test_the_patient_wait_for_an_operator),
        cmocka_unit_test(test_a_failure_from_before_does_not_count),
        cmocka_unit_test(test_a_container_that_failed_for_good_ends_the_waiting_for_all_of_them),
        cmocka_unit_test(test_a_restart_is_done_when_another_machine_is_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
