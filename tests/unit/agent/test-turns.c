/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several real containers runs when. Skipped where mounts and control groups are not allowed. */
#include <signal.h>

#include "guest/agent/rehearsal.h"
#include "tests/unit/agent/fixture.h"

static AgentContainer in_role(ContainerRole role, const char *name, const char *command)
{
    AgentContainer c = container(name, command);

    c.role = role;
    c.definition.sidecar = role == CONTAINER_SIDECAR;
    return c;
}

static void done(AgentContainer *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        container_done_test(&c[i]);
}

static size_t log_place(const Peer *p, const char *text)
{
    const char *at = strstr((const char *)p->log.data, text);

    assert_non_null(at);
    return (size_t)(at - (const char *)p->log.data);
}

/* Each step after the one before, the first of them after `from`; returns the last. */
static usec_t steps_of(const Peer *p, size_t i, const char *name, usec_t from)
{
    const StartContainer *c = &p->report.start.containers[i];

    assert_string_equal(c->name, name);
    for (size_t k = START_STEP_CALLED; k <= START_STEP_DONE; k++) {
        assert_true(c->at[k] >= from);
        from = c->at[k];
    }
    return from;
}

static void init_runs_in_order_and_to_its_end(void **state)
{
    AgentContainer c[] = { in_role(CONTAINER_INIT, "one", "probe say first"),
                           in_role(CONTAINER_INIT, "two", "probe once"),
                           in_role(CONTAINER_MAIN, "app", "probe say last") };

    c[1].definition.restart.policy = RESTART_ALWAYS;
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(log_place(p, "one stdout first") < log_place(p, "app stdout last"));
    assert_int_equal(peer_container(p, "two")->state, CONTAINER_ENDED);
    assert_int_equal(peer_container(p, "two")->restarts, 1);
    assert_true(peer_container(p, "app")->started >= peer_container(p, "two")->ended);
    assert_true(peer_container(p, "two")->started >= peer_container(p, "one")->ended);
    assert_null(peer_container(p, "app")->message);
    assert_true(p->report.completed);
    const StartTimes *start = &p->report.start;
    assert_int_equal(start->n_containers, 3);
    assert_true(start->at[START_TOLD] > 0 && start->at[START_SETUP] >= start->at[START_TOLD]);
    (void)steps_of(p, 2, "app", steps_of(p, 1, "two", steps_of(p, 0, "one", start->at[START_SETUP])));
    done(c, ELEMENTSOF(c));
}

static void who_waits_says_for_whom(void **state)
{
    AgentContainer c[] = { in_role(CONTAINER_INIT, "first", "probe wait"),
                           in_role(CONTAINER_SIDECAR, "proxy", "probe wait"),
                           in_role(CONTAINER_MAIN, "app", "probe wait") };
    Peer *p = start(state, c, ELEMENTSOF(c));

    peer_until(p, peer_state_is(p, "first", CONTAINER_RUNNING));
    assert_int_equal(peer_container(p, "app")->state, CONTAINER_WAITING);
    assert_string_equal(peer_container(p, "app")->message, "it waits for init container first");
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = 10 * USEC_PER_SEC }), 0);
    peer_until(p, p->powered_off);
    assert_string_equal(peer_container(p, "app")->message, "the pod ended before its turn came");
    assert_int_equal(peer_container(p, "app")->exit_code, -1);
    done(c, ELEMENTSOF(c));
}

static void an_init_container_that_may_not_be_tried_again_ends_the_pod(void **state)
{
    AgentContainer c[] = { in_role(CONTAINER_INIT, "one", "probe exit 3"),
                           in_role(CONTAINER_INIT, "two", "probe say never"),
                           in_role(CONTAINER_SIDECAR, "proxy", "probe wait"),
                           in_role(CONTAINER_MAIN, "app", "probe wait") };

    c[3].definition.restart.policy = RESTART_ALWAYS;
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(p->report.completed);
    assert_int_equal(peer_container(p, "one")->exit_code, 3);
    for (size_t i = 1; i < ELEMENTSOF(c); i++) {
        const ContainerReport *r = peer_container(p, c[i].definition.name);
        assert_int_equal(r->state, CONTAINER_FAILED);
        assert_string_equal(r->message, "it was not started, since init container one failed");
        assert_int_equal(r->started, 0);
    }
    done(c, ELEMENTSOF(c));
}

static void a_sidecar_starts_first_and_does_not_keep_the_pod(void **state)
{
    AgentContainer c[] = { in_role(CONTAINER_MAIN, "app", "probe say done"),
                           in_role(CONTAINER_SIDECAR, "proxy", "probe wait") };

    c[1].definition.restart.policy = RESTART_ALWAYS;
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(p->report.completed);
    assert_true(peer_container(p, "app")->started >= peer_container(p, "proxy")->started);
    assert_true(peer_container(p, "proxy")->ended >= peer_container(p, "app")->ended);
    assert_int_equal(peer_container(p, "proxy")->state, CONTAINER_ENDED);
    done(c, ELEMENTSOF(c));
}

static void a_sidecar_stops_after_the_others(void **state)
{
    AgentContainer c[] = { in_role(CONTAINER_MAIN, "app", "probe stubborn"),
                           in_role(CONTAINER_SIDECAR, "proxy", "probe wait") };

    c[0].definition.stop_timeout = 50 * USEC_PER_MSEC;
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, peer_log_has(p, "app stdout stubborn") && peer_log_has(p, "proxy stdout waiting"));
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = 10 * USEC_PER_SEC }), 0);
    peer_until(p, p->powered_off);
    assert_int_equal(peer_container(p, "app")->exit_signal, SIGKILL);
    assert_int_equal(peer_container(p, "proxy")->exit_code, SIGTERM);
    assert_true(peer_container(p, "proxy")->ended >= peer_container(p, "app")->ended);
    assert_false(p->report.completed);
    done(c, ELEMENTSOF(c));
}

static void a_sidecar_that_ends_before_it_is_ready_is_why_the_rest_never_starts(void **state)
{
    AgentContainer c[] = { in_role(CONTAINER_MAIN, "app", "probe wait"),
                           in_role(CONTAINER_SIDECAR, "proxy", "missing"),
                           in_role(CONTAINER_SIDECAR, "log", "probe wait") };
    Peer *p = start(state, c, ELEMENTSOF(c));

    peer_until(p, p->powered_off);
    assert_int_equal(peer_container(p, "proxy")->state, CONTAINER_FAILED);
    assert_string_equal(peer_container(p, "app")->message,
                        "it was not started, since sidecar proxy ended before it was ready");
    assert_int_equal(peer_container(p, "log")->state, CONTAINER_ENDED);
    done(c, ELEMENTSOF(c));
}

static void one_that_only_starts_lets_the_others_start(void **state)
{
    AgentContainer c[] = { in_role(CONTAINER_MAIN, "app", "probe say done"),
                           in_role(CONTAINER_SIDECAR, "once", "probe exit 0") };
    Peer *p = start(state, c, ELEMENTSOF(c));

    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "app stdout done"));
    done(c, ELEMENTSOF(c));
}

static void a_rehearsal_leaves_nothing_and_disturbs_nothing(void **state)
{
    AgentContainer c[] = { in_role(CONTAINER_MAIN, "app", "probe say done") };
    Peer *p = *state;

    if (!peer_can_run(p))
        skip();
    _cleanup_(freep) char *program = strf("%s/bin/probe", image);
    assert_success(rehearse(&p->platform, program));
    /* Twice, as in a copy that is made ready once more. */
    assert_success(rehearse(&p->platform, program));
    assert_int_equal(faccessat(p->dir.fd, REHEARSAL_WORD, F_OK, 0), -1);
    assert_int_equal(faccessat(p->platform.cgroup, "0", F_OK, 0), -1);
    assert_false(p->kernel_closed || p->powered_off);
    start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "app stdout done"));
    assert_false(peer_log_has(p, REHEARSAL_WORD));
    done(c, ELEMENTSOF(c));
}

static void a_rehearsal_that_fails_says_why(void **state)
{
    Peer *p = *state;

    if (!peer_can_run(p))
        skip();
    assert_int_equal(rehearse(&p->platform, "/dev/null"), -EIO);
    assert_int_equal(rehearse(&p->platform, "/nothing-like-it"), -EIO);
    assert_int_equal(faccessat(p->dir.fd, REHEARSAL_WORD, F_OK, 0), -1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(init_runs_in_order_and_to_its_end),
        WITH_PEER(who_waits_says_for_whom),
        WITH_PEER(an_init_container_that_may_not_be_tried_again_ends_the_pod),
        WITH_PEER(a_sidecar_starts_first_and_does_not_keep_the_pod),
        WITH_PEER(a_sidecar_stops_after_the_others),
        WITH_PEER(a_sidecar_that_ends_before_it_is_ready_is_why_the_rest_never_starts),
        WITH_PEER(one_that_only_starts_lets_the_others_start),
        WITH_PEER(a_rehearsal_leaves_nothing_and_disturbs_nothing),
        WITH_PEER(a_rehearsal_that_fails_says_why),
    };
    fixture_probe = argv[1];
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
