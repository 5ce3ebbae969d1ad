/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <sys/socket.h>

#include "tests/unit/runner/fake-agent.h"

void fake_init(FakeAgent *f, const AgentCallbacks *callbacks, void *userdata, AgentClient **ret)
{
    const Id128 token = { { 7 } };
    int pair[2];

    *f = (FakeAgent){ 0 };
    assert_success(sd_event_new(&f->event));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    f->fd = pair[0];
    assert_success(agent_client_new(f->event, pair[1], token, USEC_INFINITY, callbacks, userdata, ret));
}

void fake_init_channel(FakeAgent *f, sd_event *event, int fd)
{
    *f = (FakeAgent){ .event = sd_event_ref(event), .fd = fd };
}

void fake_done(FakeAgent *f)
{
    message_done(&f->last);
    frame_decoder_done(&f->decoder);
    safe_close(f->fd);
    f->event = sd_event_unref(f->event);
}

void fake_run(FakeAgent *f)
{
    int r;

    while ((r = sd_event_run(f->event, 0)) > 0)
        ;
    assert_success(r);
}

static bool next(FakeAgent *f)
{
    uint8_t chunk[64 * 1024];
    const uint8_t *payload;
    uint32_t session;
    size_t size;

    for (;;) {
        fake_run(f);
        if (frame_decoder_next(&f->decoder, &session, &payload, &size) > 0)
            break;
        ssize_t n = read(f->fd, chunk, sizeof chunk);
        if (n <= 0)
            return false;
        assert_success(frame_decoder_push(&f->decoder, chunk, (size_t)n));
    }
    message_done(&f->last);
    assert_success(message_from_bytes(&agent_protocol, payload, size, &f->last));
    if (f->last.type == AGENT_HELLO)
        f->session = session;
    assert_int_equal(session, f->session);
    return true;
}

const void *fake_expect(FakeAgent *f, AgentMessageType type)
{
    assert_true(next(f));
    assert_string_equal(agent_protocol.types[f->last.type].name, agent_protocol.types[type].name);
    return f->last.body;
}

uint64_t fake_id(const FakeAgent *f)
{
    return f->last.id;
}

bool fake_is_silent(FakeAgent *f)
{
    return !next(f);
}

bool fake_say_bytes(FakeAgent *f, const void *data, size_t size)
{
    const uint8_t *p = data;

    while (size > 0) {
        ssize_t n = send(f->fd, p, size, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return false;
        fake_run(f);
        p += MAX(n, 0);
        size -= (size_t)MAX(n, 0);
    }
    return true;
}

static void say_frame(FakeAgent *f, uint32_t session, const void *payload, size_t size)
{
    Bytes frame = { 0 };

    assert_success(frame_append(&frame, session, payload, size));
    (void)fake_say_bytes(f, frame.data, frame.size);
    bytes_done(&frame);
}

void fake_say_frame(FakeAgent *f, const void *payload, size_t size)
{
    say_frame(f, f->session, payload, size);
}

void fake_say_session(FakeAgent *f, uint32_t session, AgentMessageType type, uint64_t id, const void *body)
{
    Bytes b = { 0 };

    assert_success(message_to_bytes(&agent_protocol, (int)type, id, body, &b));
    say_frame(f, session, b.data, b.size);
    bytes_done(&b);
}

void fake_say(FakeAgent *f, AgentMessageType type, uint64_t id, const void *body)
{
    fake_say_session(f, f->session, type, id, body);
}

void fake_welcome(FakeAgent *f)
{
    fake_welcome_version(f, 1);
}

void fake_welcome_version(FakeAgent *f, uint64_t version)
{
    (void)fake_expect(f, AGENT_HELLO);
    fake_say(f, AGENT_WELCOME, 0,
             &(AgentWelcome){ .version = version, .version_min = 1, .version_max = version });
}

size_t memory_in_use(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}
