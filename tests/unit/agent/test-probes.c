/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of real containers, and servers of every kind. Skipped where mounts and control groups are not allowed. */
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "tests/unit/agent/fixture.h"

static void probe(ProbeDefinition *d, const char *exec)
{
    d->period = 100 * USEC_PER_MSEC;
    d->timeout = 5 * USEC_PER_SEC;
    d->failures = 1;
    if (exec)
        assert_non_null(d->exec = strv_split(exec, " "));
}

static bool failed_with(const Peer *p, const char *name, const char *text)
{
    const ContainerReport *r = peer_container(p, name);
    return r && streq_ptr(r->probe_failure, text);
}

/* --- programs --- */

static void ready_is_what_its_program_says(void **state)
{
    AgentContainer c[] = { container("never", "probe wait"), container("later", "probe wait"),
                           container("unasked", "probe wait") };

    probe(&c[0].definition.ready, "probe exit 7");
    probe(&c[1].definition.ready, "probe once");
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, failed_with(p, "never", "ready probe failed: exit status 7"));
    peer_until(p, failed_with(p, "later", "ready probe failed: exit status 1"));
    peer_until(p, peer_container(p, "later")->unready == false);
    assert_true(peer_container(p, "never")->unready);
    assert_true(peer_container(p, "later")->probe_failed > 0);
    assert_int_equal(peer_container(p, "never")->state, CONTAINER_RUNNING);
    assert_false(peer_container(p, "unasked")->unready);
    assert_int_equal(peer_container(p, "never")->restarts, 0);
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void words_of_a_program_are_in_its_failure_and_bounded(void **state)
{
    AgentContainer c[] = { container("words", "probe wait"), container("many", "probe wait") };

    probe(&c[0].definition.ready, "probe complain");
    probe(&c[1].definition.ready, "probe complain 100000");
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, failed_with(p, "words", "ready probe failed: exit status 1: left right"));
    peer_until(p, peer_container(p, "many")->probe_failure);
    assert_in_range(strlen(peer_container(p, "many")->probe_failure), 100, PROBE_TEXT_MAX + 100);
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void alive_starts_it_again_and_says_why(void **state)
{
    CONTAINER(c, "web", "probe wait");

    c.definition.restart.policy = RESTART_ON_FAILURE;
    probe(&c.definition.alive, "missing");
    c.definition.alive.failures = 2;
    Peer *p = start(state, &c, 1);
    peer_until(p, peer_state_is(p, "web", CONTAINER_RUNNING) && peer_container(p, "web")->restarts == 1);
    assert_string_equal(peer_container(p, "web")->message, "alive probe failed: missing: command not found");
    assert_int_equal(peer_container(p, "web")->exit_code, SIGTERM);
}

static void what_is_never_started_again_has_failed_by_its_probe(void **state)
{
    CONTAINER(c, "web", "probe wait");

    probe(&c.definition.alive, "probe exit 1");
    Peer *p = start(state, &c, 1);
    peer_until(p, p->powered_off);
    assert_true(p->report.completed);
    assert_int_equal(peer_container(p, "web")->state, CONTAINER_FAILED);
    assert_string_equal(peer_container(p, "web")->message, "alive probe failed: exit status 1");
}

static void a_program_that_hangs_is_ended_and_is_a_failure(void **state)
{
    CONTAINER(c, "web", "probe wait");

    probe(&c.definition.ready, "probe stubborn");
    c.definition.ready.timeout = 50 * USEC_PER_MSEC;
    Peer *p = start(state, &c, 1);
    peer_until(p, failed_with(p, "web", "ready probe failed: no answer within 50ms"));
    /* It is gone: the next one can be tried. */
    peer_until(p, p->agent->containers[0].probes[PROBE_READY].child.pid == 0);
    uint64_t failures = p->agent->containers[0].probes[PROBE_READY].life.failures;
    peer_until(p, p->agent->containers[0].probes[PROBE_READY].life.failures > failures + 1);
    assert_true(failed_with(p, "web", "ready probe failed: no answer within 50ms"));
}

static void startup_holds_off_the_others_and_then_ends_what_does_not_come_up(void **state)
{
    AgentContainer c[] = { container("comes", "probe wait"), container("not", "probe wait") };

    probe(&c[0].definition.startup, "probe once");
    c[0].definition.startup.failures = 50;
    probe(&c[0].definition.alive, "probe say fine");
    probe(&c[1].definition.startup, "probe exit 1");
    probe(&c[1].definition.alive, "probe exit 2");
    c[1].definition.startup.failures = 3;
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, peer_state_is(p, "not", CONTAINER_FAILED));
    assert_string_equal(peer_container(p, "not")->message, "startup probe failed: exit status 1");
    peer_until(p, peer_container(p, "comes")->unready == false);
    assert_int_equal(p->agent->containers[0].probes[PROBE_STARTUP].life.phase, PROBE_SETTLED);
    assert_int_equal(peer_container(p, "comes")->restarts, 0);
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

/* --- servers --- */

/* On the agent's own loop: takes each connection, and says its piece. */
typedef struct Server {
    Peer *peer;
    Watch watch;
    int fd;
    int port;
    const char *answer; /* NULL: nothing, and the connection stays */
    size_t size;
    int kept[256];
    size_t n_kept;
} Server;

static void on_connection(void *userdata, uint32_t events)
{
    Server *s = userdata;
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

    assert_true(fd >= 0);
    if (s->answer)
        (void)!send(fd, s->answer, s->size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (s->answer || s->n_kept == ELEMENTSOF(s->kept))
        close(fd);
    else
        s->kept[s->n_kept++] = fd;
}

static void server_open(Server *s, Peer *p, const char *answer)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;

    *s = (Server){ .peer = p, .answer = answer, .size = answer ? strlen(answer) : 0 };
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(s->fd, 16) == 0);
    assert_true(getsockname(s->fd, (struct sockaddr *)&a, &size) == 0);
    s->port = ntohs(a.sin_port);
    s->watch = (Watch){ .func = on_connection, .userdata = s };
    assert_success(loop_watch(&p->agent->loop, &s->watch, s->fd, EPOLLIN));
}

static void server_done(Server *s)
{
    loop_unwatch(&s->peer->agent->loop, &s->watch);
    close(s->fd);
    while (s->n_kept > 0)
        close(s->kept[--s->n_kept]);
}

static void a_connection_is_readiness_and_its_refusal_is_not(void **state)
{
    AgentContainer c[] = { container("taken", "probe wait"), container("refused", "probe wait") };
    Server s, closed;

    server_open(&s, *state, NULL);
    server_open(&closed, *state, NULL);
    int port = closed.port;
    server_done(&closed);
    probe(&c[0].definition.ready, NULL);
    probe(&c[1].definition.ready, NULL);
    c[0].definition.ready.tcp = strf(":%d", s.port);
    c[1].definition.ready.tcp = strf("127.0.0.1:%d", port);
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, failed_with(p, "refused", "ready probe failed: Connection refused"));
    peer_until(p, peer_state_is(p, "taken", CONTAINER_RUNNING) && !peer_container(p, "taken")->unready);
    assert_true(peer_container(p, "refused")->unready);
    server_done(&s);
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void answers_of_every_kind_have_their_own_words(void **state)
{
    static char endless[4096];
    static const struct {
        const char *answer, *failure;
    } rows[] = {
        { "HTTP/1.1 204 No Content\r\n\r\n", NULL },
        { "HTTP/1.0 302 Found\r\n", NULL },
        { "HTTP/1.1 503 Service Unavailable\r\n\r\n", "ready probe failed: HTTP status 503" },
        { "220 mail.example.org\r\n", "ready probe failed: the answer is no HTTP" },
        { "HTTP/1.1 200", "ready probe failed: the answer is no HTTP" },
        { endless, "ready probe failed: the answer is no HTTP" },
        { NULL, "ready probe failed: no answer within 50ms" },
    };
    Server servers[ELEMENTSOF(rows)];
    AgentContainer c[ELEMENTSOF(rows)];
    char name[16];

    memset(endless, 'x', sizeof endless - 1);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        server_open(&servers[i], *state, rows[i].answer);
        (void)snprintf(name, sizeof name, "c%zu", i);
        c[i] = container(name, "probe wait");
        probe(&c[i].definition.ready, NULL);
        c[i].definition.ready.http = strf("http://:%d/x", servers[i].port);
        c[i].definition.ready.timeout = rows[i].answer ? 5 * USEC_PER_SEC : 50 * USEC_PER_MSEC;
    }
    Peer *p = start(state, c, ELEMENTSOF(c));
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        const char *container = c[i].definition.name;
        if (rows[i].failure)
            peer_until(p, failed_with(p, container, rows[i].failure));
        else
            peer_until(p, peer_state_is(p, container, CONTAINER_RUNNING) &&
                              !peer_container(p, container)->unready);
    }
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        server_done(&servers[i]);
        container_done_test(&c[i]);
    }
}

static void a_sidecar_lets_the_others_start_when_it_is_ready(void **state)
{
    AgentContainer c[] = { container("app", "probe wait"), container("proxy", "probe wait") };
    Server s;

    server_open(&s, *state, "HTTP/1.1 500 Not Yet\r\n\r\n");
    c[1].role = CONTAINER_SIDECAR;
    probe(&c[1].definition.ready, NULL);
    c[1].definition.ready.http = strf("http://:%d/", s.port);
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, failed_with(p, "proxy", "ready probe failed: HTTP status 500"));
    assert_int_equal(peer_container(p, "app")->state, CONTAINER_WAITING);
    assert_string_equal(peer_container(p, "app")->message, "it waits for sidecar proxy");
    s.answer = "HTTP/1.1 200 OK\r\n\r\n";
    s.size = strlen(s.answer);
    peer_until(p, peer_state_is(p, "app", CONTAINER_RUNNING));
    server_done(&s);
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void without_probes_no_timer_is_set(void **state)
{
    CONTAINER(c, "web", "probe wait");
    Peer *p = start(state, &c, 1);

    peer_until(p, peer_state_is(p, "web", CONTAINER_RUNNING) && log_ring_empty(&p->agent->ring));
    /* But that after which the kernel is asked for nothing more. */
    peer_until(p, p->kernel_closed);
    assert_null(p->agent->loop.timers);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(ready_is_what_its_program_says),
        WITH_PEER(words_of_a_program_are_in_its_failure_and_bounded),
        WITH_PEER(alive_starts_it_again_and_says_why),
        WITH_PEER(what_is_never_started_again_has_failed_by_its_probe),
        WITH_PEER(a_program_that_hangs_is_ended_and_is_a_failure),
        WITH_PEER(startup_holds_off_the_others_and_then_ends_what_does_not_come_up),
        WITH_PEER(a_connection_is_readiness_and_its_refusal_is_not),
        WITH_PEER(answers_of_every_kind_have_their_own_words),
        WITH_PEER(a_sidecar_lets_the_others_start_when_it_is_ready),
        WITH_PEER(without_probes_no_timer_is_set),
    };
    fixture_probe = argv[1];
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
