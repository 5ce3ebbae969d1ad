/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent's words mean for the pod: a runner in this process, a backend without a VMM, a fake agent. */
#include "runner/guest-clock.h"
#include "tests/unit/runner/runner-fixture.h"

static int setup(void **state)
{
    return begin(state, false);
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void a_fresh_guest_is_configured(void **state)
{
    Fixture *f = *state;
    fake_welcome(&f->agent);
    const AgentConfigure *c = fake_expect(&f->agent, AGENT_CONFIGURE);
    assert_string_equal(c->hostname, "web");
    assert_true(c->entropy.size >= 32);
    assert_int_equal(c->n_containers, 3);
    assert_int_equal(c->stop_timeout, f->runner->definition.pod.stop_timeout);
    assert_string_equal(c->containers[1].definition.name, "two");
    assert_string_equal(c->containers[1].command[0], "sh");
    assert_int_equal(c->containers[0].disk, 0);
    assert_int_equal(c->containers[1].disk, 1);
    assert_int_equal(c->containers[2].disk, 0);
    assert_int_equal(state_of(f), RUNNER_STARTING);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    assert_int_equal(state_of(f), RUNNER_RUNNING);
}

static void a_guest_that_was_configured_is_not_configured_again(void **state)
{
    Fixture *f = *state;
    configure(f);
    f->agent.fd = safe_close(f->agent.fd);
    channel_next(f);
    (void)fake_expect(&f->agent, AGENT_HELLO);
    fake_say(&f->agent, AGENT_WELCOME, 0, &(AgentWelcome){ .version = 1, .configured = true });
    assert_true(fake_is_silent(&f->agent));
    assert_int_equal(state_of(f), RUNNER_RUNNING);
    assert_int_equal(f->kills, 0);
}

/* What podvisord says: container "one" may have so much memory by the definition of this generation. */
static void limit(Fixture *f, uint64_t generation, uint64_t memory)
{
    NewLimits items[] = { { .container = (char[]){ "one" }, .limits.memory = memory },
                          { .container = (char[]){ "stranger" }, .limits.memory = 1 } };
    runner_limit(f->runner, &(RunnerLimits){ generation, items, ELEMENTSOF(items) });
    fake_run(&f->agent);
}

static void other_limits_are_told_one_after_the_other_and_the_last_ones_count(void **state)
{
    Fixture *f = *state;
    RunnerReport *report = &f->runner->record.report;

    f->runner->definition.generation = 1;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_LIMITS);
    (void)clock_answer(f, 0);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    limit(f, 2, 1 << 24); /* after the agent was told what to run, and before it runs */
    assert_true(fake_is_silent(&f->agent));
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    const RunnerLimits *said = fake_expect(&f->agent, AGENT_LIMITS);
    assert_int_equal(said->n_containers, 3);
    assert_int_equal(said->containers[0].limits.memory, 1 << 24);
    uint64_t id = fake_id(&f->agent);
    limit(f, 3, 1 << 25);
    assert_true(fake_is_silent(&f->agent));
    assert_int_equal(report->limits_generation, 1);
    fake_say(&f->agent, AGENT_REPLY, id, &(RunnerReply){ 0 });
    said = fake_expect(&f->agent, AGENT_LIMITS);
    assert_int_equal(said->containers[0].limits.memory, 1 << 25);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent),
             &(RunnerReply){ .error = EIO, .message = (char[]){ "a\nb" } });
    assert_string_equal(report->limits_failed, "a\\x0ab");
    assert_int_equal(report->limits_generation, 1);
    limit(f, 4, 1 << 24);
    assert_null(report->limits_failed);
    (void)fake_expect(&f->agent, AGENT_LIMITS);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    assert_int_equal(report->limits_generation, 4);
}

static void an_agent_that_is_too_old_for_other_limits_is_told_of(void **state)
{
    Fixture *f = *state;

    configure(f);
    assert_null(f->runner->record.report.limits_failed);
    limit(f, 2, 1 << 24);
    assert_true(fake_is_silent(&f->agent));
    assert_non_null(strstr(f->runner->record.report.limits_failed, "is of an older podvisor"));
    assert_int_equal(f->kills, 0);
}

static void the_clock_is_right_before_anything_runs(void **state)
{
    Fixture *f = *state;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_CLOCK);
    const AgentClock *question = fake_expect(&f->agent, AGENT_CLOCK);
    assert_int_equal(question->step, 0);
    assert_true(fake_is_silent(&f->agent));
    AgentClock late = { .round = question->round, .time = now_usec(CLOCK_REALTIME) - 2 * USEC_PER_SEC };
    fake_say(&f->agent, AGENT_CLOCK, 0, &late);
    int64_t step = clock_answer(f, 0);
    assert_in_range(step, USEC_PER_SEC, 2 * USEC_PER_SEC + USEC_PER_MSEC);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
}

static void the_clock_is_seen_to_when_a_paused_guest_goes_on(void **state)
{
    Fixture *f = *state;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_CLOCK);
    assert_int_equal(clock_answer(f, 0), 0);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    while (!fake_is_silent(&f->agent))
        ;
    backend_tells(&(BackendEvent){ .type = BACKEND_PAUSED });
    assert_true(fake_is_silent(&f->agent));
    backend_tells(&(BackendEvent){ .type = BACKEND_RESUMED });
    assert_int_equal(clock_answer(f, -30 * (int64_t)USEC_PER_SEC), 0);
    assert_true(clock_answer(f, 0) > 29 * (int64_t)USEC_PER_SEC);
}

static void a_lying_clock_is_asked_a_bounded_number_of_times(void **state)
{
    Fixture *f = *state;
    unsigned questions = 0;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_CLOCK);
    while (!fake_is_silent(&f->agent)) {
        if (f->agent.last.type != AGENT_CLOCK)
            continue;
        AgentClock lie = { .round = ((const AgentClock *)f->agent.last.body)->round, .time = UINT64_MAX };
        fake_say(&f->agent, AGENT_CLOCK, 0, &(AgentClock){ .round = lie.round + 1 });
        fake_say(&f->agent, AGENT_CLOCK, 0, &lie);
        fake_say(&f->agent, AGENT_CLOCK, 0, &lie);
        questions++;
    }
    /* The last step is not asked about. */
    assert_int_equal(questions, GUEST_CLOCK_ROUNDS + 1);
    assert_int_equal(f->kills, 0);
}

static void no_version_in_common_is_a_refusal(void **state)
{
    Fixture *f = *state;
    (void)fake_expect(&f->agent, AGENT_HELLO);
    fake_say(&f->agent, AGENT_WELCOME, 0,
             &(AgentWelcome){ .version = 0, .version_min = 7, .version_max = 9 });
    assert_int_equal(state_of(f), RUNNER_STOPPING);
    assert_int_equal(f->kills, 1);
    machine_ends(END_VMM_SIGNAL, 9);
    assert_int_equal(f->runner->record.report.reason, END_AGENT_REFUSED);
    assert_non_null(strstr(f->runner->record.report.message, "7 to 9"));
}

static void a_refused_token_is_an_end_of_its_own(void **state)
{
    Fixture *f = *state;
    char why[] = "the token is not this boot's";
    (void)fake_expect(&f->agent, AGENT_HELLO);
    fake_say(&f->agent, AGENT_REPLY, 0, &(RunnerReply){ .error = EACCES, .message = why });
    assert_int_equal(f->kills, 1);
    machine_ends(END_VMM_SIGNAL, 9);
    assert_int_equal(f->runner->record.report.reason, END_AGENT_REFUSED);
    assert_string_equal(f->runner->record.report.message, "the agent refused the runner's token");
}

static void a_configuration_that_is_refused_says_why(void **state)
{
    Fixture *f = *state;
    char why[] = "no disk\033[2J of this id";
    fake_welcome(&f->agent);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ .error = ENOENT, .message = why });
    machine_ends(END_VMM_SIGNAL, 9);
    const RunnerReport *report = &f->runner->record.report;
    assert_int_equal(report->reason, END_AGENT_REFUSED);
    assert_non_null(strstr(report->message, "no disk\\x1b[2J"));
}

static void only_declared_containers_are_believed(void **state)
{
    Fixture *f = *state;
    char one[] = "one", stranger[] = "../stranger", message[] = "\033]0;x";
    ContainerReport said[] = {
        { .name = stranger, .state = CONTAINER_RUNNING },
        { .name = one,
          .state = CONTAINER_ENDED,
          .exit_code = 1 << 20,
          .exit_signal = 1 << 20,
          .message = message },
    };
    configure(f);
    fake_say(&f->agent, AGENT_REPORT, 0,
             &(AgentReport){ .containers = said, .n_containers = ELEMENTSOF(said) });
    const RunnerReport *report = &f->runner->record.report;
    assert_int_equal(report->n_containers, 3);
    assert_string_equal(report->containers[0].name, "one");
    assert_int_equal(report->containers[0].exit_code, -1);
    assert_int_equal(report->containers[0].exit_signal, 0);
    assert_null(strchr(report->containers[0].message, '\033'));
    assert_int_equal(report->containers[1].state, CONTAINER_WAITING);
    assert_false(report->ready);
}

static void a_pod_is_ready_when_all_run_or_ended_well(void **state)
{
    Fixture *f = *state;
    char one[] = "one", two[] = "two", three[] = "three";
    ContainerReport said[] = {
        { .name = one, .state = CONTAINER_RUNNING },
        { .name = two, .state = CONTAINER_ENDED, .exit_code = 0 },
        { .name = three, .state = CONTAINER_ENDED, .exit_code = 1 },
    };
    AgentReport report = { .containers = said, .n_containers = ELEMENTSOF(said) };
    configure(f);
    fake_say(&f->agent, AGENT_REPORT, 0, &report);
    assert_false(f->runner->record.report.ready);
    said[2].state = CONTAINER_RUNNING;
    fake_say(&f->agent, AGENT_REPORT, 0, &report);
    assert_true(f->runner->record.report.ready);
    assert_true(f->runner->record.report.ready_since > 0);
}

static void what_probes_say_decides_about_readiness_and_is_escaped(void **state)
{
    Fixture *f = *state;
    char one[] = "one", two[] = "two", three[] = "three", text[] = "ready probe failed: \033[2J";
    ContainerReport said[] = {
        { .name = one, .state = CONTAINER_RUNNING, .role = CONTAINER_INIT },
        { .name = two,
          .state = CONTAINER_RUNNING,
          .unready = true,
          .probe_failure = text,
          .probe_failed = 5 },
        { .name = three, .state = CONTAINER_RUNNING },
    };
    AgentReport report = { .containers = said, .n_containers = ELEMENTSOF(said) };
    configure(f);
    fake_say(&f->agent, AGENT_REPORT, 0, &report);
    const RunnerReport *known = &f->runner->record.report;
    assert_false(known->ready);
    assert_string_equal(known->containers[1].probe_failure, "ready probe failed: \\x1b[2J");
    assert_int_equal(known->containers[1].probe_failed, 5);
    /* What a container is, its definition says and not its guest. */
    assert_int_equal(known->containers[0].role, CONTAINER_MAIN);
    said[1].unready = false;
    fake_say(&f->agent, AGENT_REPORT, 0, &report);
    assert_true(known->ready);
}

static void an_agent_that_is_too_old_for_the_definition_is_not_configured(void **state)
{
    Fixture *f = *state;
    char address[] = ":80";
    f->runner->definition.pod.containers[1].ready.tcp = address;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_LIFE - 1);
    (void)clock_answer(f, 0);
    assert_true(fake_is_silent(&f->agent));
    assert_int_equal(f->kills, 1);
    machine_ends(END_VMM_SIGNAL, 9);
    f->runner->definition.pod.containers[1].ready.tcp = NULL;
    const RunnerReport *report = &f->runner->record.report;
    assert_int_equal(report->reason, END_AGENT_REFUSED);
    assert_string_equal(report->message,
                        "the agent of this guest is older than podvisor, and does not know what the "
                        "definition asks for: probes");
}

static void a_completed_pod_says_which_container_failed(void **state)
{
    Fixture *f = *state;
    char one[] = "one", two[] = "two", three[] = "three";
    ContainerReport said[] = { { .name = one, .state = CONTAINER_ENDED, .exit_code = 0 },
                               { .name = two, .state = CONTAINER_ENDED, .exit_code = -1, .exit_signal = 11 },
                               { .name = three, .state = CONTAINER_ENDED, .exit_code = 3 } };
    configure(f);
    f->runner->definition.pod.containers[1].sidecar = true;
    fake_say(&f->agent, AGENT_REPORT, 0,
             &(AgentReport){ .completed = true, .containers = said, .n_containers = ELEMENTSOF(said) });
    machine_ends(END_GUEST_SHUTDOWN, 0);
    assert_int_equal(f->runner->record.report.reason, END_COMPLETED);
    assert_string_equal(f->runner->record.report.message, "container three ended with exit status 3");
}

static void a_stop_goes_to_the_agent(void **state)
{
    Fixture *f = *state;
    configure(f);
    assert_success(runner_stop(f->runner, 30 * USEC_PER_SEC, "the test says so"));
    const AgentStop *stop = fake_expect(&f->agent, AGENT_STOP);
    assert_true(stop->timeout > 20 * USEC_PER_SEC && stop->timeout < 30 * USEC_PER_SEC);
    assert_int_equal(f->kills, 0);
    machine_ends(END_GUEST_SHUTDOWN, 0);
    assert_int_equal(f->runner->record.report.reason, END_STOPPED);
}

static void a_stop_before_the_agent_is_there_kills(void **state)
{
    Fixture *f = *state;
    (void)fake_expect(&f->agent, AGENT_HELLO);
    assert_success(runner_stop(f->runner, 30 * USEC_PER_SEC, "the test says so"));
    assert_int_equal(f->kills, 1);
    machine_ends(END_VMM_SIGNAL, 9);
    assert_int_equal(f->runner->record.report.reason, END_STOPPED);
}

static void a_pod_that_is_done_is_completed(void **state)
{
    Fixture *f = *state;
    configure(f);
    fake_say(&f->agent, AGENT_REPORT, 0, &(AgentReport){ .completed = true });
    machine_ends(END_GUEST_SHUTDOWN, 0);
    assert_int_equal(f->runner->record.report.reason, END_COMPLETED);
}

static void a_press_of_the_power_button_is_the_reason_of_the_end(void **state)
{
    Fixture *f = *state;
    configure(f);
    fake_say(&f->agent, AGENT_REPORT, 0, &(AgentReport){ .power_button = true });
    assert_non_null(strstr(f->runner->record.report.phase, "power button"));
    machine_ends(END_GUEST_SHUTDOWN, 0);
    assert_int_equal(f->runner->record.report.reason, END_POWER_BUTTON);
    assert_non_null(strstr(f->runner->record.report.message, "power button"));
}

static void a_machine_that_is_about_to_power_off_is_not_killed(void **state)
{
    Fixture *f = *state;
    fake_welcome(&f->agent);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    uint64_t id = fake_id(&f->agent);
    fake_say(&f->agent, AGENT_REPORT, 0, &(AgentReport){ .power_button = true });
    fake_say(&f->agent, AGENT_REPLY, id, &(RunnerReply){ .error = ESHUTDOWN });
    assert_int_equal(f->kills, 0);
    machine_ends(END_GUEST_SHUTDOWN, 0);
    assert_int_equal(f->runner->record.report.reason, END_POWER_BUTTON);
}

static void output_is_acknowledged_when_it_is_written(void **state)
{
    Fixture *f = *state;
    char one[] = "one", line[] = "hello";
    LogRecord record = { .seq = 1,
                         .container = one,
                         .channel = STREAM_STDOUT,
                         .data = { .data = (uint8_t *)line, .size = sizeof line - 1 } };
    LogReader *r;
    LogEntry entry;
    configure(f);
    fake_say(&f->agent, AGENT_LOG, 0, &record);
    assert_int_equal(((const AgentLogAck *)fake_expect(&f->agent, AGENT_LOG_ACK))->seq, 1);
    assert_success(log_reader_open(f->dir.path, "web", &r));
    assert_int_equal(log_reader_next(r, &entry), 1);
    assert_memory_equal(entry.record.data.data, "hello", 5);
    schema_done(&log_entry_schema, &entry);
    log_reader_free(r);
}

static void a_new_session_says_what_is_safe_already(void **state)
{
    Fixture *f = *state;
    output_is_acknowledged_when_it_is_written(state);
    f->agent.fd = safe_close(f->agent.fd);
    channel_next(f);
    (void)fake_expect(&f->agent, AGENT_HELLO);
    fake_say(&f->agent, AGENT_WELCOME, 0, &(AgentWelcome){ .version = 1, .configured = true });
    assert_int_equal(((const AgentLogAck *)fake_expect(&f->agent, AGENT_LOG_ACK))->seq, 1);
}

static void garbage_again_and_again_ends_the_machine(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < AGENT_GARBAGE_MAX; i++) {
        if (i > 0)
            channel_next(f);
        fake_welcome(&f->agent);
        for (int k = 0; k <= AGENT_POINTS_MAX; k++)
            fake_say_frame(&f->agent, "\xc1", 1);
    }
    assert_int_equal(f->kills, 1);
    machine_ends(END_VMM_SIGNAL, 9);
    assert_int_equal(f->runner->record.report.reason, END_AGENT_LOST);
}

static void an_exec_needs_a_declared_container(void **state)
{
    Fixture *f = *state;
    char stranger[] = "stranger", one[] = "one";
    _cleanup_(freep) char *message = NULL, *other = NULL;
    int fd = -1;
    assert_int_equal(agent_glue_exec(f->runner, &(ExecRequest){ .container = one }, &fd, &other), -EAGAIN);
    configure(f);
    assert_int_equal(agent_glue_exec(f->runner, &(ExecRequest){ .container = stranger }, &fd, &message),
                     -ENOENT);
    assert_non_null(strstr(message, "stranger"));
}

static void an_agent_of_before_is_asked_for_nothing_that_it_cannot(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *message = NULL;
    int fd = -1;
    configure(f);
    assert_int_equal(agent_glue_exec(f->runner, &(ExecRequest){ .task = TASK_STATISTICS }, &fd, &message),
                     -EOPNOTSUPP);
    assert_non_null(strstr(message, "of an older podvisor"));
    assert_true(fake_is_silent(&f->agent));
}

static void an_agent_of_version_3_has_tasks_and_cannot_be_attached_to(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *message = NULL, *other = NULL;
    char one[] = "one";
    int fd = -1;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_ATTACH - 1);
    (void)clock_answer(f, 0);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    while (!fake_is_silent(&f->agent))
        ;
    assert_int_equal(
        agent_glue_exec(f->runner, &(ExecRequest){ .container = one, .task = TASK_ATTACH }, &fd, &message),
        -EOPNOTSUPP);
    assert_string_equal(message,
                        "the agent in the pod's machine is of an older podvisor, which cannot attach to "
                        "the program of a container; it can when the pod has been restarted");
    assert_true(fake_is_silent(&f->agent));
    /* Only the descriptor is wrong. */
    assert_int_equal(agent_glue_exec(f->runner, &(ExecRequest){ .task = TASK_STATISTICS }, &fd, &other),
                     -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_guest_is_configured),
        TEST(a_guest_that_was_configured_is_not_configured_again),
        TEST(the_clock_is_right_before_anything_runs),
        TEST(the_clock_is_seen_to_when_a_paused_guest_goes_on),
        TEST(a_lying_clock_is_asked_a_bounded_number_of_times),
        TEST(other_limits_are_told_one_after_the_other_and_the_last_ones_count),
        TEST(an_agent_that_is_too_old_for_other_limits_is_told_of),
        TEST(no_version_in_common_is_a_refusal),
        TEST(a_refused_token_is_an_end_of_its_own),
        TEST(a_configuration_that_is_refused_says_why),
        TEST(only_declared_containers_are_believed),
        TEST(a_pod_is_ready_when_all_run_or_ended_well),
        TEST(what_probes_say_decides_about_readiness_and_is_escaped),
        TEST(an_agent_that_is_too_old_for_the_definition_is_not_configured),
        TEST(a_completed_pod_says_which_container_failed),
        TEST(a_stop_goes_to_the_agent),
        TEST(a_stop_before_the_agent_is_there_kills),
        TEST(a_pod_that_is_done_is_completed),
        TEST(a_press_of_the_power_button_is_the_reason_of_the_end),
        TEST(a_machine_that_is_about_to_power_off_is_not_killed),
        TEST(output_is_acknowledged_when_it_is_written),
        TEST(a_new_session_says_what_is_safe_already),
        TEST(garbage_again_and_again_ends_the_machine),
        TEST(an_exec_needs_a_declared_container),
        TEST(an_agent_of_before_is_asked_for_nothing_that_it_cannot),
        TEST(an_agent_of_version_3_has_tasks_and_cannot_be_attached_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
