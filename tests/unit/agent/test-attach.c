/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that are attached to a container's own program: they come and go, and it goes on. */
#include <signal.h>

#include "tests/unit/agent/fixture.h"

enum { ONE = 1, TWO = 2, STEP = 16 * 1024 };

static usec_t skew;

static usec_t skewed(void)
{
    return now_usec(CLOCK_MONOTONIC) + skew;
}

/* A peer whose container "web" runs the program, which has said that it does if it is one that says so. */
static Peer *start_web(void **state, const char *command, bool keep_stdin, bool terminal)
{
    CONTAINER(c, "web", command);

    c.definition.keep_stdin = keep_stdin;
    c.definition.terminal = terminal;
    Peer *p = start(state, &c, 1);
    skew = 0;
    p->agent->loop.clock = skewed;
    peer_until(p, peer_state_is(p, "web", CONTAINER_RUNNING));
    return p;
}

static int attach_to(Peer *p, uint64_t stream, const char *container, unsigned rows, unsigned columns)
{
    AgentExec e = { .stream = stream,
                    .request = { .container = (char *)(uintptr_t)container,
                                 .task = TASK_ATTACH,
                                 .rows = rows,
                                 .columns = columns } };
    return peer_ask(p, AGENT_EXEC, &e);
}

static void attach(Peer *p, uint64_t stream)
{
    assert_int_equal(attach_to(p, stream, "web", 0, 0), 0);
}

static void input(Peer *p, uint64_t stream, const void *data, size_t size)
{
    AgentData d = { .stream = stream,
                    .channel = STREAM_STDIN,
                    .data = { .data = (uint8_t *)(uintptr_t)data, .size = size } };
    peer_send(p, AGENT_DATA, &d);
}

static void type(Peer *p, uint64_t stream, const char *text)
{
    input(p, stream, text, strlen(text));
}

static bool output_has(Peer *p, const char *text)
{
    Bytes *b = &p->streams[STREAM_STDOUT];
    assert_success(bytes_terminate(b));
    return b->data && strstr((const char *)b->data, text);
}

static void hang_up(Peer *p, uint64_t stream)
{
    assert_int_equal(peer_ask(p, AGENT_HANGUP, &(AgentStream){ stream }), 0);
}

static void all_who_are_attached_and_the_log_have_the_output_and_the_end(void **state)
{
    Peer *p = start_web(state, "probe cat", true, false);

    attach(p, ONE);
    attach(p, TWO);
    type(p, ONE, "hello\n");
    peer_until(p, p->received[ONE] == 6 && p->received[TWO] == 6 && peer_log_has(p, "web stdout hello\n"));
    input(p, TWO, NULL, 0);
    peer_until(p, p->exits == 2);
    assert_int_equal(p->exit.code, 0);
    assert_string_equal(p->exit_messages, "");
    assert_int_equal(ended(p, "web")->exit_code, 0);
}

static void what_is_written_before_is_not_shown_and_standard_error_is_apart(void **state)
{
    Peer *p = start_web(state, "probe wait", false, false);

    peer_until(p, peer_log_has(p, "waiting"));
    attach(p, ONE);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ ONE, SIGUSR1 }), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.code, SIGUSR1);
    assert_int_equal(p->received[ONE], 0);
}

static void who_leaves_ends_nothing_and_has_typed_what_he_typed(void **state)
{
    Peer *p = start_web(state, "probe cat", true, false);

    attach(p, ONE);
    type(p, ONE, "last words\n");
    peer_send(p, AGENT_HANGUP, &(AgentStream){ ONE });
    peer_until(p, peer_log_has(p, "web stdout last words\n"));
    assert_int_equal(p->exits, 0);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ ONE, SIGKILL }), ENOENT);
    attach(p, ONE);
    type(p, ONE, "again\n");
    peer_until(p, p->received[ONE] == 6);
    assert_true(peer_state_is(p, "web", CONTAINER_RUNNING));
}

static void a_runner_that_is_lost_ends_nothing(void **state)
{
    Peer *p = start_web(state, "probe cat", true, false);

    attach(p, ONE);
    type(p, ONE, "before\n");
    peer_until(p, p->received[ONE] == 7);
    peer_hello(p, 8, p->token, 1, AGENT_PROTOCOL_MAX);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ ONE, SIGKILL }), ENOENT);
    attach(p, ONE);
    type(p, ONE, "after\n");
    peer_until(p, output_has(p, "before\nafter\n"));
    assert_int_equal(p->exits, 0);
}

/* Lines, from the stream to a program that says them again; as the agent grants. */
static void pour(Peer *p, uint64_t stream, size_t size)
{
    uint8_t data[STEP];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = i % 64 == 63 ? '\n' : 'x';
    p->input_credit = AGENT_STREAM_CREDIT;
    for (; size > 0; size -= STEP) {
        peer_until(p, p->input_credit >= STEP);
        p->input_credit -= STEP;
        input(p, stream, data, STEP);
    }
}

static void who_never_reads_is_cut_off_and_nobody_else(void **state)
{
    enum { SIZE = 3 * AGENT_STREAM_CREDIT };
    Peer *p = start_web(state, "probe cat", true, false);

    p->miser = ONE;
    attach(p, ONE);
    attach(p, TWO);
    pour(p, TWO, AGENT_STREAM_CREDIT + AGENT_STREAM_CREDIT / 2);
    /* The program waits for the one, and so do the other and the log; but not before the one has all that was granted. */
    peer_until(p, p->received[ONE] == AGENT_STREAM_CREDIT);
    assert_int_equal(peer_ask(p, AGENT_PING, NULL), 0);
    assert_int_equal(p->received[TWO], AGENT_STREAM_CREDIT);
    assert_int_equal(p->exits, 0);
    skew += ATTACH_PATIENCE;
    pour(p, TWO, SIZE - AGENT_STREAM_CREDIT - AGENT_STREAM_CREDIT / 2);
    peer_until(p, p->received[TWO] == SIZE);
    assert_int_equal(p->exits, 1);
    assert_int_equal(p->exit.stream, ONE);
    assert_int_equal(p->exit.code, -1);
    assert_non_null(strstr(p->exit_messages, "nothing of its output was taken for 5s"));
    peer_until(p, p->log.size == SIZE / 64 * strlen("web stdout ") + SIZE);
    assert_int_equal(p->log_dropped, 0);
    attach(p, ONE);
}

static void who_reads_slowly_is_waited_for(void **state)
{
    Peer *p = start_web(state, "probe cat", true, false);

    p->miser = ONE;
    attach(p, ONE);
    pour(p, ONE, AGENT_STREAM_CREDIT + STEP);
    for (size_t more = STEP / 4; more <= STEP; more += STEP / 4) {
        peer_until(p, p->received[ONE] == AGENT_STREAM_CREDIT + more - STEP / 4);
        assert_int_equal(peer_ask(p, AGENT_PING, NULL), 0);
        skew += ATTACH_PATIENCE - USEC_PER_SEC;
        peer_send(p, AGENT_CREDIT,
                  &(AgentCredit){ .stream = ONE, .channel = STREAM_STDOUT, .bytes = STEP / 4 });
    }
    peer_until(p, p->received[ONE] == AGENT_STREAM_CREDIT + STEP);
    assert_int_equal(p->exits, 0);
}

static void what_cannot_be_is_refused_in_words(void **state)
{
    Peer *p = start_web(state, "probe wait", false, false);

    peer_until(p, peer_log_has(p, "waiting"));
    assert_int_equal(attach_to(p, ONE, "nobody", 0, 0), ENOENT);
    assert_string_equal(p->reply, "there is no container nobody");
    assert_int_equal(attach_to(p, ONE, NULL, 0, 0), ENOENT);
    for (uint64_t i = 1; i <= ATTACHMENTS_MAX; i++)
        attach(p, i);
    assert_int_equal(attach_to(p, 3, "web", 0, 0), EEXIST);
    assert_int_equal(attach_to(p, ATTACHMENTS_MAX + 1, "web", 0, 0), EAGAIN);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ ONE, 65 }), EINVAL);
    assert_int_equal(
        peer_ask(p, AGENT_CREDIT, &(AgentCredit){ .stream = ONE, .channel = STREAM_STDIN, .bytes = 1 }),
        EINVAL);
    assert_int_equal(peer_ask(p, AGENT_RESIZE, &(AgentStreamResize){ ONE, 3, 4 }), ENOTTY);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ ONE, SIGTERM }), 0);
    peer_until(p, p->exits == ATTACHMENTS_MAX);
    assert_int_equal(attach_to(p, ONE, "web", 0, 0), ESRCH);
}

static void input_for_a_program_without_is_refused_and_its_end_is_not(void **state)
{
    Peer *p = start_web(state, "probe wait", false, false);

    attach(p, ONE);
    attach(p, TWO);
    input(p, ONE, NULL, 0);
    assert_int_equal(peer_ask(p, AGENT_PING, NULL), 0);
    assert_int_equal(p->exits, 0);
    type(p, TWO, "x");
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.stream, TWO);
    assert_non_null(strstr(p->exit_messages, "it takes no input; for that, its pod file has to say"));
    assert_true(peer_state_is(p, "web", CONTAINER_RUNNING));
}

static void input_that_has_ended_is_open_again_in_the_next_run(void **state)
{
    CONTAINER(c, "web", "probe stubborn");

    c.definition.keep_stdin = true;
    c.definition.restart.policy = RESTART_ALWAYS;
    Peer *p = start(state, &c, 1);
    peer_until(p, peer_log_has(p, "stubborn"));
    attach(p, ONE);
    input(p, ONE, NULL, 0);
    attach(p, TWO);
    type(p, TWO, "too late");
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.stream, TWO);
    assert_non_null(strstr(p->exit_messages, "has come to its end"));
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ ONE, SIGKILL }), 0);
    peer_until(p, p->exits == 2 && peer_container(p, "web")->restarts == 1 &&
                      peer_state_is(p, "web", CONTAINER_RUNNING));
    attach(p, TWO);
    type(p, TWO, "in time");
    assert_int_equal(peer_ask(p, AGENT_PING, NULL), 0);
    assert_int_equal(p->exits, 2);
}

static void a_program_that_closed_its_input_is_heard_all_the_same(void **state)
{
    Peer *p = start_web(state, "probe deaf", true, false);

    attach(p, ONE);
    peer_until(p, peer_log_has(p, "waiting"));
    pour(p, ONE, 4 * AGENT_STREAM_CREDIT);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ ONE, SIGTERM }), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.code, SIGTERM);
}

static void input_that_nobody_reads_waits_within_its_grant(void **state)
{
    uint8_t data[STEP] = { 0 };
    Peer *p = start_web(state, "probe wait", true, false);

    attach(p, ONE);
    pour(p, ONE, AGENT_STREAM_CREDIT);
    hang_up(p, ONE);
    assert_int_equal(p->exits, 0);
    attach(p, ONE);
    for (size_t sent = 0; sent <= AGENT_STREAM_CREDIT; sent += STEP)
        input(p, ONE, data, STEP);
    peer_until(p, p->exits == 1);
    assert_non_null(strstr(p->exit_messages, "more input than it had asked for"));
    assert_true(peer_state_is(p, "web", CONTAINER_RUNNING));
}

static void a_terminal_is_typed_into_and_its_lines_are_lines_of_the_log(void **state)
{
    Peer *p = start_web(state, "probe cat", false, true);

    attach(p, ONE);
    attach(p, TWO);
    type(p, ONE, "typed\r");
    peer_until(p, output_has(p, "typed\r\ntyped\r\n") && p->received[ONE] == 14 && p->received[TWO] == 14);
    peer_until(p, peer_log_has(p, "web stdout typed\nweb stdout typed\n"));
    /* Nobody's own end is the terminal's. */
    input(p, TWO, NULL, 0);
    type(p, ONE, "more\r");
    peer_until(p, output_has(p, "more\r\nmore\r\n"));
    type(p, ONE, "\4");
    peer_until(p, p->exits == 2);
    assert_int_equal(p->exit.code, 0);
}

static void a_terminal_has_the_size_of_who_came_or_changed_last(void **state)
{
    Peer *p = start_web(state, "probe sizes", false, true);

    peer_until(p, peer_log_has(p, "waiting"));
    assert_int_equal(attach_to(p, ONE, "web", 50, 132), 0);
    peer_until(p, output_has(p, "size 50 132\r\n"));
    /* The same size: the program hears of it, so that it draws for who has just come. */
    p->streams[STREAM_STDOUT].size = 0;
    assert_int_equal(attach_to(p, TWO, "web", 50, 132), 0);
    peer_until(p, output_has(p, "size 50 132\r\n"));
    assert_int_equal(peer_ask(p, AGENT_RESIZE, &(AgentStreamResize){ ONE, 33, 99 }), 0);
    peer_until(p, output_has(p, "size 33 99\r\n"));
    assert_int_equal(peer_ask(p, AGENT_RESIZE, &(AgentStreamResize){ ONE, 0, 0 }), 0);
}

static void a_terminal_outlives_a_program_without_streams_for_a_moment(void **state)
{
    Peer *p = start_web(state, "probe return", false, true);

    peer_until(p, peer_log_has(p, "web stdout waiting\n"));
    attach(p, ONE);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ ONE, SIGTERM }), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.code, SIGTERM);
}

static void a_program_that_cannot_start_has_no_terminal_either(void **state)
{
    CONTAINER(c, "web", "missing");

    c.definition.terminal = true;
    Peer *p = start(state, &c, 1);
    peer_until(p, peer_state_is(p, "web", CONTAINER_FAILED));
    assert_string_equal(peer_container(p, "web")->message, "missing: command not found");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(all_who_are_attached_and_the_log_have_the_output_and_the_end),
        WITH_PEER(what_is_written_before_is_not_shown_and_standard_error_is_apart),
        WITH_PEER(who_leaves_ends_nothing_and_has_typed_what_he_typed),
        WITH_PEER(a_runner_that_is_lost_ends_nothing),
        WITH_PEER(who_never_reads_is_cut_off_and_nobody_else),
        WITH_PEER(who_reads_slowly_is_waited_for),
        WITH_PEER(what_cannot_be_is_refused_in_words),
        WITH_PEER(input_for_a_program_without_is_refused_and_its_end_is_not),
        WITH_PEER(input_that_has_ended_is_open_again_in_the_next_run),
        WITH_PEER(a_program_that_closed_its_input_is_heard_all_the_same),
        WITH_PEER(input_that_nobody_reads_waits_within_its_grant),
        WITH_PEER(a_terminal_is_typed_into_and_its_lines_are_lines_of_the_log),
        WITH_PEER(a_terminal_has_the_size_of_who_came_or_changed_last),
        WITH_PEER(a_terminal_outlives_a_program_without_streams_for_a_moment),
        WITH_PEER(a_program_that_cannot_start_has_no_terminal_either),
    };
    fixture_probe = argv[1];
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
