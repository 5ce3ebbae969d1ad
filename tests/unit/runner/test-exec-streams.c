/* SPDX-License-Identifier: Apache-2.0 */
/* Streams between clients and the agent: what one side does must not hurt the others. */
#include <fcntl.h>
#include <sys/socket.h>

#include "base/socket.h"
#include "runner/exec-streams.h"
#include "tests/unit/runner/fake-agent.h"

typedef struct Fixture {
    FakeAgent agent;
    AgentClient *client;
    ExecStreams *streams;
    int user; /* the end of the client of `podvisor exec` */
} Fixture;

static void on_data(void *userdata, void *body)
{
    exec_streams_on_data(((Fixture *)userdata)->streams, body);
}

static void on_credit(void *userdata, void *body)
{
    exec_streams_on_credit(((Fixture *)userdata)->streams, body);
}

static void on_exit_of_program(void *userdata, void *body)
{
    exec_streams_on_exit(((Fixture *)userdata)->streams, body);
}

static void on_welcome(void *userdata, void *body) {}

static void on_room(void *userdata)
{
    exec_streams_on_room(((Fixture *)userdata)->streams);
}

static void on_lost(void *userdata, int error) {}

static const AgentCallbacks callbacks = {
    .on = { [AGENT_WELCOME] = on_welcome,
            [AGENT_DATA] = on_data,
            [AGENT_CREDIT] = on_credit,
            [AGENT_EXIT] = on_exit_of_program },
    .room = on_room,
    .lost = on_lost,
};

/* Begins an exec; returns the client's end. */
static int begin(Fixture *f)
{
    char name[] = "main", program[] = "sh";
    char *command[] = { program, NULL };
    ExecRequest request = { .container = name, .command = command };
    _cleanup_(freep) char *message = NULL;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_success(exec_streams_start(f->streams, &request, &pair[1], &message));
    assert_int_equal(pair[1], -1);
    return pair[0];
}

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    fake_init(&f->agent, &callbacks, f, &f->client);
    assert_success(exec_streams_new(f->agent.event, f->client, &f->streams));
    fake_welcome(&f->agent);
    f->user = begin(f);
    const AgentExec *exec = fake_expect(&f->agent, AGENT_EXEC);
    assert_int_equal(exec->stream, 1);
    assert_string_equal(exec->request.command[0], "sh");
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    exec_streams_free(f->streams, "the test is over");
    agent_client_free(f->client);
    fake_done(&f->agent);
    safe_close(f->user);
    free(f);
    return 0;
}

static void user_sends(Fixture *f, int type, const void *body)
{
    Bytes b = { 0 };

    assert_success(message_to_bytes(&stream_protocol, type, 0, body, &b));
    assert_success(packet_send(f->user, b.data, b.size, -1));
    bytes_done(&b);
    fake_run(&f->agent);
}

/* The next packet at the client's end: its type, or negative errno (0: closed). */
static int user_receives(int fd, Message *ret)
{
    Bytes b = { 0 };

    ssize_t n = packet_receive(fd, STREAM_PACKET_MAX, &b, NULL);
    int r = n <= 0 ? (int)n : message_from_bytes(&stream_protocol, b.data, b.size, ret);
    bytes_done(&b);
    return n <= 0 ? (n == 0 ? -ECONNRESET : r) : r < 0 ? r : ret->type;
}

static void user_expects_exit(int fd, int64_t code, uint64_t signal)
{
    Message m;

    assert_int_equal(user_receives(fd, &m), STREAM_EXIT);
    const StreamExit *end = m.body;
    assert_int_equal(end->code, code);
    assert_int_equal(end->signal, signal);
    message_done(&m);
    assert_int_equal(user_receives(fd, &m), -ECONNRESET);
}

static void agent_writes(Fixture *f, uint64_t stream, StreamChannel channel, size_t size)
{
    uint8_t *data = calloc(1, size + 1);

    assert_non_null(data);
    fake_say(&f->agent, AGENT_DATA, 0,
             &(AgentData){ .stream = stream, .channel = channel, .data = { .data = data, .size = size } });
    free(data);
}

static void input_reaches_the_program_whole(void **state)
{
    Fixture *f = *state;
    uint8_t bytes[] = { 0, 1, 2, 255 };
    user_sends(f, STREAM_DATA, &(StreamData){ .data = { .data = bytes, .size = sizeof bytes } });
    const AgentData *data = fake_expect(&f->agent, AGENT_DATA);
    assert_int_equal(data->stream, 1);
    assert_int_equal(data->data.size, sizeof bytes);
    assert_memory_equal(data->data.data, bytes, sizeof bytes);
    user_sends(f, STREAM_DATA, &(StreamData){ 0 });
    data = fake_expect(&f->agent, AGENT_DATA);
    assert_int_equal(data->data.size, 0);
}

static void size_and_signals_reach_the_program_after_the_end_of_input_too(void **state)
{
    Fixture *f = *state;
    user_sends(f, STREAM_DATA, &(StreamData){ 0 });
    (void)fake_expect(&f->agent, AGENT_DATA);
    user_sends(f, STREAM_RESIZE, &(StreamResize){ .rows = 24, .columns = 80 });
    assert_int_equal(((const AgentStreamResize *)fake_expect(&f->agent, AGENT_RESIZE))->columns, 80);
    user_sends(f, STREAM_SIGNAL, &(StreamSignal){ .signal = 2 });
    assert_int_equal(((const AgentStreamSignal *)fake_expect(&f->agent, AGENT_SIGNAL))->signal, 2);
}

static void output_and_status_reach_the_client(void **state)
{
    Fixture *f = *state;
    Message m;
    agent_writes(f, 1, STREAM_STDERR, 3);
    assert_int_equal(user_receives(f->user, &m), STREAM_DATA);
    assert_int_equal(((StreamData *)m.body)->channel, STREAM_STDERR);
    assert_int_equal(((StreamData *)m.body)->data.size, 3);
    message_done(&m);
    fake_say(&f->agent, AGENT_EXIT, 0, &(AgentExit){ .stream = 1, .code = 3 });
    user_expects_exit(f->user, 3, 0);
    assert_int_equal(exec_streams_count(f->streams), 0);
}

static void a_forged_status_is_none(void **state)
{
    Fixture *f = *state;
    fake_say(&f->agent, AGENT_EXIT, 0, &(AgentExit){ .stream = 1, .code = INT64_MAX, .signal = UINT64_MAX });
    user_expects_exit(f->user, -1, 0);
}

static void a_program_that_is_not_found_is_127(void **state)
{
    Fixture *f = *state;
    char why[] = "no such file";
    int other = begin(f);
    (void)fake_expect(&f->agent, AGENT_EXEC);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ .error = ENOENT, .message = why });
    user_expects_exit(other, 127, 0);
    safe_close(other);
}

static void a_client_that_goes_away_ends_its_program(void **state)
{
    Fixture *f = *state;
    f->user = safe_close(f->user);
    fake_run(&f->agent);
    assert_int_equal(((const AgentStream *)fake_expect(&f->agent, AGENT_HANGUP))->stream, 1);
    assert_int_equal(exec_streams_count(f->streams), 0);
    agent_writes(f, 1, STREAM_STDOUT, 100);
    fake_say(&f->agent, AGENT_EXIT, 0, &(AgentExit){ .stream = 1 });
    assert_true(fake_is_silent(&f->agent));
}

static void a_client_that_goes_away_before_the_start_is_forgotten(void **state)
{
    Fixture *f = *state;
    int other = begin(f);
    (void)fake_expect(&f->agent, AGENT_EXEC);
    uint64_t id = fake_id(&f->agent);
    safe_close(other);
    fake_run(&f->agent);
    (void)fake_expect(&f->agent, AGENT_HANGUP);
    fake_say(&f->agent, AGENT_REPLY, id, &(RunnerReply){ 0 });
    assert_int_equal(exec_streams_count(f->streams), 1);
}

static void a_client_that_talks_nonsense_loses_its_program(void **state)
{
    Fixture *f = *state;
    assert_success(packet_send(f->user, "\xc1", 1, -1));
    fake_run(&f->agent);
    (void)fake_expect(&f->agent, AGENT_HANGUP);
    assert_int_equal(exec_streams_count(f->streams), 0);
}

static void a_slow_client_holds_up_nobody_else(void **state)
{
    Fixture *f = *state;
    Message m;
    int other = begin(f);
    (void)fake_expect(&f->agent, AGENT_EXEC);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    /* The first client reads nothing: all that was granted is sent to it, and stays. */
    for (size_t sent = 0; sent < AGENT_STREAM_CREDIT; sent += STREAM_DATA_MAX)
        agent_writes(f, 1, STREAM_STDOUT, STREAM_DATA_MAX);
    agent_writes(f, 2, STREAM_STDOUT, 5);
    assert_int_equal(user_receives(other, &m), STREAM_DATA);
    message_done(&m);
    assert_int_equal(exec_streams_count(f->streams), 2);
    safe_close(other);
}

static void credit_comes_back_as_the_client_reads(void **state)
{
    Fixture *f = *state;
    Message m;
    agent_writes(f, 1, STREAM_STDOUT, STREAM_DATA_MAX);
    assert_int_equal(user_receives(f->user, &m), STREAM_DATA);
    message_done(&m);
    const AgentCredit *credit = fake_expect(&f->agent, AGENT_CREDIT);
    assert_int_equal(credit->channel, STREAM_STDOUT);
    assert_int_equal(credit->bytes, STREAM_DATA_MAX);
}

static void an_agent_that_sends_more_than_it_may_loses_the_stream(void **state)
{
    Fixture *f = *state;
    int size = 4096;
    assert_int_equal(setsockopt(f->user, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
    size_t before = memory_in_use();
    for (int i = 0; i < 1000; i++)
        agent_writes(f, 1, STREAM_STDOUT, STREAM_DATA_MAX);
    assert_int_equal(exec_streams_count(f->streams), 0);
    assert_true(memory_in_use() < before + 1024 * 1024);
}

static void output_on_the_channel_of_input_loses_the_stream(void **state)
{
    Fixture *f = *state;
    agent_writes(f, 1, STREAM_STDIN, 1);
    assert_int_equal(exec_streams_count(f->streams), 0);
}

static void input_waits_for_credit(void **state)
{
    Fixture *f = *state;
    uint8_t block[STREAM_DATA_MAX] = { 0 };
    StreamData data = { .data = { .data = block, .size = sizeof block } };
    for (size_t sent = 0; sent <= AGENT_STREAM_CREDIT; sent += sizeof block)
        user_sends(f, STREAM_DATA, &data);
    size_t got = 0;
    for (; got < AGENT_STREAM_CREDIT; got += sizeof block)
        assert_int_equal(((const AgentData *)fake_expect(&f->agent, AGENT_DATA))->data.size, sizeof block);
    assert_true(fake_is_silent(&f->agent));
    fake_say(&f->agent, AGENT_CREDIT, 0,
             &(AgentCredit){ .stream = 1, .channel = STREAM_STDIN, .bytes = 1000 });
    assert_int_equal(((const AgentData *)fake_expect(&f->agent, AGENT_DATA))->data.size, 1000);
    assert_true(fake_is_silent(&f->agent));
}

static void more_streams_than_there_may_be_are_refused(void **state)
{
    Fixture *f = *state;
    int ends[AGENT_STREAMS_MAX], pair[2];
    char name[] = "main";
    _cleanup_(freep) char *message = NULL;
    for (int i = 1; i < AGENT_STREAMS_MAX; i++)
        ends[i] = begin(f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(exec_streams_start(f->streams, &(ExecRequest){ .container = name }, &pair[1], &message),
                     -EBUSY);
    assert_non_null(message);
    safe_close(pair[0]);
    safe_close(pair[1]);
    for (int i = 1; i < AGENT_STREAMS_MAX; i++)
        safe_close(ends[i]);
}

/* Who may only look cannot hold up who works. */
static void questions_leave_room_for_programs(void **state)
{
    Fixture *f = *state;
    int pairs[TASK_QUESTIONS_MAX + 1][2];
    const ExecRequest question = { .task = TASK_STATISTICS };
    _cleanup_(freep) char *message = NULL;
    for (int i = 0; i <= TASK_QUESTIONS_MAX; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pairs[i]), 0);
        int r = exec_streams_start(f->streams, &question, &pairs[i][1], &message);
        assert_int_equal(r, i < TASK_QUESTIONS_MAX ? 0 : -EBUSY);
    }
    safe_close(begin(f));
    for (int i = 0; i <= TASK_QUESTIONS_MAX; i++)
        safe_close(pairs[i][0]);
    safe_close(pairs[TASK_QUESTIONS_MAX][1]);
}

static void a_descriptor_that_is_no_packet_socket_is_refused(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *message = NULL;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(exec_streams_start(f->streams, &(ExecRequest){ 0 }, &fd, &message), -EINVAL);
    safe_close(fd);
}

static void the_end_of_the_session_is_told_to_every_client(void **state)
{
    Fixture *f = *state;
    f->streams = exec_streams_free(f->streams, "the agent is gone");
    user_expects_exit(f->user, -1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(input_reaches_the_program_whole),
        TEST(size_and_signals_reach_the_program_after_the_end_of_input_too),
        TEST(output_and_status_reach_the_client),
        TEST(a_forged_status_is_none),
        TEST(a_program_that_is_not_found_is_127),
        TEST(a_client_that_goes_away_ends_its_program),
        TEST(a_client_that_goes_away_before_the_start_is_forgotten),
        TEST(a_client_that_talks_nonsense_loses_its_program),
        TEST(a_slow_client_holds_up_nobody_else),
        TEST(credit_comes_back_as_the_client_reads),
        TEST(an_agent_that_sends_more_than_it_may_loses_the_stream),
        TEST(output_on_the_channel_of_input_loses_the_stream),
        TEST(input_waits_for_credit),
        TEST(more_streams_than_there_may_be_are_refused),
        TEST(questions_leave_room_for_programs),
        TEST(a_descriptor_that_is_no_packet_socket_is_refused),
        TEST(the_end_of_the_session_is_told_to_every_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
