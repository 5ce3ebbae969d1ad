/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "backends/qemu/template-agent.h"
#include "base/file.h"
#include "base/strings.h"
#include "schemas/agent.h"

/* Between two hellos: one that came before the agent listened may be lost. */
#define HELLO_INTERVAL (1 * USEC_PER_SEC)

enum { TEMPLATE_REQUEST = 1 };

/* The channel is closed first, so that no copy has the end of it in its memory. */
static void end(TemplateAgent *a, int error, char *message)
{
    if (a->over) {
        free(message);
        return;
    }
    a->over = true;
    a->heard = sd_event_source_disable_unref(a->heard);
    a->hello = sd_event_source_disable_unref(a->hello);
    a->socket = safe_close(a->socket);
    a->func(error, message, a->userdata);
}

static int tell(TemplateAgent *a, AgentMessageType type, uint64_t id, const void *body)
{
    _cleanup_(bytes_done) Bytes payload = { 0 };
    _cleanup_(bytes_done) Bytes frame = { 0 };

    int r = message_to_bytes(&agent_protocol, (int)type, id, body, &payload);
    if (r >= 0)
        r = frame_append(&frame, a->session, payload.data, payload.size);
    if (r < 0)
        return r;
    /* Some hundred bytes into an empty socket. */
    return send(a->socket, frame.data, frame.size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)frame.size
               ? 0
               : -errno;
}

static int on_hello(sd_event_source *source, uint64_t when, void *userdata)
{
    TemplateAgent *a = userdata;
    AgentHello hello = { .token = a->token,
                         .version_min = AGENT_PROTOCOL_TEMPLATE,
                         .version_max = AGENT_PROTOCOL_MAX,
                         .template = true };

    if (a->welcome)
        return 0;
    int r = tell(a, AGENT_HELLO, 0, &hello);
    if (r < 0 && r != -EAGAIN) {
        end(a, r, strf("the agent cannot be spoken with: %s", strerror(-r)));
        return 0;
    }
    a->hello = sd_event_source_disable_unref(a->hello);
    (void)sd_event_add_time_relative(a->event, &a->hello, CLOCK_MONOTONIC, HELLO_INTERVAL, 1, on_hello, a);
    return 0;
}

static void on_message(TemplateAgent *a, const Message *message)
{
    const AgentWelcome *w = message->body;
    const RunnerReply *reply = message->body;

    if (message->type == AGENT_WELCOME && w->version < AGENT_PROTOCOL_TEMPLATE)
        end(a, -EPROTO, strf("the agent of the initial file system is of an older podvisor"));
    else if (message->type == AGENT_WELCOME && !a->welcome) {
        a->welcome = true;
        int r = tell(a, AGENT_TEMPLATE, TEMPLATE_REQUEST, NULL);
        if (r < 0)
            end(a, r, strf("the agent cannot be spoken with: %s", strerror(-r)));
    } else if (message->type == AGENT_REPLY && message->id == TEMPLATE_REQUEST && reply->error == 0)
        end(a, 0, NULL);
    else if (message->type == AGENT_REPLY)
        end(a, -EPROTO,
            strf("the agent refuses: %s", reply->message ?: strerror((int)MIN(reply->error, 4095U))));
}

static int on_agent(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    TemplateAgent *a = userdata;
    uint8_t buffer[4096];
    const uint8_t *payload;
    uint32_t session;
    size_t size;
    Message message;

    ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) {
        a->heard = sd_event_source_disable_unref(a->heard);
        return 0; /* QEMU has ended; why, its process says */
    }
    if (frame_decoder_push(&a->decoder, buffer, (size_t)n) < 0) {
        end(a, -ENOMEM, NULL);
        return 0;
    }
    while (!a->over && frame_decoder_next(&a->decoder, &session, &payload, &size) > 0) {
        if (session != a->session || message_from_bytes(&agent_protocol, payload, size, &message) < 0)
            continue;
        on_message(a, &message);
        message_done(&message);
    }
    return 0;
}

int template_agent_begin(TemplateAgent *a, sd_event *event, int socket, TemplateAgentFunc func,
                         void *userdata)
{
    *a =
        (TemplateAgent){ .event = event, .socket = socket, .session = 1, .func = func, .userdata = userdata };
    int r = id128_random(&a->token);
    if (r >= 0)
        r = sd_event_add_io(event, &a->heard, socket, EPOLLIN, on_agent, a);
    if (r >= 0)
        (void)on_hello(NULL, 0, a);
    return r;
}

void template_agent_done(TemplateAgent *a)
{
    if (!a->func)
        return;
    sd_event_source_disable_unref(a->heard);
    sd_event_source_disable_unref(a->hello);
    a->socket = safe_close(a->socket);
    frame_decoder_done(&a->decoder);
    *a = (TemplateAgent){ 0 };
}
