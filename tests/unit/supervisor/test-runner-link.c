/* SPDX-License-Identifier: Apache-2.0 */
/* One link, from the other end of a socket pair: what a runner may send, and what becomes of what it is asked. */
#include <sys/socket.h>

#include "base/log.h"
#include "base/socket.h"
#include "schemas/agent.h"
#include "supervisor/runner-link.h"
#include "tests/unit/supervisor/loop.h"

typedef struct Fixture {
    sd_event *event;
    int runner; /* the runner's end */
    RunnerLink *link;
    const char *refusal;
    unsigned hellos, reports, lost;
    RunnerState state;
    unsigned replies;
    int reply_error;
    char *reply_message;
} Fixture;

static const char *on_hello(void *userdata, RunnerLink *link, const RunnerHello *hello)
{
    Fixture *f = userdata;

    f->hellos++;
    if (f->refusal)
        return f->refusal;
    f->link = link;
    runner_link_bind(link, f);
    return NULL;
}

static void on_report(void *owner, RunnerReport *report)
{
    Fixture *f = owner;

    f->reports++;
    f->state = report->state;
}

static void on_lost(void *owner, RunnerLink *link, int error)
{
    Fixture *f = owner;

    f->lost++;
    f->link = NULL;
}

static const RunnerLinkOps ops = { .hello = on_hello, .report = on_report, .lost = on_lost };

static void on_reply(void *userdata, int error, const char *message)
{
    Fixture *f = userdata;

    f->replies++;
    f->reply_error = error;
    assert_success(str_replace(&f->reply_message, message));
}

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    int ends[2];

    log_open("test", LOG_CRIT);
    assert_success(sd_event_new(&f->event));
    assert_success(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends));
    f->runner = ends[0];
    assert_success(runner_link_new(f->event, ends[1], getpid(), &ops, f));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    if (f->link)
        runner_link_free(f->link);
    safe_close(f->runner);
    sd_event_unref(f->event);
    free(f->reply_message);
    free(f);
    return 0;
}

static void send_message(Fixture *f, RunnerMessageType type, uint64_t id, const void *body)
{
    Bytes bytes;

    assert_success(message_to_bytes(&runner_protocol, (int)type, id, body, &bytes));
    assert_success(packet_send(f->runner, bytes.data, bytes.size, -1));
    bytes_done(&bytes);
}

static void say_hello(Fixture *f, uint64_t protocol)
{
    send_message(f, RUNNER_HELLO, 0, &(RunnerHello){ .protocol = protocol, .name = (char[]){ "web" } });
}

/* What the runner gets; type -1: the end of the link. */
static Message await_message(Fixture *f)
{
    Message m = { .type = -1 };
    Bytes bytes = { 0 };
    ssize_t n = -EAGAIN;

    loop_until(f->event, (n = packet_receive(f->runner, RUNNER_PACKET_MAX, &bytes, NULL)) != -EAGAIN);
    if (n > 0)
        assert_success(message_from_bytes(&runner_protocol, bytes.data, (size_t)n, &m));
    bytes_done(&bytes);
    return m;
}

static int await_type(Fixture *f)
{
    Message m = await_message(f);
    int type = m.type;

    if (type >= 0)
        message_done(&m);
    return type;
}

static void link_up(Fixture *f)
{
    say_hello(f, RUNNER_PROTOCOL_VERSION);
    assert_int_equal(await_type(f), RUNNER_WELCOME);
}

static void hello_is_welcomed_and_reports_come_through(void **state)
{
    Fixture *f = *state;

    link_up(f);
    send_message(f, RUNNER_REPORT, 0, &(RunnerReport){ .state = RUNNER_RUNNING, .exit_code = -1 });
    loop_until(f->event, f->reports == 1);
    assert_int_equal(f->state, RUNNER_RUNNING);
}

static void who_is_refused_loses_the_link(void **state)
{
    Fixture *f = *state;

    f->refusal = "its token is wrong";
    say_hello(f, RUNNER_PROTOCOL_VERSION);
    assert_int_equal(await_type(f), -1);
    assert_int_equal(f->hellos, 1);
    assert_int_equal(f->lost, 0);
}

static void an_older_protocol_is_refused_before_anybody_is_asked(void **state)
{
    Fixture *f = *state;

    say_hello(f, 0);
    assert_int_equal(await_type(f), -1);
    assert_int_equal(f->hellos, 0);
}

static void a_report_before_hello_ends_the_link(void **state)
{
    Fixture *f = *state;

    send_message(f, RUNNER_REPORT, 0, &(RunnerReport){ .exit_code = -1 });
    assert_int_equal(await_type(f), -1);
    assert_int_equal(f->reports, 0);
}

static void a_second_hello_ends_the_link(void **state)
{
    Fixture *f = *state;

    link_up(f);
    say_hello(f, RUNNER_PROTOCOL_VERSION);
    assert_int_equal(await_type(f), -1);
    assert_int_equal(f->lost, 1);
}

static void what_only_podvisord_says_ends_the_link(void **state)
{
    Fixture *f = *state;

    link_up(f);
    send_message(f, RUNNER_KILL, 1, NULL);
    assert_int_equal(await_type(f), -1);
    assert_int_equal(f->lost, 1);
}

static void garbage_ends_the_link(void **state)
{
    Fixture *f = *state;

    link_up(f);
    assert_success(packet_send(f->runner, "\xdf\xff\xff\xff\xff garbage", 13, -1));
    assert_int_equal(await_type(f), -1);
    assert_int_equal(f->lost, 1);
}

static void a_packet_that_is_too_long_ends_the_link(void **state)
{
    Fixture *f = *state;
    size_t size = RUNNER_PACKET_MAX + 1;
    char *much = calloc(1, size);
    int room = (int)size * 2;

    link_up(f);
    (void)setsockopt(f->runner, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    int r = packet_send(f->runner, much, size, -1);
    free(much);
    if (r < 0)
        skip(); /* the kernel's own limit is below ours here */
    assert_int_equal(await_type(f), -1);
    assert_int_equal(f->lost, 1);
}

static void a_message_of_a_newer_runner_is_passed_over(void **state)
{
    Fixture *f = *state;
    static const char newer[] = "\x83\xa4type\xa6\x66uture\xa2id\x00\xa4\x62ody\x80";

    link_up(f);
    assert_success(packet_send(f->runner, newer, sizeof newer - 1, -1));
    send_message(f, RUNNER_REPORT, 0, &(RunnerReport){ .exit_code = -1 });
    loop_until(f->event, f->reports == 1);
    assert_int_equal(f->lost, 0);
}

static void each_request_gets_its_own_answer_once(void **state)
{
    Fixture *f = *state;
    Fixture other = { 0 };

    link_up(f);
    assert_success(runner_link_request(f->link, RUNNER_PAUSE, NULL, -1, LOOP_DEADLINE, on_reply, f));
    assert_success(runner_link_request(f->link, RUNNER_RESUME, NULL, -1, LOOP_DEADLINE, on_reply, &other));
    Message first = await_message(f), second = await_message(f);
    assert_int_equal(first.type, RUNNER_PAUSE);
    assert_int_equal(second.type, RUNNER_RESUME);

    send_message(f, RUNNER_REPLY, 4711, &(RunnerReply){ 0 });
    send_message(f, RUNNER_REPLY, second.id, &(RunnerReply){ .error = EBUSY, .message = (char[]){ "busy" } });
    send_message(f, RUNNER_REPLY, second.id, &(RunnerReply){ 0 });
    send_message(f, RUNNER_REPLY, first.id, &(RunnerReply){ 0 });
    loop_until(f->event, f->replies == 1);
    assert_int_equal(f->reply_error, 0);
    assert_int_equal(other.replies, 1);
    assert_int_equal(other.reply_error, -EBUSY);
    assert_string_equal(other.reply_message, "busy");
    free(other.reply_message);
    message_done(&first);
    message_done(&second);
}

static void as_many_requests_as_there_may_be_execs_wait_at_once(void **state)
{
    Fixture *f = *state;
    int r = 0;

    link_up(f);
    for (int i = 0; i < AGENT_STREAMS_MAX; i++)
        assert_success(runner_link_request(f->link, RUNNER_PAUSE, NULL, -1, LOOP_DEADLINE, on_reply, f));
    for (int i = 0; i < AGENT_STREAMS_MAX && r == 0; i++)
        r = runner_link_request(f->link, RUNNER_PAUSE, NULL, -1, LOOP_DEADLINE, on_reply, f);
    assert_int_equal(r, -EBUSY);
}

static void a_request_without_an_answer_ends_by_its_deadline(void **state)
{
    Fixture *f = *state;

    link_up(f);
    assert_success(runner_link_request(f->link, RUNNER_PAUSE, NULL, -1, 10 * USEC_PER_MSEC, on_reply, f));
    loop_until(f->event, f->replies == 1);
    assert_int_equal(f->reply_error, -ETIMEDOUT);
    assert_int_equal(f->lost, 0);

    Message m = await_message(f);
    send_message(f, RUNNER_REPLY, m.id, &(RunnerReply){ 0 });
    send_message(f, RUNNER_REPORT, 0, &(RunnerReport){ .exit_code = -1 });
    loop_until(f->event, f->reports == 1);
    assert_int_equal(f->replies, 1);
    message_done(&m);
}

static void requests_under_way_end_with_the_link(void **state)
{
    Fixture *f = *state;

    link_up(f);
    assert_success(runner_link_request(f->link, RUNNER_PAUSE, NULL, -1, LOOP_DEADLINE, on_reply, f));
    f->runner = safe_close(f->runner);
    loop_until(f->event, f->lost == 1);
    assert_int_equal(f->replies, 1);
    assert_int_equal(f->reply_error, -ECONNRESET);
}

static void a_runner_that_reads_nothing_is_not_waited_for(void **state)
{
    Fixture *f = *state;
    int r = 0;

    link_up(f);
    for (int i = 0; r >= 0 && i < 100000; i++)
        r = runner_link_send(f->link, RUNNER_BYE, NULL, -1);
    assert_int_equal(r, -EAGAIN);
}

static int on_idle(sd_event_source *source, void *userdata)
{
    ++*(unsigned *)userdata;
    return 0;
}

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    send_message(userdata, RUNNER_REPORT, 0, &(RunnerReport){ .exit_code = -1 });
    return 0;
}

static void a_runner_that_never_stops_talking_leaves_time_for_others(void **state)
{
    Fixture *f = *state;
    sd_event_source *idle, *room;
    unsigned n_idle = 0;

    link_up(f);
    assert_success(sd_event_add_io(f->event, &room, f->runner, EPOLLOUT, on_room, f));
    assert_success(sd_event_add_defer(f->event, &idle, on_idle, &n_idle));
    assert_success(sd_event_source_set_priority(idle, SD_EVENT_PRIORITY_IDLE));
    assert_success(sd_event_source_set_enabled(idle, SD_EVENT_ON));
    loop_until(f->event, n_idle > 3);
    sd_event_source_disable_unref(idle);
    sd_event_source_disable_unref(room);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hello_is_welcomed_and_reports_come_through),
        TEST(who_is_refused_loses_the_link),
        TEST(an_older_protocol_is_refused_before_anybody_is_asked),
        TEST(a_report_before_hello_ends_the_link),
        TEST(a_second_hello_ends_the_link),
        TEST(what_only_podvisord_says_ends_the_link),
        TEST(garbage_ends_the_link),
        TEST(a_packet_that_is_too_long_ends_the_link),
        TEST(a_message_of_a_newer_runner_is_passed_over),
        TEST(each_request_gets_its_own_answer_once),
        TEST(as_many_requests_as_there_may_be_execs_wait_at_once),
        TEST(a_request_without_an_answer_ends_by_its_deadline),
        TEST(requests_under_way_end_with_the_link),
        TEST(a_runner_that_reads_nothing_is_not_waited_for),
        TEST(a_runner_that_never_stops_talking_leaves_time_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
