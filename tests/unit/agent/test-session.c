/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol with an agent whose containers wait for a disk that never comes, so nothing is run and no privilege is needed. */
#include "tests/unit/agent/peer.h"

static AgentContainer waiting(void)
{
    static char name[] = "web", program[] = "/bin/true", *command[] = { program, NULL };

    return (AgentContainer){
        .definition = { .name = name,
                        .image = name,
                        .limits = { .memory = SIZE_INFINITY, .memory_high = SIZE_INFINITY } },
        .command = command,
    };
}

static AgentConfigure configuration(AgentContainer *container)
{
    static char name[] = "web";

    return (AgentConfigure){ .hostname = name, .containers = container, .n_containers = 1 };
}

static int open_peer(void **state)
{
    Peer *p = calloc(1, sizeof *p);

    assert_non_null(p);
    peer_open(p);
    *state = p;
    return 0;
}

static int close_peer(void **state)
{
    peer_close(*state);
    free(*state);
    return 0;
}

static void the_first_hello_sets_the_token_and_another_is_refused(void **state)
{
    Peer *p = *state;
    Id128 other;

    peer_hello(p, 1, p->token, 1, 1);
    assert_int_equal(p->welcome_version, 1);
    assert_success(id128_random(&other));
    peer_hello(p, 2, other, 1, 1);
    assert_int_equal(p->reply_error, EACCES);
    assert_int_equal(p->welcomes, 1);
    p->session = 1;
    assert_int_equal(peer_ask(p, AGENT_PING, NULL), 0);
    peer_hello(p, 3, (Id128){ 0 }, 1, 1);
    assert_int_equal(p->reply_error, EACCES);
}

static void no_common_version_is_said_and_begins_nothing(void **state)
{
    Peer *p = *state;
    Id128 other;

    peer_hello(p, 1, p->token, AGENT_PROTOCOL_MAX + 1, AGENT_PROTOCOL_MAX + 8);
    assert_int_equal(p->welcomes, 1);
    assert_int_equal(p->welcome_version, 0);
    assert_false(p->agent->session.stands);
    assert_success(id128_random(&other));
    peer_hello(p, 2, other, 1, AGENT_PROTOCOL_MAX + 8);
    assert_int_equal(p->welcome_version, AGENT_PROTOCOL_MAX);
}

static void the_clock_is_moved_and_then_told(void **state)
{
    Peer *p = *state;

    peer_hello(p, 1, p->token, 1, AGENT_PROTOCOL_CLOCK);
    assert_int_equal(p->welcome_version, AGENT_PROTOCOL_CLOCK);
    usec_t before = now_usec(CLOCK_REALTIME);
    peer_send(p, AGENT_CLOCK, &(AgentClock){ .round = 3 });
    peer_until(p, p->clock.round == 3);
    assert_in_range(p->clock.time, before, now_usec(CLOCK_REALTIME));
    assert_in_range(p->clock.uptime, 1, now_usec(CLOCK_MONOTONIC));
    assert_int_equal(p->step, 0);
    peer_send(p, AGENT_CLOCK, &(AgentClock){ .round = 4, .step = -1500 });
    peer_until(p, p->clock.round == 4);
    assert_int_equal(p->step, -1500);
}

static void frames_of_other_sessions_are_dropped(void **state)
{
    Peer *p = *state;

    peer_hello(p, 1, p->token, 1, 1);
    p->session = 2;
    peer_send(p, AGENT_PING, NULL);
    p->session = 1;
    assert_int_equal(peer_ask(p, AGENT_PING, NULL), 0);
    assert_int_equal(p->agent->session.dropped, 1);
}

static void a_configuration_is_taken_once(void **state)
{
    Peer *p = *state;
    AgentContainer c = waiting();
    AgentConfigure configure = configuration(&c);

    peer_hello(p, 1, p->token, 1, 1);
    configure.entropy = (Bytes){ .data = (uint8_t *)(uintptr_t) "xyz", .size = 3 };
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), 0);
    assert_string_equal(p->hostname, "web");
    assert_int_equal(p->entropy, 3);
    peer_until(p, peer_state_is(p, "web", CONTAINER_WAITING));
    configure.entropy.size = 2;
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), 0);
    assert_int_equal(p->entropy, 3);
    c.disk = 5;
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), EALREADY);
    peer_hello(p, 2, p->token, 1, 1);
    assert_true(p->welcome_configured);
}

static void what_cannot_be_run_is_refused_with_words(void **state)
{
    Peer *p = *state;
    AgentContainer two[2] = { waiting(), waiting() };
    AgentConfigure configure = configuration(two);
    MountDefinition mount = { .volume = (char[]){ "none" }, .path = (char[]){ "/x" } };

    peer_hello(p, 1, p->token, 1, 1);
    configure.n_containers = 0;
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), EINVAL);
    configure.n_containers = 2;
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), EINVAL);
    assert_string_equal(p->reply, "two containers are called web");
    configure.n_containers = 1;
    two[0].command = NULL;
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), EINVAL);
    assert_string_equal(p->reply, "container web: neither it nor its image says what to run");
    two[0] = waiting();
    two[0].definition.mounts = &mount;
    two[0].definition.n_mounts = 1;
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), EINVAL);
    assert_string_equal(p->reply, "container web: there is no volume none");
    assert_false(p->agent->configured);
}

static void requests_for_what_is_not_there_are_refused(void **state)
{
    Peer *p = *state;
    AgentContainer c = waiting();
    char *command[] = { (char[]){ "true" }, NULL };
    AgentExec exec = { .stream = 4, .request = { .container = (char[]){ "web" }, .command = command } };

    peer_configure(p, &c, 1);
    assert_int_equal(peer_ask(p, AGENT_EXEC, &exec), ESRCH);
    assert_string_equal(p->reply, "container web does not run: its image is not there yet");
    exec.request.container = (char[]){ "db" };
    assert_int_equal(peer_ask(p, AGENT_EXEC, &exec), ENOENT);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ 9, 15 }), ENOENT);
    assert_int_equal(peer_ask(p, AGENT_RESIZE, &(AgentStreamResize){ 9, 1, 1 }), ENOENT);
    assert_int_equal(peer_ask(p, AGENT_HANGUP, &(AgentStream){ 9 }), ENOENT);
    assert_int_equal(peer_ask(p, AGENT_DATA, &(AgentData){ .stream = 9 }), ENOENT);
    assert_int_equal(peer_ask(p, AGENT_CREDIT, &(AgentCredit){ .stream = 9 }), ENOENT);
    assert_int_equal(peer_ask(p, AGENT_LOG_ACK, &(AgentLogAck){ 99 }), EINVAL);
    assert_int_equal(peer_ask(p, AGENT_EXIT, &(AgentExit){ .stream = 9 }), EINVAL);
    assert_int_equal(peer_ask(p, AGENT_PING, NULL), 0);
}

static void garbage_of_every_kind_is_survived(void **state)
{
    static const char *const payloads[] = { "",
                                            "\xc1",
                                            "not msgpack",
                                            "\x80",
                                            "\x81\xa4type\xa4none",
                                            "\x81\xa4type\xa5hello",
                                            "\x82\xa4type\xa4ping\xa2id\xa1x",
                                            "\xdf\xff\xff\xff\xff" };
    Peer *p = *state;
    uint8_t noise[4096];

    peer_hello(p, 1, p->token, 1, 1);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 2654435761u >> 13);
    TABLE_FOREACH (payload, payloads) {
        _cleanup_(bytes_done) Bytes b = { 0 };
        assert_success(bytes_append(&b, noise, sizeof noise));
        assert_success(frame_append(&b, 1, *payload, strlen(*payload)));
        assert_success(write_all(p->fd, b.data, b.size));
        assert_int_equal(peer_ask(p, AGENT_PING, NULL), 0);
    }
    assert_int_equal(p->agent->session.dropped, ELEMENTSOF(payloads));
}

static void other_limits_are_for_containers_that_are_there(void **state)
{
    static char web[] = "web", other[] = "other";
    Peer *p = *state;
    AgentContainer c = waiting();
    NewLimits limits[] = { { .container = web, .limits = { .memory = 1 << 24, .pids = 9 } },
                           { .container = other,
                             .limits = { .memory = SIZE_INFINITY, .memory_high = SIZE_INFINITY } } };
    RunnerLimits body = { .generation = 2, .containers = limits, .n_containers = 2 };

    peer_hello(p, 1, p->token, 1, 3);
    assert_int_equal(peer_ask(p, AGENT_LIMITS, &body), EAGAIN);
    peer_configure(p, &c, 1);
    assert_int_equal(peer_ask(p, AGENT_LIMITS, &body), ENOENT);
    assert_string_equal(p->reply, "there is no container other");
    assert_true(p->agent->configure.containers[0].definition.limits.memory == SIZE_INFINITY);
    limits[1].container = NULL;
    assert_int_equal(peer_ask(p, AGENT_LIMITS, &body), ENOENT);
    body.n_containers = 1;
    assert_int_equal(peer_ask(p, AGENT_LIMITS, &body), 0);
    assert_int_equal(p->agent->configure.containers[0].definition.limits.memory, 1 << 24);
    assert_int_equal(p->agent->configure.containers[0].definition.limits.pids, 9);
}

static void names_of_other_pods_are_for_containers_that_are_there(void **state)
{
    char *good[] = { (char[]){ "db:10.89.0.3" }, NULL };
    Peer *p = *state;
    AgentContainer c = waiting();

    peer_hello(p, 1, p->token, 1, AGENT_PROTOCOL_HOSTS);
    assert_int_equal(peer_ask(p, AGENT_HOSTS, &(RunnerHosts){ .peers = good }), EAGAIN);
    peer_configure(p, &c, 1);
    assert_int_equal(peer_ask(p, AGENT_HOSTS, &(RunnerHosts){ .peers = good }), 0);
    /* Without a network there are no others, whatever is said. */
    assert_int_equal(peer_ask(p, AGENT_HOSTS, &(RunnerHosts){ 0 }), 0);
}

static void a_stop_before_anything_runs_powers_off(void **state)
{
    Peer *p = *state;
    AgentContainer c = waiting();

    peer_configure(p, &c, 1);
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = USEC_PER_SEC }), 0);
    peer_until(p, p->powered_off);
    assert_true(peer_state_is(p, "web", CONTAINER_ENDED));
    assert_false(p->report.completed);
}

static void nothing_is_configured_behind_a_stop(void **state)
{
    Peer *p = *state;
    AgentContainer c = waiting();
    AgentConfigure configure = configuration(&c);

    peer_hello(p, 1, p->token, 1, 1);
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = USEC_PER_SEC }), 0);
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), ESHUTDOWN);
    peer_until(p, p->powered_off);
    assert_int_equal(p->agent->n_containers, 0);
}

static void the_power_button_is_told_before_anything_is_configured(void **state)
{
    Peer *p = *state;
    AgentContainer c = waiting();
    AgentConfigure configure = configuration(&c);

    ending_power_button(p->agent);
    peer_hello(p, 1, p->token, 1, 1);
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), ESHUTDOWN);
    peer_until(p, p->powered_off);
    assert_true(p->report.power_button);
}

static void a_press_behind_a_stop_changes_nothing(void **state)
{
    Peer *p = *state;

    peer_hello(p, 1, p->token, 1, 1);
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = USEC_PER_SEC }), 0);
    ending_power_button(p->agent);
    peer_until(p, p->powered_off);
    assert_false(p->report.power_button);
}

static void a_template_forgets_who_made_it_and_draws_nothing_before_it_is_told_randomness(void **state)
{
    Peer *p = *state;
    uint8_t entropy[64] = { 1 };
    AgentHello maker = {
        .token = p->token, .version_min = 1, .version_max = AGENT_PROTOCOL_MAX, .template = true
    };
    AgentHello runner = { .version_min = 1,
                          .version_max = AGENT_PROTOCOL_MAX,
                          .entropy = { .data = entropy, .size = sizeof entropy } };

    peer_say_hello(p, 1, &maker);
    assert_true(id128_is_null(p->welcome_boot));
    assert_int_equal(p->entropy, 0);
    p->unsettled = 2;
    assert_int_equal(peer_ask(p, AGENT_TEMPLATE, NULL), 0);
    assert_true(p->platform.template);
    /* Not before its kernel is calm, and that twice in a row. */
    assert_int_equal(p->looked, 4);
    /* A copy may be made ready again, and what has not come by then is not waited for. */
    p->unsettled = 100;
    assert_int_equal(peer_ask(p, AGENT_TEMPLATE, NULL), 0);
    assert_int_equal(p->looked, 5);
    assert_success(id128_random(&runner.token));
    peer_say_hello(p, 2, &runner);
    assert_int_equal(p->welcomes, 2);
    assert_false(id128_is_null(p->welcome_boot));
    assert_int_equal(p->entropy, sizeof entropy);
}

static void what_runs_something_becomes_no_template(void **state)
{
    Peer *p = *state;
    AgentContainer container = waiting();
    AgentConfigure configure = configuration(&container);

    peer_hello(p, 1, p->token, 1, AGENT_PROTOCOL_MAX);
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &configure), 0);
    assert_int_equal(peer_ask(p, AGENT_TEMPLATE, NULL), EBUSY);
    assert_false(p->platform.template);
}

#define WITH_PEER(test) cmocka_unit_test_setup_teardown(test, open_peer, close_peer)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(the_first_hello_sets_the_token_and_another_is_refused),
        WITH_PEER(no_common_version_is_said_and_begins_nothing),
        WITH_PEER(the_clock_is_moved_and_then_told),
        WITH_PEER(frames_of_other_sessions_are_dropped),
        WITH_PEER(a_configuration_is_taken_once),
        WITH_PEER(what_cannot_be_run_is_refused_with_words),
        WITH_PEER(requests_for_what_is_not_there_are_refused),
        WITH_PEER(garbage_of_every_kind_is_survived),
        WITH_PEER(other_limits_are_for_containers_that_are_there),
        WITH_PEER(names_of_other_pods_are_for_containers_that_are_there),
        WITH_PEER(nothing_is_configured_behind_a_stop),
        WITH_PEER(a_stop_before_anything_runs_powers_off),
        WITH_PEER(the_power_button_is_told_before_anything_is_configured),
        WITH_PEER(a_press_behind_a_stop_changes_nothing),
        WITH_PEER(a_template_forgets_who_made_it_and_draws_nothing_before_it_is_told_randomness),
        WITH_PEER(what_runs_something_becomes_no_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
