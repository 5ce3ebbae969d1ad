/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session with an agent that says anything: the input is a run of messages, each behind its length in two bytes. They
 * arrive in good frames of the session, since noise around frames is the business of fuzz-frame. An exec is under way.
 */
#include <sys/socket.h>

#include "runner/exec-streams.h"
#include "tests/fuzz/target.h"

typedef struct Session {
    sd_event *event;
    AgentClient *client;
    ExecStreams *streams;
    int agent, user;
    uint32_t number;
} Session;

static void on_nothing(void *userdata, void *body) {}

static void on_welcome(void *userdata, void *body)
{
    Session *s = userdata;
    char name[] = "main";
    char *message = NULL;
    int pair[2];

    if (s->user >= 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return;
    s->user = pair[0];
    if (exec_streams_start(s->streams, &(ExecRequest){ .container = name }, &pair[1], &message) < 0)
        abort();
    free(message);
}

static void on_data(void *userdata, void *body)
{
    exec_streams_on_data(((Session *)userdata)->streams, body);
}

static void on_credit(void *userdata, void *body)
{
    exec_streams_on_credit(((Session *)userdata)->streams, body);
}

static void on_exit_of_program(void *userdata, void *body)
{
    exec_streams_on_exit(((Session *)userdata)->streams, body);
}

static void on_lost(void *userdata, int error) {}

static const AgentCallbacks callbacks = {
    .on = {
        [AGENT_WELCOME] = on_welcome,
        [AGENT_REPORT] = on_nothing,
        [AGENT_LOG] = on_nothing,
        [AGENT_DATA] = on_data,
        [AGENT_CREDIT] = on_credit,
        [AGENT_EXIT] = on_exit_of_program,
    },
    .lost = on_lost,
};

static void run(Session *s)
{
    while (sd_event_run(s->event, 0) > 0)
        ;
}

/* Takes the session's number from the hello. */
static void session_open(Session *s)
{
    const Id128 token = { { 1 } };
    uint8_t hello[1024];
    int pair[2];

    *s = (Session){ .agent = -1, .user = -1 };
    if (sd_event_new(&s->event) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        abort();
    s->agent = pair[0];
    if (agent_client_new(s->event, pair[1], token, USEC_INFINITY, &callbacks, s, &s->client) < 0 ||
        exec_streams_new(s->event, s->client, &s->streams) < 0)
        abort();
    run(s);
    if (read(s->agent, hello, sizeof hello) < FRAME_HEADER_SIZE)
        abort();
    memcpy(&s->number, hello + 8, sizeof s->number);
}

static void session_close(Session *s)
{
    exec_streams_free(s->streams, "the input is at its end");
    agent_client_free(s->client);
    safe_close(s->agent);
    safe_close(s->user);
    sd_event_unref(s->event);
}

static void say(Session *s, const uint8_t *payload, size_t size)
{
    Bytes frame = { 0 };
    uint8_t drain[4096];

    if (frame_append(&frame, s->number, payload, size) < 0)
        abort();
    (void)!send(s->agent, frame.data, frame.size, MSG_NOSIGNAL);
    bytes_done(&frame);
    run(s);
    (void)!recv(s->agent, drain, sizeof drain, 0);
}

void fuzz_one(const uint8_t *data, size_t size)
{
    Session s;

    session_open(&s);
    while (size >= 2) {
        size_t n = MIN((size_t)(data[0] | data[1] << 8), size - 2);
        say(&s, data + 2, n);
        data += 2 + n;
        size -= 2 + n;
    }
    session_close(&s);
}
