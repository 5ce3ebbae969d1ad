/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a server that the test plays: the well-behaved one, and each kind of hostile one. */
#include "tests/unit/test.h"

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "backends/qemu/qmp.h"
#include "base/socket.h"

#define GREETING                                                                                             \
    "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},\"package\":\"\"},"              \
    "\"capabilities\":[]}}\r\n"
#define CAPABLE "{\"return\":{},\"id\":0}\r\n"

typedef struct Play {
    sd_event *event;
    Qmp *qmp;
    int server;
    bool ready;
    unsigned major;
    int closed; /* 1: not */
    char *event_name, *event_reason;
    int replies;
    int error;  /* of the last reply */
    char *text; /* of the last reply: UUID, or the description */
} Play;

static void on_ready(unsigned major, unsigned minor, void *userdata)
{
    Play *p = userdata;
    p->ready = true;
    p->major = major;
}

static void on_event(const char *name, const QmpValue *data, void *userdata)
{
    Play *p = userdata;
    assert_success(str_replace(&p->event_name, name));
    assert_success(str_replace(&p->event_reason, qmp_string(data, "reason")));
}

static void on_closed(int error, void *userdata)
{
    Play *p = userdata;
    p->closed = error;
}

static void on_reply(int error, const QmpValue *value, const char *description, void *userdata)
{
    Play *p = userdata;
    p->replies++;
    p->error = error;
    assert_success(str_replace(&p->text, description ?: qmp_string(value, "UUID")));
}

static const QmpHandlers handlers = { on_ready, on_event, on_closed };

static Play *play_new_from(uint64_t first_id)
{
    Play *p = calloc(1, sizeof *p);
    int pair[2];

    assert_non_null(p);
    p->closed = 1;
    assert_success(sd_event_new(&p->event));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    p->server = pair[1];
    assert_success(qmp_new(&p->qmp, p->event, pair[0], first_id, 200 * USEC_PER_MSEC, &handlers, p));
    return p;
}

static Play *play_new(void)
{
    return play_new_from(0);
}

static void play_done(Play *p)
{
    qmp_free(p->qmp);
    sd_event_unref(p->event);
    safe_close(p->server);
    free(p->event_name);
    free(p->event_reason);
    free(p->text);
    free(p);
}

/* What is to be handled is handled; nothing is waited for. */
static void settle(Play *p)
{
    while (sd_event_run(p->event, 0) > 0)
        ;
}

static void say_n(Play *p, const void *data, size_t size)
{
    while (size > 0 && p->closed == 1) {
        ssize_t n = send(p->server, data, size, MSG_NOSIGNAL);
        if (n > 0) {
            data = (const char *)data + n;
            size -= (size_t)n;
        }
        settle(p);
    }
}

static void say(Play *p, const char *text)
{
    say_n(p, text, strlen(text));
}

static char *hear(Play *p, char buffer[4096])
{
    settle(p);
    ssize_t n = recv(p->server, buffer, 4095, 0);
    buffer[n > 0 ? n : 0] = 0;
    return buffer;
}

static Play *play_ready(Play *p)
{
    char buffer[4096];

    say(p, GREETING);
    assert_non_null(strstr(hear(p, buffer), "\"qmp_capabilities\""));
    say(p, CAPABLE);
    assert_true(p->ready);
    assert_int_equal(p->major, 7);
    return p;
}

static void test_commands_given_before_the_greeting_follow_the_negotiation_in_order(void **state)
{
    Play *p = play_new();
    char buffer[4096];

    assert_success(qmp_command(p->qmp, "query-uuid", USEC_PER_SEC, -1, on_reply, p, NULL));
    assert_success(qmp_command(p->qmp, "device_del", USEC_PER_SEC, -1, on_reply, p, "{s:s}", "id", "a\"b"));
    assert_string_equal(hear(p, buffer), "");
    say(p, GREETING);
    assert_string_equal(hear(p, buffer),
                        "{\"execute\":\"qmp_capabilities\",\"id\":0}\n"
                        "{\"execute\":\"query-uuid\",\"id\":1}\n"
                        "{\"execute\":\"device_del\",\"id\":2,\"arguments\":{\"id\":\"a\\\"b\"}}\n");
    say(p, CAPABLE "{\"return\":{\"UUID\":\"here\"},\"id\":1}\r\n");
    assert_int_equal(p->replies, 1);
    assert_string_equal(p->text, "here");
    say(p, "{\"id\":2,\"error\":{\"class\":\"GenericError\",\"desc\":\"no \\u001b[31mdevice\"}}\r\n");
    assert_int_equal(p->error, -EREMOTEIO);
    assert_string_equal(p->text, "no \\x1b[31mdevice");
    play_done(p);
}

static void test_events_are_told_with_their_data(void **state)
{
    Play *p = play_ready(play_new());

    say(p, "{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"SHUTDOWN\",\"data\":{\"reason\":"
           "\"guest-reset\"}}\r\n");
    assert_string_equal(p->event_name, "SHUTDOWN");
    assert_string_equal(p->event_reason, "guest-reset");
    say(p, "{\"event\":\"STOP\"}\r\n");
    assert_string_equal(p->event_name, "STOP");
    play_done(p);
}

static void test_a_line_may_arrive_byte_by_byte(void **state)
{
    Play *p = play_ready(play_new());

    for (const char *c = "{\"event\":\"RESUME\"}\r\n"; *c; c++)
        say_n(p, c, 1);
    assert_string_equal(p->event_name, "RESUME");
    play_done(p);
}

static void test_a_command_without_an_answer_ends_by_its_deadline_and_the_late_answer_is_dropped(void **state)
{
    Play *p = play_ready(play_new());

    assert_success(qmp_command(p->qmp, "query-uuid", USEC_PER_MSEC, -1, on_reply, p, NULL));
    while (p->replies == 0)
        assert_success(sd_event_run(p->event, UINT64_MAX));
    assert_int_equal(p->error, -ETIMEDOUT);
    say(p, "{\"return\":{\"UUID\":\"late\"},\"id\":1}\r\n");
    assert_int_equal(p->replies, 1);
    assert_int_equal(p->closed, 1);
    play_done(p);
}

static void test_an_answer_to_the_client_before_is_dropped(void **state)
{
    Play *p = play_new_from(100);
    char buffer[4096];

    assert_success(qmp_command(p->qmp, "query-uuid", USEC_PER_SEC, -1, on_reply, p, NULL));
    say(p, GREETING "{\"return\":{},\"id\":0}\r\n{\"return\":{\"UUID\":\"theirs\"},\"id\":3}\r\n");
    assert_false(p->ready);
    assert_string_equal(hear(p, buffer), "{\"execute\":\"qmp_capabilities\",\"id\":100}\n"
                                         "{\"execute\":\"query-uuid\",\"id\":101}\n");
    say(p, "{\"return\":{},\"id\":100}\r\n{\"return\":{\"UUID\":\"ours\"},\"id\":101}\r\n");
    assert_true(p->ready);
    assert_int_equal(p->replies, 1);
    assert_string_equal(p->text, "ours");
    play_done(p);
}

static void test_a_server_that_never_greets_is_given_up(void **state)
{
    Play *p = play_new();

    assert_success(qmp_command(p->qmp, "query-uuid", USEC_PER_MSEC, -1, on_reply, p, NULL));
    while (p->closed == 1)
        assert_success(sd_event_run(p->event, UINT64_MAX));
    assert_int_equal(p->closed, -ETIMEDOUT);
    assert_int_equal(p->error, -ECONNRESET);
    assert_int_equal(qmp_command(p->qmp, "query-uuid", USEC_PER_MSEC, -1, on_reply, p, NULL), -ENOTCONN);
    play_done(p);
}

static void test_a_close_answers_all_that_was_pending_and_then_tells_once(void **state)
{
    Play *p = play_ready(play_new());

    for (int i = 0; i < 3; i++)
        assert_success(qmp_command(p->qmp, "query-uuid", USEC_PER_SEC, -1, on_reply, p, NULL));
    p->server = safe_close(p->server);
    settle(p);
    assert_int_equal(p->replies, 3);
    assert_int_equal(p->error, -ECONNRESET);
    assert_in_range(p->closed + 200, 0, 200);
    play_done(p);
}

static void test_a_full_queue_is_refused(void **state)
{
    Play *p = play_ready(play_new());

    for (int i = 0; i < QMP_QUEUE_MAX; i++)
        assert_success(qmp_command(p->qmp, "query-uuid", USEC_PER_SEC, -1, on_reply, p, NULL));
    assert_int_equal(qmp_command(p->qmp, "query-uuid", USEC_PER_SEC, -1, on_reply, p, NULL), -ENOBUFS);
    play_done(p);
}

typedef struct Lie {
    const char *what;
    const char *line;
    int closed;
} Lie;

static const Lie lies[] = {
    { "no JSON", "hello\r\n", -EBADMSG },
    { "no object", "[1,2]\r\n", -EBADMSG },
    { "an empty line", "\r\n", -EBADMSG },
    { "broken UTF-8", "{\"event\":\"\xff\"}\r\n", -EBADMSG },
    { "a NUL in a string", "{\"event\":\"a\\u0000b\"}\r\n", -EBADMSG },
    { "two keys of one name", "{\"event\":\"a\",\"event\":\"b\"}\r\n", -EBADMSG },
    { "an object of no kind", "{\"x\":1}\r\n", -EPROTO },
    { "an answer to nothing", "{\"return\":{},\"id\":7}\r\n", -EPROTO },
    { "a negative id", "{\"return\":{},\"id\":-1}\r\n", -EPROTO },
    { "an id that is a word", "{\"return\":{},\"id\":\"0\"}\r\n", -EPROTO },
    { "no id", "{\"error\":{\"desc\":\"x\"}}\r\n", -EPROTO },
};

static void test_what_is_no_qmp_closes_the_connection(void **state)
{
    TABLE_FOREACH (lie, lies) {
        Play *p = play_ready(play_new());
        say(p, lie->line);
        if (p->closed != lie->closed)
            fail_msg("%s: closed with %d", lie->what, p->closed);
        play_done(p);
    }
}

static void test_a_greeting_that_is_none_closes_the_connection(void **state)
{
    static const char *const greetings[] = {
        "{\"return\":{}}\r\n", "{\"return\":{},\"id\":-1}\r\n",
        "{\"QMP\":{\"version\":{\"qemu\":{\"major\":-1,\"minor\":0}}}}\r\n", "{\"QMP\":[]}\r\n",
        "{\"return\":{},\"id\":0}\r\n"
    };
    TABLE_FOREACH (g, greetings) {
        Play *p = play_new();
        say(p, *g);
        assert_int_equal(p->closed, -EPROTO);
        assert_false(p->ready);
        play_done(p);
    }
}

static void test_what_an_earlier_client_is_told_before_the_greeting_is_passed_over(void **state)
{
    Play *p = play_new_from(100);

    say(p, "{\"return\":{},\"id\":99}\r\n{\"error\":{\"desc\":\"x\"},\"id\":0}\r\n{\"event\":\"STOP\","
           "\"data\":{}}\r\n");
    assert_int_equal(p->closed, 1);
    assert_null(p->event_name);
    say(p, GREETING "{\"return\":{},\"id\":100}\r\n");
    assert_true(p->ready);
    say(p, "{\"event\":\"RESUME\",\"data\":{}}\r\n");
    assert_string_equal(p->event_name, "RESUME");
    play_done(p);
}

static void flood(const char *unit, size_t n, int closed)
{
    Play *p = play_ready(play_new());
    size_t size = strlen(unit);
    char *line = malloc(n * size);

    assert_non_null(line);
    for (size_t i = 0; i < n * size; i++)
        line[i] = unit[i % size];
    say(p, "{\"event\":");
    say_n(p, line, n * size);
    say(p, "\n");
    assert_int_equal(p->closed, closed);
    free(line);
    play_done(p);
}

static void test_a_line_without_an_end_costs_at_most_its_limit(void **state)
{
    flood("x", QMP_LINE_MAX + 10, -EMSGSIZE);
}

static void test_deep_nesting_is_refused_before_it_is_parsed(void **state)
{
    flood("[", QMP_DEPTH_MAX + 1, -EMSGSIZE);
    flood("{\"a\":", 40000, -EMSGSIZE);
}

static void test_a_crowd_of_values_is_refused_before_it_is_parsed(void **state)
{
    flood("0,", QMP_VALUES_MAX + 1, -EMSGSIZE);
}

static void test_a_flood_of_events_closes_the_connection(void **state)
{
    Play *p = play_ready(play_new());

    for (int i = 0; i < 2 * QMP_BURST_MAX && p->closed == 1; i++)
        say(p, "{\"event\":\"STOP\"}\n");
    assert_int_equal(p->closed, -EBUSY);
    play_done(p);
}

static void test_a_descriptor_travels_with_its_command(void **state)
{
    Play *p = play_ready(play_new());
    Bytes bytes = { 0 };
    int pipe_fds[2], received = -1;

    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_success(
        qmp_command(p->qmp, "add-fd", USEC_PER_SEC, pipe_fds[1], on_reply, p, "{s:i}", "fdset-id", 7));
    safe_close(pipe_fds[1]);
    settle(p);
    assert_true(packet_receive(p->server, 4096, &bytes, &received) > 0);
    assert_true(received >= 0);
    assert_int_equal(write(received, "x", 1), 1);
    char c = 0;
    assert_int_equal(read(pipe_fds[0], &c, 1), 1);
    safe_close(received);
    safe_close(pipe_fds[0]);
    bytes_done(&bytes);
    play_done(p);
}

static void close_in_reply(int error, const QmpValue *value, const char *description, void *userdata)
{
    Play *p = userdata;
    p->replies++;
    qmp_close(p->qmp);
}

static void test_a_handler_may_close_and_nothing_follows(void **state)
{
    Play *p = play_ready(play_new());

    assert_success(qmp_command(p->qmp, "a", USEC_PER_SEC, -1, close_in_reply, p, NULL));
    assert_success(qmp_command(p->qmp, "b", USEC_PER_SEC, -1, on_reply, p, NULL));
    say(p, "{\"return\":{},\"id\":1}\r\n{\"return\":{},\"id\":2}\r\n{\"event\":\"STOP\"}\r\n");
    assert_int_equal(p->replies, 1);
    assert_int_equal(p->closed, 1);
    assert_null(p->event_name);
    play_done(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_given_before_the_greeting_follow_the_negotiation_in_order),
        cmocka_unit_test(test_events_are_told_with_their_data),
        cmocka_unit_test(test_a_line_may_arrive_byte_by_byte),
        cmocka_unit_test(
            test_a_command_without_an_answer_ends_by_its_deadline_and_the_late_answer_is_dropped),
        cmocka_unit_test(test_an_answer_to_the_client_before_is_dropped),
        cmocka_unit_test(test_a_server_that_never_greets_is_given_up),
        cmocka_unit_test(test_a_close_answers_all_that_was_pending_and_then_tells_once),
        cmocka_unit_test(test_a_full_queue_is_refused),
        cmocka_unit_test(test_what_is_no_qmp_closes_the_connection),
        cmocka_unit_test(test_a_greeting_that_is_none_closes_the_connection),
        cmocka_unit_test(test_what_an_earlier_client_is_told_before_the_greeting_is_passed_over),
        cmocka_unit_test(test_a_line_without_an_end_costs_at_most_its_limit),
        cmocka_unit_test(test_deep_nesting_is_refused_before_it_is_parsed),
        cmocka_unit_test(test_a_crowd_of_values_is_refused_before_it_is_parsed),
        cmocka_unit_test(test_a_flood_of_events_closes_the_connection),
        cmocka_unit_test(test_a_descriptor_travels_with_its_command),
        cmocka_unit_test(test_a_handler_may_close_and_nothing_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
