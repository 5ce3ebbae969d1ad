/* SPDX-License-Identifier: Apache-2.0 */
/* The agent client against an agent that behaves, and one that lies. */
#include "tests/unit/runner/fake-agent.h"

enum { MEMORY_MAX = 1024 * 1024 };

typedef struct Seen {
    AgentClient *client;
    unsigned welcomes, reports, logs, lost, replies;
    int lost_error, reply_error;
    char *reply_message;
    bool free_in_report;
} Seen;

static void on_welcome(void *userdata, void *body)
{
    ((Seen *)userdata)->welcomes++;
}

static void on_report(void *userdata, void *body)
{
    Seen *s = userdata;

    s->reports++;
    if (s->free_in_report)
        s->client = agent_client_free(s->client);
}

static void on_log(void *userdata, void *body)
{
    ((Seen *)userdata)->logs++;
}

static void on_lost(void *userdata, int error)
{
    Seen *s = userdata;

    s->lost++;
    s->lost_error = error;
}

static void on_reply(void *userdata, int error, const char *message)
{
    Seen *s = userdata;

    s->replies++;
    s->reply_error = error;
    assert_success(str_replace(&s->reply_message, message));
}

static const AgentCallbacks callbacks = {
    .on = { [AGENT_WELCOME] = on_welcome, [AGENT_REPORT] = on_report, [AGENT_LOG] = on_log },
    .lost = on_lost,
};

/* The same in a hurry, so that silence is short. */
#define HASTY (10 * USEC_PER_MSEC)
static const AgentCallbacks hasty_callbacks = {
    .on = { [AGENT_WELCOME] = on_welcome },
    .lost = on_lost,
    .beat = HASTY,
    .ping_timeout = 5 * HASTY,
};

typedef struct Fixture {
    FakeAgent agent;
    Seen seen;
} Fixture;

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    fake_init(&f->agent, &callbacks, &f->seen, &f->seen.client);
    *state = f;
    return 0;
}

static int setup_welcome(void **state)
{
    setup(state);
    Fixture *f = *state;
    fake_welcome(&f->agent);
    assert_int_equal(f->seen.welcomes, 1);
    return 0;
}

static int setup_hasty(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    fake_init(&f->agent, &hasty_callbacks, &f->seen, &f->seen.client);
    fake_welcome(&f->agent);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    agent_client_free(f->seen.client);
    fake_done(&f->agent);
    free(f->seen.reply_message);
    free(f);
    return 0;
}

static const AgentCounters *counters(const Fixture *f)
{
    return agent_client_counters(f->seen.client);
}

static void a_session_begins_with_the_token(void **state)
{
    Fixture *f = *state;
    const AgentHello *hello = fake_expect(&f->agent, AGENT_HELLO);
    assert_int_equal(hello->token.bytes[0], 7);
    assert_int_equal(hello->version_min, AGENT_PROTOCOL_MIN);
}

static void a_refused_token_is_told_at_once(void **state)
{
    Fixture *f = *state;
    (void)fake_expect(&f->agent, AGENT_HELLO);
    fake_say(&f->agent, AGENT_REPLY, 0, &(RunnerReply){ .error = EPERM });
    fake_say(&f->agent, AGENT_REPLY, 0, &(RunnerReply){ 0 });
    assert_int_equal(f->seen.lost, 0);
    fake_say(&f->agent, AGENT_REPLY, 0, &(RunnerReply){ .error = EACCES });
    assert_int_equal(f->seen.lost, 1);
    assert_int_equal(f->seen.lost_error, -EACCES);
}

static void no_refusal_counts_behind_the_welcome(void **state)
{
    Fixture *f = *state;
    fake_say(&f->agent, AGENT_REPLY, 0, &(RunnerReply){ .error = EACCES });
    assert_int_equal(f->seen.lost, 0);
}

static void nothing_counts_before_the_welcome(void **state)
{
    Fixture *f = *state;
    (void)fake_expect(&f->agent, AGENT_HELLO);
    fake_say(&f->agent, AGENT_REPORT, 0, &(AgentReport){ 0 });
    assert_int_equal(f->seen.reports, 0);
    assert_int_equal(agent_client_send(f->seen.client, AGENT_PING, NULL), -ENOTCONN);
    assert_int_equal(counters(f)->strange, 1);
}

static void a_second_welcome_means_nothing(void **state)
{
    Fixture *f = *state;
    fake_say(&f->agent, AGENT_WELCOME, 0, &(AgentWelcome){ .version = 99 });
    assert_int_equal(f->seen.welcomes, 1);
}

static void a_request_is_answered_once(void **state)
{
    Fixture *f = *state;
    char why[] = "no \033[31msuch";
    RunnerReply reply = { .error = ENOENT, .message = why };
    assert_success(agent_client_request(f->seen.client, AGENT_PING, NULL, USEC_PER_SEC, on_reply, &f->seen));
    (void)fake_expect(&f->agent, AGENT_PING);
    uint64_t id = fake_id(&f->agent);
    fake_say(&f->agent, AGENT_REPLY, id, &reply);
    fake_say(&f->agent, AGENT_REPLY, id, &reply);
    fake_say(&f->agent, AGENT_REPLY, id + 1, &reply);
    fake_say(&f->agent, AGENT_REPLY, 0, &reply);
    assert_int_equal(f->seen.replies, 1);
    assert_int_equal(f->seen.reply_error, -ENOENT);
    assert_null(strchr(f->seen.reply_message, '\033'));
    assert_int_equal(counters(f)->strange, 3);
}

static void a_forged_errno_is_an_error_all_the_same(void **state)
{
    Fixture *f = *state;
    assert_success(agent_client_request(f->seen.client, AGENT_PING, NULL, USEC_PER_SEC, on_reply, &f->seen));
    (void)fake_expect(&f->agent, AGENT_PING);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ .error = UINT64_MAX });
    assert_int_equal(f->seen.reply_error, -EPROTO);
}

static void a_request_without_an_answer_ends_by_its_deadline(void **state)
{
    Fixture *f = *state;
    assert_success(agent_client_request(f->seen.client, AGENT_PING, NULL, 1, on_reply, &f->seen));
    while (f->seen.replies == 0)
        assert_success(sd_event_run(f->agent.event, UINT64_MAX));
    assert_int_equal(f->seen.reply_error, -ETIMEDOUT);
    (void)fake_expect(&f->agent, AGENT_PING);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    assert_int_equal(f->seen.replies, 1);
}

static void requests_are_bounded(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < AGENT_REQUESTS_MAX; i++)
        assert_success(
            agent_client_request(f->seen.client, AGENT_PING, NULL, USEC_PER_MINUTE, on_reply, &f->seen));
    assert_int_equal(
        agent_client_request(f->seen.client, AGENT_PING, NULL, USEC_PER_MINUTE, on_reply, &f->seen), -EBUSY);
}

static void a_closed_channel_answers_what_is_open(void **state)
{
    Fixture *f = *state;
    assert_success(agent_client_request(f->seen.client, AGENT_PING, NULL, USEC_PER_SEC, on_reply, &f->seen));
    f->agent.fd = safe_close(f->agent.fd);
    fake_run(&f->agent);
    assert_int_equal(f->seen.reply_error, -ECONNRESET);
    assert_int_equal(f->seen.lost, 1);
}

static void the_client_may_be_freed_by_a_callback(void **state)
{
    Fixture *f = *state;
    Bytes b = { 0 }, frames = { 0 };
    f->seen.free_in_report = true;
    assert_success(message_to_bytes(&agent_protocol, AGENT_REPORT, 0, &(AgentReport){ 0 }, &b));
    for (int i = 0; i < 3; i++)
        assert_success(frame_append(&frames, f->agent.session, b.data, b.size));
    (void)fake_say_bytes(&f->agent, frames.data, frames.size);
    assert_int_equal(f->seen.reports, 1);
    assert_int_equal(f->seen.lost, 0);
    bytes_done(&frames);
    bytes_done(&b);
}

/* Runs the loop until the client has given up. */
static void run_until_lost(Fixture *f)
{
    while (f->seen.lost == 0)
        assert_success(sd_event_run(f->agent.event, UINT64_MAX));
}

static void a_silent_agent_is_lost_after_two_pings(void **state)
{
    Fixture *f = *state;
    run_until_lost(f);
    assert_int_equal(f->seen.lost_error, -ETIMEDOUT);
    (void)fake_expect(&f->agent, AGENT_PING);
    (void)fake_expect(&f->agent, AGENT_PING);
    assert_true(fake_is_silent(&f->agent));
}

static void an_agent_that_answers_pings_is_not_lost(void **state)
{
    enum { PINGS = 5 };
    Fixture *f = *state;
    for (int i = 0; i < PINGS; i++) {
        Message m = { 0 };
        while (m.type != AGENT_PING) {
            assert_success(sd_event_run(f->agent.event, UINT64_MAX));
            if (!fake_is_silent(&f->agent))
                m = f->agent.last;
        }
        fake_say(&f->agent, AGENT_REPLY, m.id, &(RunnerReply){ 0 });
    }
    assert_int_equal(f->seen.lost, 0);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
    *(bool *)userdata = true;
    return 0;
}

static void a_paused_guest_is_not_lost_by_its_silence(void **state)
{
    Fixture *f = *state;
    sd_event_source *timer = NULL;
    bool over = false;
    agent_client_set_paused(f->seen.client, true);
    assert_success(
        sd_event_add_time_relative(f->agent.event, &timer, CLOCK_MONOTONIC, 20 * HASTY, 1, on_time, &over));
    while (!over)
        assert_success(sd_event_run(f->agent.event, UINT64_MAX));
    sd_event_source_unref(timer);
    assert_int_equal(f->seen.lost, 0);
    assert_true(fake_is_silent(&f->agent));
}

/* --- lies ---------------------------------------------------------------------------------------------------------- */

static void other_sessions_are_passed_over(void **state)
{
    Fixture *f = *state;
    fake_say_session(&f->agent, f->agent.session + 1, AGENT_REPORT, 0, &(AgentReport){ 0 });
    assert_int_equal(f->seen.reports, 0);
    assert_int_equal(counters(f)->strange, 1);
}

static void half_a_frame_of_before_is_passed_over(void **state)
{
    Fixture *f = *state;
    Bytes frame = { 0 };
    uint8_t payload[500] = { 0 };
    assert_success(frame_append(&frame, 1, payload, sizeof payload));
    assert_true(fake_say_bytes(&f->agent, frame.data, 300));
    bytes_done(&frame);
    for (int i = 0; i < 20; i++)
        fake_say(&f->agent, AGENT_REPORT, 0, &(AgentReport){ 0 });
    assert_int_equal(f->seen.reports, 20);
}

static void a_byte_at_a_time_is_a_message_all_the_same(void **state)
{
    Fixture *f = *state;
    Bytes b = { 0 }, frame = { 0 };
    assert_success(message_to_bytes(&agent_protocol, AGENT_REPORT, 0, &(AgentReport){ 0 }, &b));
    assert_success(frame_append(&frame, f->agent.session, b.data, b.size));
    for (size_t i = 0; i < frame.size; i++)
        assert_true(fake_say_bytes(&f->agent, frame.data + i, 1));
    assert_int_equal(f->seen.reports, 1);
    bytes_done(&frame);
    bytes_done(&b);
}

static void orders_of_a_runner_mean_nothing_from_an_agent(void **state)
{
    Fixture *f = *state;
    fake_say(&f->agent, AGENT_STOP, 1, &(AgentStop){ 0 });
    fake_say(&f->agent, AGENT_HELLO, 0, &(AgentHello){ 0 });
    assert_int_equal(counters(f)->strange, 2);
    assert_int_equal(f->seen.lost, 0);
}

static void an_unknown_type_is_passed_over(void **state)
{
    Fixture *f = *state;
    static const uint8_t unknown[] = "\x82\xa4type\xa6newest\xa2id\x00";
    for (int i = 0; i < 1000; i++)
        fake_say_frame(&f->agent, unknown, sizeof unknown - 1);
    assert_int_equal(f->seen.lost, 0);
    assert_int_equal(counters(f)->strange, 1000);
}

/* Sends the same thing until the client gives up: it must, by garbage, and without growing. */
static void repeat_until_lost(Fixture *f, const void *payload, size_t size, bool framed)
{
    enum { ROUNDS = 20000 };
    size_t before = memory_in_use(), most = 0;

    for (int i = 0; i < ROUNDS && f->seen.lost == 0; i++) {
        if (framed)
            fake_say_frame(&f->agent, payload, size);
        else
            (void)fake_say_bytes(&f->agent, payload, size);
        most = MAX(most, memory_in_use());
    }
    assert_int_equal(f->seen.lost, 1);
    assert_int_equal(f->seen.lost_error, -EBADMSG);
    assert_true(most <= before + MEMORY_MAX);
}

static void garbage_without_end_is_a_lost_agent(void **state)
{
    uint8_t *noise = malloc(32768);
    uint32_t x = 1;
    for (size_t i = 0; i < 32768; i++)
        noise[i] = (uint8_t)((x = x * 1103515245 + 12345) >> 16);
    repeat_until_lost(*state, noise, 32768, false);
    free(noise);
}

static void the_beginning_of_frames_without_end_is_a_lost_agent(void **state)
{
    char text[32768];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "PvF1"[i % 4];
    repeat_until_lost(*state, text, sizeof text, false);
}

static void deep_nesting_is_broken(void **state)
{
    uint8_t *deep = malloc(FRAME_PAYLOAD_MAX);
    memset(deep, 0x91, FRAME_PAYLOAD_MAX);
    repeat_until_lost(*state, deep, FRAME_PAYLOAD_MAX, true);
    free(deep);
}

static void a_promise_of_many_elements_is_broken(void **state)
{
    static const uint8_t promise[] = "\xdd\xff\xff\xff\xff";
    repeat_until_lost(*state, promise, sizeof promise - 1, true);
}

static void wrong_types_are_broken(void **state)
{
    static const uint8_t wrong[] = "\x83\xa4type\xa3log\xa2id\x00\xa4"
                                   "body\x81\xa3seq\xff";
    repeat_until_lost(*state, wrong, sizeof wrong - 1, true);
}

/* Each header is good and promises as much as can be, which costs a checksum over all that follows. */
static void headers_inside_of_headers_are_a_lost_agent(void **state)
{
    Bytes nested = { 0 }, one = { 0 };
    uint8_t *payload = calloc(1, FRAME_PAYLOAD_MAX);
    assert_non_null(payload);
    assert_success(frame_append(&one, 1, payload, FRAME_PAYLOAD_MAX));
    for (size_t i = 0; i < FRAME_PAYLOAD_MAX / FRAME_HEADER_SIZE; i++)
        assert_success(bytes_append(&nested, one.data, FRAME_HEADER_SIZE));
    repeat_until_lost(*state, nested.data, nested.size, false);
    bytes_done(&nested);
    bytes_done(&one);
    free(payload);
}

static void an_empty_frame_is_broken(void **state)
{
    repeat_until_lost(*state, "", 0, true);
}

static void a_flood_of_good_messages_costs_no_memory(void **state)
{
    Fixture *f = *state;
    enum { MANY = 100000 };
    size_t before = memory_in_use();
    Bytes b = { 0 }, frames = { 0 };
    assert_success(message_to_bytes(&agent_protocol, AGENT_REPORT, 0, &(AgentReport){ 0 }, &b));
    for (int i = 0; i < 1000; i++)
        assert_success(frame_append(&frames, f->agent.session, b.data, b.size));
    for (int i = 0; i < MANY / 1000; i++)
        assert_true(fake_say_bytes(&f->agent, frames.data, frames.size));
    bytes_done(&frames);
    bytes_done(&b);
    assert_int_equal(f->seen.reports, MANY);
    assert_true(memory_in_use() <= before + MEMORY_MAX);
}

static void an_agent_that_does_not_read_stops_no_one(void **state)
{
    Fixture *f = *state;
    int r = 0;
    for (int i = 0; i < 1000000 && r == 0; i++) {
        r = agent_client_send(f->seen.client, AGENT_LOG_ACK, &(AgentLogAck){ .seq = 1 });
        fake_run(&f->agent);
    }
    assert_int_equal(r, -ENOBUFS);
    assert_false(agent_client_has_room(f->seen.client));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_welcome, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_begins_with_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_token_is_told_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_counts_before_the_welcome, setup, teardown),
        TEST(no_refusal_counts_behind_the_welcome),
        TEST(a_second_welcome_means_nothing),
        TEST(a_request_is_answered_once),
        TEST(a_forged_errno_is_an_error_all_the_same),
        TEST(a_request_without_an_answer_ends_by_its_deadline),
        TEST(requests_are_bounded),
        TEST(a_closed_channel_answers_what_is_open),
        TEST(the_client_may_be_freed_by_a_callback),
        cmocka_unit_test_setup_teardown(a_silent_agent_is_lost_after_two_pings, setup_hasty, teardown),
        cmocka_unit_test_setup_teardown(an_agent_that_answers_pings_is_not_lost, setup_hasty, teardown),
        cmocka_unit_test_setup_teardown(a_paused_guest_is_not_lost_by_its_silence, setup_hasty, teardown),
        TEST(other_sessions_are_passed_over),
        TEST(half_a_frame_of_before_is_passed_over),
        TEST(a_byte_at_a_time_is_a_message_all_the_same),
        TEST(orders_of_a_runner_mean_nothing_from_an_agent),
        TEST(an_unknown_type_is_passed_over),
        TEST(garbage_without_end_is_a_lost_agent),
        TEST(the_beginning_of_frames_without_end_is_a_lost_agent),
        TEST(deep_nesting_is_broken),
        TEST(a_promise_of_many_elements_is_broken),
        TEST(wrong_types_are_broken),
        TEST(headers_inside_of_headers_are_a_lost_agent),
        TEST(an_empty_frame_is_broken),
        TEST(a_flood_of_good_messages_costs_no_memory),
        TEST(an_agent_that_does_not_read_stops_no_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
