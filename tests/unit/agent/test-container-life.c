/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/container-life.h"
#include "tests/unit/test.h"

static uint32_t random_value;

static uint32_t fake_random(void)
{
    return random_value;
}

static RestartSettings settings(RestartPolicy policy)
{
    return (RestartSettings){ .policy = policy,
                              .delay = USEC_PER_SEC,
                              .max_delay = 10 * USEC_PER_SEC,
                              .reset_after = 60 * USEC_PER_SEC };
}

/* A life that has come to run at `now`. */
static ContainerLife running(const RestartSettings *restart, usec_t now)
{
    ContainerLife l;

    container_life_init(&l, restart, 10 * USEC_PER_SEC, fake_random);
    assert_int_equal(container_life_tell(&l, LIFE_TURN, now), LIFE_NOTHING);
    assert_int_equal(container_life_tell(&l, LIFE_READY, now), LIFE_LAUNCH);
    assert_int_equal(container_life_tell(&l, LIFE_STARTED, now), LIFE_NOTHING);
    assert_int_equal(l.phase, LIFE_RUNNING);
    return l;
}

static void policies_decide_about_ends(void **state)
{
    static const struct {
        RestartPolicy policy;
        bool failed;
        LifePhase phase;
    } rows[] = {
        { RESTART_ALWAYS, false, LIFE_BACKOFF },   { RESTART_ALWAYS, true, LIFE_BACKOFF },
        { RESTART_ON_FAILURE, false, LIFE_ENDED }, { RESTART_ON_FAILURE, true, LIFE_BACKOFF },
        { RESTART_NEVER, false, LIFE_ENDED },      { RESTART_NEVER, true, LIFE_ENDED },
    };
    TABLE_FOREACH (row, rows) {
        RestartSettings restart = settings(row->policy);
        ContainerLife l = running(&restart, 0);
        l.failed = row->failed;
        assert_int_equal(container_life_tell(&l, LIFE_EXITED, 5), LIFE_NOTHING);
        assert_int_equal(l.phase, row->phase);
        assert_true(container_life_over(&l) == (row->phase == LIFE_ENDED));
    }
}

static void the_wait_doubles_up_to_its_limit_and_a_tenth_is_random(void **state)
{
    static const usec_t waits[] = { 1, 2, 4, 8, 10, 10 };
    RestartSettings restart = settings(RESTART_ALWAYS);
    ContainerLife l = running(&restart, 0);
    usec_t now = 0;

    TABLE_FOREACH (wait, waits) {
        random_value = wait == waits ? 0 : UINT32_MAX;
        container_life_tell(&l, LIFE_EXITED, now);
        assert_int_equal(l.deadline - now, *wait * USEC_PER_SEC * (wait == waits ? 9 : 10) / 10);
        now = l.deadline;
        assert_int_equal(container_life_tell(&l, LIFE_TIMEOUT, now), LIFE_LAUNCH);
        container_life_tell(&l, LIFE_STARTED, now);
    }
    assert_int_equal(l.restarts, ELEMENTSOF(waits));
}

static void a_good_run_makes_failures_forgotten(void **state)
{
    RestartSettings restart = settings(RESTART_ALWAYS);
    ContainerLife l = running(&restart, 0);

    random_value = UINT32_MAX;
    for (int i = 0; i < 5; i++) {
        container_life_tell(&l, LIFE_EXITED, 0);
        container_life_tell(&l, LIFE_TIMEOUT, 0);
        container_life_tell(&l, LIFE_STARTED, 0);
    }
    container_life_tell(&l, LIFE_EXITED, restart.reset_after);
    assert_int_equal(l.deadline, restart.reset_after + restart.delay);
    assert_int_equal(l.restarts, 5);
}

static void a_stop_asks_then_kills(void **state)
{
    RestartSettings restart = settings(RESTART_ALWAYS);
    ContainerLife l = running(&restart, 0);

    l.stop_deadline = 100 * USEC_PER_SEC;
    assert_int_equal(container_life_tell(&l, LIFE_STOP, 0), LIFE_SIGNAL);
    assert_int_equal(l.deadline, 10 * USEC_PER_SEC);
    l.stop_deadline = 3 * USEC_PER_SEC;
    assert_int_equal(container_life_tell(&l, LIFE_STOP, 1), LIFE_NOTHING);
    assert_int_equal(l.deadline, 3 * USEC_PER_SEC);
    assert_int_equal(container_life_tell(&l, LIFE_TIMEOUT, l.deadline), LIFE_KILL);
    assert_false(container_life_over(&l));
    container_life_tell(&l, LIFE_EXITED, l.deadline);
    assert_int_equal(l.phase, LIFE_ENDED);
}

static void a_stop_ends_what_does_not_run_at_once(void **state)
{
    RestartSettings restart = settings(RESTART_ALWAYS);
    ContainerLife queued, waiting, backoff = running(&restart, 0), starting;

    container_life_init(&queued, &restart, 0, fake_random);
    waiting = queued;
    container_life_tell(&queued, LIFE_STOP, 0);
    assert_int_equal(queued.phase, LIFE_ENDED);
    container_life_tell(&waiting, LIFE_TURN, 0);
    starting = waiting;
    container_life_tell(&waiting, LIFE_STOP, 0);
    assert_int_equal(waiting.phase, LIFE_ENDED);
    container_life_tell(&backoff, LIFE_EXITED, 0);
    container_life_tell(&backoff, LIFE_STOP, 0);
    assert_int_equal(backoff.phase, LIFE_ENDED);
    container_life_tell(&starting, LIFE_READY, 0);
    assert_int_equal(container_life_tell(&starting, LIFE_STOP, 0), LIFE_KILL);
    container_life_tell(&starting, LIFE_EXITED, 0);
    assert_int_equal(starting.phase, LIFE_ENDED);
}

static void what_cannot_start_fails_for_good(void **state)
{
    RestartSettings restart = settings(RESTART_ALWAYS);
    ContainerLife l;

    container_life_init(&l, &restart, 0, fake_random);
    container_life_tell(&l, LIFE_TURN, 0);
    container_life_tell(&l, LIFE_READY, 0);
    container_life_tell(&l, LIFE_REFUSED, 0);
    assert_int_equal(container_life_state(&l), CONTAINER_FAILED);
    assert_true(container_life_over(&l));
    for (LifeEvent e = 0; e < LIFE_EVENT_MAX; e++)
        assert_int_equal(container_life_tell(&l, e, 1), LIFE_NOTHING);
    assert_int_equal(l.phase, LIFE_FAILED);
}

static void an_image_that_never_comes_and_a_start_that_hangs_have_deadlines(void **state)
{
    RestartSettings restart = settings(RESTART_NEVER);
    ContainerLife l, hung;

    container_life_init(&l, &restart, 0, fake_random);
    assert_int_equal(l.deadline, USEC_INFINITY);
    container_life_tell(&l, LIFE_TURN, 7);
    hung = l;
    assert_int_equal(l.deadline, 7 + LIFE_IMAGE_TIMEOUT);
    container_life_tell(&l, LIFE_TIMEOUT, l.deadline);
    assert_int_equal(l.phase, LIFE_FAILED);
    container_life_tell(&hung, LIFE_READY, 7);
    assert_int_equal(hung.deadline, 7 + LIFE_START_TIMEOUT);
    assert_int_equal(container_life_tell(&hung, LIFE_TIMEOUT, hung.deadline), LIFE_KILL);
    assert_int_equal(hung.deadline, USEC_INFINITY);
}

static void who_waits_for_a_turn_hears_nothing_before_it(void **state)
{
    RestartSettings restart = settings(RESTART_ALWAYS);
    ContainerLife l;

    container_life_init(&l, &restart, 0, fake_random);
    assert_int_equal(container_life_tell(&l, LIFE_READY, 0), LIFE_NOTHING);
    assert_int_equal(container_life_tell(&l, LIFE_TIMEOUT, 0), LIFE_NOTHING);
    assert_int_equal(container_life_state(&l), CONTAINER_WAITING);
    container_life_tell(&l, LIFE_REFUSED, 0);
    assert_int_equal(l.phase, LIFE_FAILED);
}

static void what_is_to_end_once_does_so_under_each_policy(void **state)
{
    static const struct {
        RestartPolicy policy;
        bool failed;
        LifePhase phase;
    } rows[] = {
        { RESTART_ALWAYS, false, LIFE_ENDED },
        { RESTART_ALWAYS, true, LIFE_BACKOFF },
        { RESTART_ON_FAILURE, true, LIFE_BACKOFF },
        { RESTART_NEVER, true, LIFE_ENDED },
    };
    TABLE_FOREACH (row, rows) {
        RestartSettings restart = settings(row->policy);
        ContainerLife l = running(&restart, 0);
        l.once = true;
        l.failed = row->failed;
        container_life_tell(&l, LIFE_EXITED, 5);
        assert_int_equal(l.phase, row->phase);
    }
}

static void a_failed_probe_ends_it_and_starts_it_again_however_it_ended(void **state)
{
    RestartSettings restart = settings(RESTART_ON_FAILURE);
    ContainerLife l = running(&restart, 0);

    assert_int_equal(container_life_tell(&l, LIFE_PROBE, 5), LIFE_SIGNAL);
    assert_int_equal(l.deadline, 5 + 10 * USEC_PER_SEC);
    assert_int_equal(container_life_state(&l), CONTAINER_RUNNING);
    assert_int_equal(container_life_tell(&l, LIFE_TIMEOUT, l.deadline), LIFE_KILL);
    assert_int_equal(l.deadline, USEC_INFINITY);
    l.failed = false;
    container_life_tell(&l, LIFE_EXITED, 20 * USEC_PER_SEC);
    assert_int_equal(l.phase, LIFE_BACKOFF);
    assert_int_equal(container_life_tell(&l, LIFE_TIMEOUT, l.deadline), LIFE_LAUNCH);
    assert_int_equal(l.restarts, 1);
}

static void a_failed_probe_is_a_failure_for_good_where_nothing_is_started_again(void **state)
{
    RestartSettings restart = settings(RESTART_NEVER);
    ContainerLife l = running(&restart, 0);

    container_life_tell(&l, LIFE_PROBE, 0);
    l.failed = false;
    container_life_tell(&l, LIFE_EXITED, 1);
    assert_int_equal(container_life_state(&l), CONTAINER_FAILED);
}

static void a_stop_while_a_failed_probe_ends_it_is_an_end_for_good(void **state)
{
    RestartSettings restart = settings(RESTART_ALWAYS);
    ContainerLife l = running(&restart, 0);

    container_life_tell(&l, LIFE_PROBE, 0);
    l.stop_deadline = USEC_PER_SEC;
    assert_int_equal(container_life_tell(&l, LIFE_STOP, 0), LIFE_NOTHING);
    assert_int_equal(l.deadline, USEC_PER_SEC);
    assert_int_equal(container_life_tell(&l, LIFE_TIMEOUT, l.deadline), LIFE_KILL);
    container_life_tell(&l, LIFE_EXITED, l.deadline);
    assert_int_equal(l.phase, LIFE_ENDED);
}

static void every_phase_has_a_word_and_a_state(void **state)
{
    for (int p = 0; p < LIFE_PHASE_MAX; p++) {
        ContainerLife l = { .phase = (LifePhase)p };
        assert_int_equal(enum_from_string(&life_phase_table, enum_to_string(&life_phase_table, p)), p);
        assert_true(container_life_state(&l) < CONTAINER_STATE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_decide_about_ends),
        cmocka_unit_test(the_wait_doubles_up_to_its_limit_and_a_tenth_is_random),
        cmocka_unit_test(a_good_run_makes_failures_forgotten),
        cmocka_unit_test(a_stop_asks_then_kills),
        cmocka_unit_test(a_stop_ends_what_does_not_run_at_once),
        cmocka_unit_test(what_cannot_start_fails_for_good),
        cmocka_unit_test(an_image_that_never_comes_and_a_start_that_hangs_have_deadlines),
        cmocka_unit_test(who_waits_for_a_turn_hears_nothing_before_it),
        cmocka_unit_test(what_is_to_end_once_does_so_under_each_policy),
        cmocka_unit_test(a_failed_probe_ends_it_and_starts_it_again_however_it_ended),
        cmocka_unit_test(a_failed_probe_is_a_failure_for_good_where_nothing_is_started_again),
        cmocka_unit_test(a_stop_while_a_failed_probe_ends_it_is_an_end_for_good),
        cmocka_unit_test(every_phase_has_a_word_and_a_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
