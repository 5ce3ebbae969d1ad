/* SPDX-License-Identifier: Apache-2.0 */
/* What a runner records of the times of a start: its own, the agent's, and nothing that it has not seen. */
#include "runner/start-marks.h"
#include "tests/unit/runner/runner-fixture.h"

static int setup(void **state)
{
    return begin(state, false);
}

static const StartTimes *times(const Fixture *f)
{
    return &f->runner->record.report.start;
}

static void say_clock(Fixture *f, usec_t asked, usec_t answered, usec_t uptime, usec_t tick)
{
    start_marks_clock(f->runner, asked, answered, &(AgentClock){ .uptime = uptime, .tick = tick });
}

/* The agent's report: every container does what it should. */
static void say_ready(Fixture *f, const StartTimes *start)
{
    ContainerReport items[] = { { .name = (char[]){ "one" }, .state = CONTAINER_RUNNING },
                                { .name = (char[]){ "two" }, .state = CONTAINER_RUNNING },
                                { .name = (char[]){ "three" }, .state = CONTAINER_RUNNING } };
    AgentReport report = { .containers = items, .n_containers = ELEMENTSOF(items) };

    if (start)
        report.start = *start;
    fake_say(&f->agent, AGENT_REPORT, 0, &report);
}

static void the_runners_own_steps_are_marked_in_their_order(void **state)
{
    static const StartMark order[] = { START_RUNNER,    START_BEGUN,      START_PROVED, START_WELCOME,
                                       START_CONFIGURE, START_CONFIGURED, START_READY };
    Fixture *f = *state;

    configure(f);
    say_ready(f, NULL);
    for (size_t i = 1; i < ELEMENTSOF(order); i++)
        assert_true(times(f)->at[order[i - 1]] > 0 && times(f)->at[order[i]] >= times(f)->at[order[i - 1]]);
    assert_int_equal(times(f)->n_containers, 3);
    assert_int_equal(times(f)->at[START_INIT], 0);
    assert_int_equal(times(f)->at[START_ENDED], 0);
}

static void they_are_in_its_checkpoint_and_the_next_runner_goes_on_with_them(void **state)
{
    Fixture *f = *state;
    RunnerRecord record;

    configure(f);
    say_ready(f, NULL);
    assert_int_equal(checkpoint_read(f->runner->vm_dir, &runner_checkpoint, &record, NULL, NULL),
                     CHECKPOINT_GOOD);
    assert_memory_equal(record.report.start.at, times(f)->at, sizeof record.report.start.at);
    assert_string_equal(record.report.start.containers[2].name, "three");
    schema_done(&runner_record_schema, &record);
}

static void what_happens_again_does_not_count(void **state)
{
    Fixture *f = *state;

    configure(f);
    say_ready(f, NULL);
    StartTimes before = *times(f);
    /* Another session with the same agent, and a container that has fallen and risen. */
    f->agent.fd = safe_close(f->agent.fd);
    channel_next(f);
    (void)fake_expect(&f->agent, AGENT_HELLO);
    fake_say(&f->agent, AGENT_WELCOME, 0, &(AgentWelcome){ .version = 1, .configured = true });
    fake_say(&f->agent, AGENT_REPORT, 0, &(AgentReport){ 0 });
    say_ready(f, &(StartTimes){ .at = { [START_INIT] = 7 } });
    say_clock(f, 1000, 1001, 500, 0);
    assert_memory_equal(before.at, times(f)->at, sizeof before.at);
    assert_int_equal(times(f)->guest_doubt, 0);
}

static void of_a_start_that_was_not_seen_nothing_is_marked(void **state)
{
    Fixture *f = *state;

    /* As a record of an older podvisor is. */
    schema_done(&start_times_schema, &f->runner->record.report.start);
    configure(f);
    say_ready(f, &(StartTimes){ .at = { [START_INIT] = 7 } });
    start_marks_output(f->runner, "one");
    machine_ends(END_VMM_EXIT, 0);
    assert_true(start_times_empty(times(f)));
    assert_int_equal(times(f)->n_containers, 0);
}

static void an_end_before_readiness_is_a_mark_and_one_after_it_is_none(void **state)
{
    Fixture *f = *state;

    configure(f);
    machine_ends(END_VMM_EXIT, 0);
    assert_int_equal(state_of(f), RUNNER_ENDED);
    assert_true(times(f)->at[START_ENDED] >= times(f)->at[START_CONFIGURED]);
    StartTimes ready = { .at = { [START_RUNNER] = 1, [START_READY] = 2 } };
    start_mark_end(&ready);
    assert_int_equal(ready.at[START_ENDED], 0);
}

static void the_shortest_round_trip_relates_the_clocks(void **state)
{
    Fixture *f = *state;

    say_clock(f, 10000, 10800, 2000, 0);
    assert_int_equal(times(f)->guest_zero, 8400);
    assert_int_equal(times(f)->guest_doubt, 400);
    say_clock(f, 20000, 22000, 1, 0);
    assert_int_equal(times(f)->guest_zero, 8400);
    say_clock(f, 30000, 30100, 21700, 50);
    assert_int_equal(times(f)->guest_zero, 8350);
    assert_int_equal(times(f)->guest_doubt, 100);
    /* A clock that goes by ticks is known no better than by one of them. */
    say_clock(f, 40000, 40010, 1, 4000);
    assert_int_equal(times(f)->guest_doubt, 100);
    assert_int_equal(times(f)->guest_tick, 50);
    /* Once the containers have begun, what is known of the boot is not made worse. */
    configure(f);
    say_clock(f, 50000, 50001, 1, 0);
    assert_int_equal(times(f)->guest_zero, 8350);
}

/* The fake agent tells no time of its own, as an old one does. */
static void an_agent_that_tells_no_clock_relates_nothing(void **state)
{
    Fixture *f = *state;

    fake_welcome_version(&f->agent, AGENT_PROTOCOL_CLOCK);
    (void)clock_answer(f, 0);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    assert_int_equal(times(f)->guest_doubt, 0);
}

static void answers_that_say_nothing_are_passed_over(void **state)
{
    Fixture *f = *state;

    say_clock(f, 1000, 1100, 0, 0);
    say_clock(f, 1000, 1100, UINT64_MAX, 0);
    say_clock(f, 1000, 1100, 50, UINT64_MAX);
    say_clock(f, 1000, USEC_PER_HOUR, 50, 0);
    assert_int_equal(times(f)->guest_doubt, 0);
    /* A guest may have run for longer than the host: it was restored. */
    say_clock(f, 1000, 1100, 9000, 0);
    assert_int_equal(times(f)->guest_zero, -7950);
}

static void of_the_agents_word_only_what_is_its_own_is_taken(void **state)
{
    Fixture *f = *state;
    usec_t born = times(f)->at[START_RUNNER];
    StartContainer told[] = {
        { .name = (char[]){ "stranger" }, .at = { [START_STEP_STARTED] = 1 } },
        { .name = (char[]){ "two" }, .at = { [START_STEP_STARTED] = 9, [START_STEP_OUTPUT] = 9 } },
    };

    fake_welcome(&f->agent);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    fake_say(&f->agent, AGENT_REPORT, 0,
             &(AgentReport){ .start = { .at = { [START_RUNNER] = 1, [START_READY] = 1, [START_INIT] = 7 },
                                        .guest_zero = 3,
                                        .guest_doubt = 3,
                                        .containers = told,
                                        .n_containers = ELEMENTSOF(told) } });
    assert_int_equal(times(f)->at[START_RUNNER], born);
    assert_int_equal(times(f)->at[START_READY], 0);
    assert_int_equal(times(f)->at[START_INIT], 7);
    assert_int_equal(times(f)->guest_doubt, 0);
    assert_int_equal(times(f)->n_containers, 3);
    assert_int_equal(times(f)->containers[1].at[START_STEP_STARTED], 9);
    assert_int_equal(times(f)->containers[1].at[START_STEP_OUTPUT], 0);
    assert_int_equal(times(f)->containers[0].at[START_STEP_STARTED], 0);
}

static void the_first_line_of_each_container_is_marked(void **state)
{
    Fixture *f = *state;

    start_marks_output(f->runner, "two");
    usec_t first = times(f)->containers[1].at[START_STEP_OUTPUT];
    assert_true(first > 0);
    start_marks_output(f->runner, "two");
    start_marks_output(f->runner, "stranger");
    start_marks_output(f->runner, NULL);
    assert_int_equal(times(f)->containers[1].at[START_STEP_OUTPUT], first);
    assert_int_equal(times(f)->containers[0].at[START_STEP_OUTPUT], 0);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(the_runners_own_steps_are_marked_in_their_order),
        WITH(they_are_in_its_checkpoint_and_the_next_runner_goes_on_with_them),
        WITH(what_happens_again_does_not_count),
        WITH(of_a_start_that_was_not_seen_nothing_is_marked),
        WITH(an_end_before_readiness_is_a_mark_and_one_after_it_is_none),
        WITH(the_shortest_round_trip_relates_the_clocks),
        WITH(an_agent_that_tells_no_clock_relates_nothing),
        WITH(answers_that_say_nothing_are_passed_over),
        WITH(of_the_agents_word_only_what_is_its_own_is_taken),
        WITH(the_first_line_of_each_container_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
