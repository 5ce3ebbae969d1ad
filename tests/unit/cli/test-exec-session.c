/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of an exec: a child process runs the session, the test plays the runner at the other end. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/socket.h"
#include "cli/exec-session.h"
#include "cli/exit-status.h"
#include "schemas/stream.h"
#include "tests/unit/test.h"

typedef struct Client {
    pid_t pid;
    int stream;            /* the runner's end */
    int input, out, error; /* our ends of the child's standard streams */
} Client;

static void pipe_pair(int ends[2])
{
    assert_success(pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0);
}

/* like: what is different from an exec; its streams are made here. */
static Client client_start_as(const ExecSession *like, bool with_input)
{
    int sockets[2], input[2], out[2], error[2];

    assert_success(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ? -errno : 0);
    pipe_pair(input);
    pipe_pair(out);
    pipe_pair(error);
    pid_t pid = fork();
    if (pid == 0) {
        ExecSession session = *like;
        session.stream = sockets[1];
        session.streams[STREAM_STDIN] = with_input ? input[0] : -1;
        session.streams[STREAM_STDOUT] = out[1];
        session.streams[STREAM_STDERR] = error[1];
        session.target = "web/httpd";
        /* Who else holds our ends would keep them open. */
        safe_close(sockets[0]);
        safe_close(input[1]);
        safe_close(out[0]);
        safe_close(error[0]);
        _exit(exec_session_run(&session));
    }
    safe_close(sockets[1]);
    safe_close(input[0]);
    safe_close(out[1]);
    safe_close(error[1]);
    return (Client){ .pid = pid, .stream = sockets[0], .input = input[1], .out = out[0], .error = error[0] };
}

static Client client_start(bool with_input)
{
    return client_start_as(&(ExecSession){ 0 }, with_input);
}

static int client_end(Client *c)
{
    int status;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    safe_close(c->stream);
    safe_close(c->input);
    safe_close(c->out);
    safe_close(c->error);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void send_message(const Client *c, int type, const void *body)
{
    Bytes packet = { 0 };

    assert_success(message_to_bytes(&stream_protocol, type, 0, body, &packet));
    assert_success(packet_send(c->stream, packet.data, packet.size, -1));
    bytes_done(&packet);
}

static void send_data(const Client *c, StreamChannel channel, const char *text)
{
    StreamData data = { .channel = channel,
                        .data = { .data = (uint8_t *)(uintptr_t)text, .size = strlen(text) } };
    send_message(c, STREAM_DATA, &data);
}

static void send_exit(const Client *c, int64_t code, uint64_t number, const char *message)
{
    StreamExit end = { .code = code, .signal = number, .message = (char *)(uintptr_t)message };
    send_message(c, STREAM_EXIT, &end);
}

/* The next message of the client, which must be of this type; the caller calls message_done(). */
static Message receive(const Client *c, int type)
{
    Bytes packet = { 0 };
    Message message;

    assert_true(packet_receive(c->stream, STREAM_PACKET_MAX, &packet, NULL) > 0);
    assert_success(message_from_bytes(&stream_protocol, packet.data, packet.size, &message));
    bytes_done(&packet);
    assert_int_equal(message.type, type);
    return message;
}

static void assert_input(const Client *c, const char *text)
{
    Message message = receive(c, STREAM_DATA);
    const StreamData *data = message.body;

    assert_int_equal(data->channel, STREAM_STDIN);
    assert_int_equal(data->data.size, strlen(text));
    if (*text)
        assert_memory_equal(data->data.data, text, strlen(text));
    message_done(&message);
}

static void assert_read(int fd, const char *text)
{
    char buffer[256] = { 0 };
    size_t n = 0;
    ssize_t one;

    while (n < sizeof buffer - 1 && (one = read(fd, buffer + n, sizeof buffer - 1 - n)) > 0)
        n += (size_t)one;
    assert_string_equal(buffer, text);
}

static void test_streams_go_both_ways_and_apart(void **state)
{
    Client c = client_start(true);

    assert_success(write_all(c.input, "question", 8));
    assert_input(&c, "question");
    c.input = safe_close(c.input);
    assert_input(&c, "");
    send_data(&c, STREAM_STDOUT, "answer");
    send_data(&c, STREAM_STDERR, "complaint");
    send_exit(&c, 3, 0, NULL);

    assert_read(c.out, "answer");
    assert_read(c.error, "complaint");
    assert_int_equal(client_end(&c), 3);
}

static void test_a_closed_input_is_at_its_end_from_the_start(void **state)
{
    Client c = client_start(false);

    assert_input(&c, "");
    send_exit(&c, 0, 0, NULL);
    assert_int_equal(client_end(&c), 0);
}

static void test_ends_become_exit_statuses(void **state)
{
    static const struct {
        int64_t code;
        uint64_t signal;
        const char *message;
        int status;
    } rows[] = {
        { 0, 0, NULL, 0 },
        { 255, 0, NULL, 255 },
        { -1, SIGKILL, NULL, 128 + SIGKILL },
        { 127, 0, "not found", STATUS_EXEC_NOT_FOUND },
        { 126, 0, "not executable", STATUS_EXEC_REFUSED },
        { -1, 0, "lost", STATUS_EXEC_FAILED },
        { -1, 0, NULL, STATUS_EXEC_FAILED },
        /* What no program can end with is a lie of the guest. */
        { 256, 0, NULL, STATUS_EXEC_FAILED },
        { INT64_MIN, 0, NULL, STATUS_EXEC_FAILED },
        { -1, UINT64_MAX, NULL, STATUS_EXEC_FAILED },
    };

    TABLE_FOREACH (row, rows) {
        Client c = client_start(false);
        send_exit(&c, row->code, row->signal, row->message);
        assert_int_equal(client_end(&c), row->status);
    }
}

static void test_a_runner_that_goes_away_is_a_failure(void **state)
{
    Client c = client_start(false);

    c.stream = safe_close(c.stream);
    assert_int_equal(client_end(&c), STATUS_EXEC_FAILED);
}

static void test_what_was_sent_before_the_close_counts(void **state)
{
    Client c = client_start(true);

    /* Input that nobody has read makes the close a reset. */
    assert_success(write_all(c.input, "unread", 6));
    struct pollfd unread = { .fd = c.stream, .events = POLLIN };
    assert_int_equal(poll(&unread, 1, 10000), 1);
    send_data(&c, STREAM_STDOUT, "last words");
    send_exit(&c, 9, 0, NULL);
    c.stream = safe_close(c.stream);

    assert_read(c.out, "last words");
    assert_int_equal(client_end(&c), 9);
}

static void test_garbage_from_the_runner_is_a_failure_and_news_are_passed_over(void **state)
{
    static const uint8_t unknown[] = "\x82\xa4type\xa6"
                                     "future\xa2id\x00";
    Client c = client_start(false);
    assert_success(packet_send(c.stream, unknown, sizeof unknown - 1, -1));
    send_exit(&c, 4, 0, NULL);
    assert_int_equal(client_end(&c), 4);

    c = client_start(false);
    assert_success(packet_send(c.stream, "garbage", 7, -1));
    assert_int_equal(client_end(&c), STATUS_EXEC_FAILED);
}

static void test_signals_are_handed_on(void **state)
{
    Client c = client_start(true);

    /* Data that came through proves that the child takes signals by now. */
    assert_success(write_all(c.input, "x", 1));
    assert_input(&c, "x");
    assert_success(kill(c.pid, SIGTERM) < 0 ? -errno : 0);
    Message message = receive(&c, STREAM_SIGNAL);
    assert_int_equal(((StreamSignal *)message.body)->signal, SIGTERM);
    message_done(&message);
    send_exit(&c, -1, SIGTERM, NULL);
    assert_int_equal(client_end(&c), 128 + SIGTERM);
}

static void test_a_signal_behind_input_that_nobody_takes_ends_the_session(void **state)
{
    static const char block[64 * 1024];
    Client c = client_start(true);

    /* Until the pipe takes no more: the child has filled the socket, which the runner does not read. */
    assert_success(fcntl(c.input, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0);
    struct pollfd full = { .fd = c.input, .events = POLLOUT };
    while (poll(&full, 1, 500) == 1)
        (void)!write(c.input, block, sizeof block);
    assert_success(kill(c.pid, SIGINT) < 0 ? -errno : 0);
    assert_int_equal(client_end(&c), 128 + SIGINT);
}

static void test_a_reader_that_has_gone_ends_the_session(void **state)
{
    Client c = client_start(false);

    c.out = safe_close(c.out);
    send_data(&c, STREAM_STDOUT, "nobody hears this");
    assert_int_equal(client_end(&c), 128 + SIGPIPE);
}

static void test_a_slow_reader_holds_up_neither_signals_nor_the_end(void **state)
{
    static uint8_t block[STREAM_DATA_MAX];
    Client c = client_start(false);
    StreamData data = { .channel = STREAM_STDOUT, .data = { .data = block, .size = sizeof block } };

    assert_input(&c, "");
    for (int i = 0; i < 4; i++)
        send_message(&c, STREAM_DATA, &data);
    /* 128 KiB do not go into a pipe of 64; the child waits for its reader, and still hears. */
    assert_success(kill(c.pid, SIGUSR1) < 0 ? -errno : 0);
    Message message = receive(&c, STREAM_SIGNAL);
    assert_int_equal(((StreamSignal *)message.body)->signal, SIGUSR1);
    message_done(&message);
    send_exit(&c, 0, 0, NULL);
    size_t got = 0;
    ssize_t n;
    char buffer[4096];
    while ((n = read(c.out, buffer, sizeof buffer)) > 0)
        got += (size_t)n;
    assert_int_equal(got, 4 * sizeof block);
    assert_int_equal(client_end(&c), 0);
}

/* --- attached ------------------------------------------------------------------------------------------------------ */

static void test_what_was_typed_before_the_detach_keys_is_sent(void **state)
{
    DetachKeys keys;
    assert_success(detach_keys_parse(DETACH_KEYS_DEFAULT, &keys));
    Client c = client_start_as(&(ExecSession){ .attached = true, .keys = &keys }, true);

    assert_success(write_all(c.input, "one\x10", 4));
    assert_input(&c, "one");
    assert_success(write_all(c.input, "two\x10\x11three", 10));
    assert_input(&c, "\x10two");
    assert_int_equal(client_end(&c), STATUS_OK);
}

static void test_half_of_the_detach_keys_is_input_when_no_more_comes(void **state)
{
    DetachKeys keys;
    assert_success(detach_keys_parse(DETACH_KEYS_DEFAULT, &keys));
    Client c = client_start_as(&(ExecSession){ .attached = true, .keys = &keys }, true);

    assert_success(write_all(c.input, "\x10", 1));
    c.input = safe_close(c.input);
    assert_input(&c, "\x10");
    assert_input(&c, "");
    send_exit(&c, 0, 0, NULL);
    assert_int_equal(client_end(&c), 0);
}

static void test_a_closed_input_does_not_end_that_of_a_program_that_was_there_before(void **state)
{
    Client c = client_start_as(&(ExecSession){ .attached = true, .looks_only = true }, false);

    send_data(&c, STREAM_STDOUT, "seen");
    send_exit(&c, 7, 0, NULL);
    assert_read(c.out, "seen");
    struct pollfd said = { .fd = c.stream, .events = POLLIN };
    assert_int_equal(poll(&said, 1, 10000), 1);
    assert_false(said.revents & POLLIN && recv(c.stream, &said, sizeof said, MSG_PEEK) > 0);
    assert_int_equal(client_end(&c), 7);
}

static void test_who_only_looks_leaves_by_a_signal(void **state)
{
    Client c = client_start_as(&(ExecSession){ .attached = true, .looks_only = true }, false);

    send_data(&c, STREAM_STDOUT, "x");
    assert_int_equal(read(c.out, (char[1]){ 0 }, 1), 1);
    assert_success(kill(c.pid, SIGINT) < 0 ? -errno : 0);
    assert_int_equal(client_end(&c), 128 + SIGINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_go_both_ways_and_apart),
        cmocka_unit_test(test_a_closed_input_is_at_its_end_from_the_start),
        cmocka_unit_test(test_ends_become_exit_statuses),
        cmocka_unit_test(test_a_runner_that_goes_away_is_a_failure),
        cmocka_unit_test(test_what_was_sent_before_the_close_counts),
        cmocka_unit_test(test_garbage_from_the_runner_is_a_failure_and_news_are_passed_over),
        cmocka_unit_test(test_signals_are_handed_on),
        cmocka_unit_test(test_a_signal_behind_input_that_nobody_takes_ends_the_session),
        cmocka_unit_test(test_a_reader_that_has_gone_ends_the_session),
        cmocka_unit_test(test_a_slow_reader_holds_up_neither_signals_nor_the_end),
        cmocka_unit_test(test_what_was_typed_before_the_detach_keys_is_sent),
        cmocka_unit_test(test_half_of_the_detach_keys_is_input_when_no_more_comes),
        cmocka_unit_test(test_a_closed_input_does_not_end_that_of_a_program_that_was_there_before),
        cmocka_unit_test(test_who_only_looks_leaves_by_a_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
