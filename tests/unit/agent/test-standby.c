/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that wait in a template, with a real container. Skipped where mounts and control groups are not allowed. */
#include <signal.h>

#include "tests/unit/agent/fixture.h"

/* Makes a template of the agent. */
static Standby *standby_of(Peer *p)
{
    if (!peer_can_run(p))
        skip();
    peer_hello(p, 1, p->token, 1, AGENT_PROTOCOL_MAX);
    assert_int_equal(peer_ask(p, AGENT_TEMPLATE, NULL), 0);
    assert_true(p->agent->standby.child.pid > 0);
    assert_true(p->agent->standby.usher.pid > 0);
    return &p->agent->standby;
}

static void begin(void **state, AgentContainer *c)
{
    c->definition.restart.policy = RESTART_ALWAYS;
    start(state, c, 1);
}

static void a_copys_first_container_is_the_process_that_waits(void **state)
{
    AgentContainer c = container("app", "probe wait");
    Peer *p = *state;
    Standby *s = standby_of(p);
    pid_t pid = s->child.pid;
    begin(state, &c);
    peer_until(p, peer_log_has(p, "app stdout waiting"));
    assert_int_equal(p->agent->containers[0].child.pid, pid);
    assert_int_equal(s->child.pid, 0);
    /* Its second run is a process like any other, and nothing keeps the first one's files. */
    assert_success(kill(pid, SIGTERM));
    peer_until(p, peer_container(p, "app")->restarts == 1 && peer_state_is(p, "app", CONTAINER_RUNNING));
    assert_int_not_equal(p->agent->containers[0].child.pid, pid);
    peer_until(p, s->usher.pid == 0);
    container_done_test(&c);
}

static void another_process(void **state, AgentContainer *c, pid_t pid)
{
    Peer *p = *state;

    begin(state, c);
    peer_until(p, peer_state_is(p, c->definition.name, CONTAINER_RUNNING));
    assert_int_not_equal(p->agent->containers[0].child.pid, pid);
    assert_int_equal(p->agent->standby.child.pid, 0);
    assert_int_equal(p->agent->standby.usher.pid, 0);
    container_done_test(c);
}

static void one_that_it_does_not_suit_has_another_process(void **state)
{
    AgentContainer c = container("app", "probe wait");
    Peer *p = *state;
    pid_t pid = standby_of(p)->child.pid;
    assert_success(strv_append(&c.definition.capabilities, "SYS_ADMIN"));
    another_process(state, &c, pid);
}

static void without(void **state, bool usher)
{
    AgentContainer c = container("app", "probe wait");
    Peer *p = *state;
    Standby *s = standby_of(p);
    pid_t pid = s->child.pid;
    assert_success(kill(usher ? s->usher.pid : pid, SIGKILL));
    peer_until(p, s->child.pid == 0 && s->usher.pid == 0);
    another_process(state, &c, pid);
}

static void without_one_that_waits_there_is_another_process(void **state)
{
    without(state, false);
}

static void without_its_usher_there_is_another_process(void **state)
{
    without(state, true);
}

static void what_cannot_be_made_for_it_is_told(void **state)
{
    AgentContainer c = container("app", "probe wait");
    Peer *p = *state;
    Standby *s = standby_of(p);
    assert_success(str_replace(&c.working_dir, "/dev/null/below"));
    start(state, &c, 1);
    peer_until(p, p->powered_off);
    assert_string_equal(peer_container(p, "app")->message,
                        "working directory /dev/null/below: Not a directory");
    assert_int_equal(s->child.pid, 0);
    container_done_test(&c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(a_copys_first_container_is_the_process_that_waits),
        WITH_PEER(one_that_it_does_not_suit_has_another_process),
        WITH_PEER(without_one_that_waits_there_is_another_process),
        WITH_PEER(without_its_usher_there_is_another_process),
        WITH_PEER(what_cannot_be_made_for_it_is_told),
    };

    fixture_probe = argv[1];
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
