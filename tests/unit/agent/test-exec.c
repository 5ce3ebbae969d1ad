/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that are run in a container by request, with their streams. */
#include <signal.h>

#include "tests/unit/agent/fixture.h"

enum { STREAM = 5 };

/* A peer whose container "web" runs. */
static Peer *start_web(void **state)
{
    CONTAINER(c, "web", "probe wait");
    Peer *p = start(state, &c, 1);

    peer_until(p, peer_log_has(p, "waiting"));
    return p;
}

/* The reply's error. The command is split at blanks. */
static int exec(Peer *p, uint64_t stream, const char *command, bool terminal)
{
    char container[] = "web";
    _cleanup_(strv_freep) char **v = strv_split(command, " ");
    AgentExec e = {
        .stream = stream,
        .request = { .container = container, .command = v, .terminal = terminal, .rows = 24, .columns = 80 }
    };

    return peer_ask(p, AGENT_EXEC, &e);
}

static void input(Peer *p, const void *data, size_t size)
{
    AgentData d = { .stream = STREAM,
                    .channel = STREAM_STDIN,
                    .data = { .data = (uint8_t *)(uintptr_t)data, .size = size } };
    peer_send(p, AGENT_DATA, &d);
}

static bool output_is(const Peer *p, StreamChannel channel, const char *text)
{
    const Bytes *b = &p->streams[channel];
    return b->size == strlen(text) && memcmp(b->data, text, b->size) == 0;
}

static bool output_has(Peer *p, const char *text)
{
    Bytes *b = &p->streams[STREAM_STDOUT];
    assert_success(bytes_terminate(b));
    return strstr((const char *)b->data, text);
}

static void streams_are_apart_and_the_status_comes_last(void **state)
{
    Peer *p = start_web(state);

    assert_int_equal(exec(p, STREAM, "probe say out err", false), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.stream, STREAM);
    assert_int_equal(p->exit.code, 0);
    assert_true(output_is(p, STREAM_STDOUT, "out\n") && output_is(p, STREAM_STDERR, "err\n"));
    assert_int_equal(p->ends[STREAM_STDOUT] + p->ends[STREAM_STDERR], 2);
    assert_int_equal(exec(p, STREAM, "probe exit 42", false), 0);
    peer_until(p, p->exits == 2);
    assert_int_equal(p->exit.code, 42);
}

static void a_program_that_cannot_start_is_refused_in_words(void **state)
{
    Peer *p = start_web(state);

    assert_int_equal(exec(p, STREAM, "missing", false), ENOENT);
    assert_string_equal(p->reply, "missing: command not found");
    assert_int_equal(exec(p, STREAM, "data", false), EACCES);
    assert_int_equal(exec(p, STREAM, "foreign", true), ENOEXEC);
    assert_string_equal(p->reply, "foreign: exec format error: is the image of another architecture?");
    assert_int_equal(exec(p, STREAM, "", false), EINVAL);
    assert_int_equal(p->exits, 0);
    peer_until(p, !p->agent->execs);
}

static void descriptors_of_the_agent_lead_nowhere(void **state)
{
    char web[] = "web", probe[] = "probe", write[] = "write", file[] = "x",
         *command[] = { probe, write, file, NULL };
    Peer *p = start_web(state);

    for (int fd = 0; fd < 32; fd++) {
        _cleanup_(freep) char *dir = strf("/proc/self/fd/%d", fd);
        AgentExec e = { .stream = STREAM,
                        .request = { .container = web, .command = command, .working_dir = dir } };
        assert_true(peer_ask(p, AGENT_EXEC, &e) != 0);
        e.request.command =
            (char *[]){ strf("/proc/self/fd/%d/containers/web/root/bin/probe", fd), write, file, NULL };
        e.request.working_dir = NULL;
        assert_true(peer_ask(p, AGENT_EXEC, &e) != 0);
        free(e.request.command[0]);
    }
}

static void bytes_go_through_unchanged(void **state)
{
    enum { SIZE = 1000000, STEP = 10000 };
    Peer *p = start_web(state);
    _cleanup_(freep) uint8_t *data = malloc(SIZE);

    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 11);
    assert_int_equal(exec(p, STREAM, "probe cat", false), 0);
    p->input_credit = AGENT_STREAM_CREDIT;
    for (size_t i = 0; i < SIZE; i += STEP) {
        peer_until(p, p->input_credit >= STEP);
        p->input_credit -= STEP;
        input(p, data + i, STEP);
    }
    input(p, NULL, 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.code, 0);
    assert_int_equal(p->streams[STREAM_STDOUT].size, SIZE);
    assert_memory_equal(p->streams[STREAM_STDOUT].data, data, SIZE);
}

static void output_waits_for_credit_and_none_is_lost_at_the_end(void **state)
{
    Peer *p = start_web(state);

    p->grants = false;
    assert_int_equal(exec(p, STREAM, "probe zeroes 150000", false), 0);
    peer_until(p, p->streams[STREAM_STDOUT].size == AGENT_STREAM_CREDIT);
    /* The program has written all into its pipe and ended; nothing more comes for all that. */
    peer_until(p, p->agent->execs->ended);
    assert_int_equal(peer_ask(p, AGENT_PING, NULL), 0);
    assert_int_equal(p->streams[STREAM_STDOUT].size, AGENT_STREAM_CREDIT);
    assert_int_equal(p->exits, 0);
    peer_send(p, AGENT_CREDIT,
              &(AgentCredit){ .stream = STREAM, .channel = STREAM_STDOUT, .bytes = 1 << 20 });
    peer_until(p, p->exits == 1);
    assert_int_equal(p->streams[STREAM_STDOUT].size, 150000);
}

static void more_input_than_was_granted_ends_the_program(void **state)
{
    enum { STEP = 32768 };
    Peer *p = start_web(state);
    _cleanup_(freep) uint8_t *data = calloc(1, STEP);

    assert_int_equal(exec(p, STREAM, "probe wait", false), 0);
    for (size_t sent = 0; sent <= AGENT_STREAM_CREDIT; sent += STEP)
        input(p, data, STEP);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.signal, SIGHUP);
}

static void a_terminal_has_a_name_a_size_and_a_keyboard(void **state)
{
    Peer *p = start_web(state);

    assert_int_equal(exec(p, STREAM, "probe terminal", true), 0);
    peer_until(p, p->exits == 1);
    assert_true(output_has(p, "/dev/pts/0 24 80\r\n"));
    assert_int_equal(exec(p, STREAM, "probe cat", true), 0);
    assert_int_equal(peer_ask(p, AGENT_RESIZE, &(AgentStreamResize){ STREAM, 50, 132 }), 0);
    input(p, "typed\r", 6);
    peer_until(p, output_has(p, "typed\r\ntyped\r\n"));
    input(p, "\3", 1);
    peer_until(p, p->exits == 2);
    assert_int_equal(p->exit.signal, SIGINT);
    assert_int_equal(p->exit.code, -1);
}

static void signals_reach_the_program(void **state)
{
    Peer *p = start_web(state);

    assert_int_equal(exec(p, STREAM, "probe wait", false), 0);
    peer_until(p, output_is(p, STREAM_STDOUT, "waiting\n"));
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ STREAM, 0 }), EINVAL);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ STREAM, SIGTERM }), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.code, SIGTERM);
    assert_int_equal(exec(p, STREAM, "probe wait", false), 0);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ STREAM, SIGKILL }), 0);
    peer_until(p, p->exits == 2);
    assert_int_equal(p->exit.signal, SIGKILL);
}

static void a_client_that_is_gone_ends_its_program(void **state)
{
    Peer *p = start_web(state);

    assert_int_equal(exec(p, STREAM, "probe wait", false), 0);
    assert_int_equal(peer_ask(p, AGENT_HANGUP, &(AgentStream){ STREAM }), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.signal, SIGHUP);
    assert_int_equal(exec(p, STREAM, "probe stubborn", false), 0);
    peer_until(p, output_has(p, "stubborn\n"));
    assert_int_equal(peer_ask(p, AGENT_HANGUP, &(AgentStream){ STREAM }), 0);
    peer_until(p, p->exits == 2);
    assert_int_equal(p->exit.signal, SIGKILL);
}

static void a_new_session_knows_nothing_of_the_old_ones_programs(void **state)
{
    Peer *p = start_web(state);

    assert_int_equal(exec(p, STREAM, "probe wait", false), 0);
    peer_until(p, output_is(p, STREAM_STDOUT, "waiting\n"));
    peer_hello(p, 8, p->token, 1, 1);
    assert_int_equal(peer_ask(p, AGENT_SIGNAL, &(AgentStreamSignal){ STREAM, SIGTERM }), ENOENT);
    assert_int_equal(exec(p, STREAM, "probe exit 1", false), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.code, 1);
    peer_until(p, !p->agent->execs);
    assert_int_equal(p->exits, 1);
}

static void a_stream_is_used_once_at_a_time_and_there_are_so_many(void **state)
{
    Peer *p = start_web(state);

    for (uint64_t i = 0; i < AGENT_STREAMS_MAX; i++)
        assert_int_equal(exec(p, i, "probe wait", false), 0);
    assert_int_equal(exec(p, 3, "probe wait", false), EEXIST);
    assert_int_equal(exec(p, 1000, "probe wait", false), EAGAIN);
    for (uint64_t i = 0; i < AGENT_STREAMS_MAX; i++)
        peer_send(p, AGENT_HANGUP, &(AgentStream){ i });
    peer_until(p, p->exits == AGENT_STREAMS_MAX);
    assert_int_equal(exec(p, 3, "probe exit 0", false), 0);
}

static void programs_end_with_their_container(void **state)
{
    Peer *p = start_web(state);

    assert_int_equal(exec(p, STREAM, "probe stubborn", false), 0);
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = 5 * USEC_PER_SEC }), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.signal, SIGKILL);
    peer_until(p, p->powered_off);
    assert_int_equal(peer_container(p, "web")->exit_code, SIGTERM);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(streams_are_apart_and_the_status_comes_last),
        WITH_PEER(a_program_that_cannot_start_is_refused_in_words),
        WITH_PEER(descriptors_of_the_agent_lead_nowhere),
        WITH_PEER(bytes_go_through_unchanged),
        WITH_PEER(output_waits_for_credit_and_none_is_lost_at_the_end),
        WITH_PEER(more_input_than_was_granted_ends_the_program),
        WITH_PEER(a_terminal_has_a_name_a_size_and_a_keyboard),
        WITH_PEER(signals_reach_the_program),
        WITH_PEER(a_client_that_is_gone_ends_its_program),
        WITH_PEER(a_new_session_knows_nothing_of_the_old_ones_programs),
        WITH_PEER(a_stream_is_used_once_at_a_time_and_there_are_so_many),
        WITH_PEER(programs_end_with_their_container),
    };
    fixture_probe = argv[1];
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
