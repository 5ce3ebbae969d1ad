/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/utsname.h>

#include "base/log.h"
#include "guest/agent/agent.h"
#include "guest/agent/session.h"

static void send_in(Agent *a, uint32_t session, AgentMessageType type, uint64_t id, const void *body)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };

    if (message_to_bytes(&agent_protocol, type, id, body, &bytes) >= 0)
        (void)port_send(&a->port, session, bytes.data, bytes.size);
}

/* The kernel makes up the boot's id when it is asked for the first time: in a template that would be too early. */
static void welcome(Agent *a, uint32_t session, uint64_t id, uint64_t version, bool template)
{
    struct utsname name = { 0 };
    AgentWelcome w = {
        .version = version,
        .version_min = AGENT_PROTOCOL_MIN,
        .version_max = AGENT_PROTOCOL_MAX,
        .agent = (char *)(uintptr_t)PODVISOR_VERSION,
        .configured = a->configured,
        .log_first = log_ring_first(&a->ring),
        .log_next = a->ring.next_seq,
    };

    (void)uname(&name);
    w.kernel = name.release;
    if (!template)
        (void)(a->session.boot >= 0 ? id128_boot_read(a->session.boot, &w.boot) : id128_boot(&w.boot));
    send_in(a, session, AGENT_WELCOME, id, &w);
}

static bool token_good(const Session *s, Id128 token)
{
    return !id128_is_null(token) && (!s->token_known || id128_equal(s->token, token));
}

/* What the last session was told or asked for is nobody's now. */
static void begin(Agent *a, uint32_t number)
{
    port_discard(&a->port);
    exec_hangup_all(a);
    attach_hangup_all(a);
    log_ring_rewind(&a->ring);
    a->log_progress = loop_now(&a->loop);
    a->session.stands = true;
    a->session.number = number;
}

/* What a configured machine does with its randomness goes on undisturbed. */
static void add_entropy(Agent *a, const AgentHello *hello)
{
    if (a->configured || hello->entropy.size == 0)
        return;
    int r = a->platform->ops->add_entropy(a->platform, hello->entropy.data, hello->entropy.size);
    if (r < 0)
        log_error_errno(r, "randomness could not be added");
}

static void on_hello(Agent *a, uint32_t number, uint64_t id, const AgentHello *hello)
{
    Session *s = &a->session;
    uint64_t version = MIN(hello->version_max, (uint64_t)AGENT_PROTOCOL_MAX);

    if (!token_good(s, hello->token)) {
        RunnerReply no = { .error = EACCES, .message = (char *)(uintptr_t) "the token is not this boot's" };
        send_in(a, number, AGENT_REPLY, id, &no);
        return;
    }
    if (version < MAX(hello->version_min, (uint64_t)AGENT_PROTOCOL_MIN)) {
        welcome(a, number, id, 0, true);
        return;
    }
    s->token = hello->token;
    s->token_known = true;
    /* A hello that is said again, because the answer took long, begins nothing new. */
    if (!s->stands || s->number != number)
        begin(a, number);
    add_entropy(a, hello);
    welcome(a, number, id, version, hello->template);
    if (agent_has_news(a))
        agent_report_due(a);
}

void session_on_frame(void *userdata, uint32_t session, const uint8_t *payload, size_t size)
{
    Agent *a = userdata;
    Message m;

    if (message_from_bytes(&agent_protocol, payload, size, &m) < 0) {
        a->session.dropped++;
        return;
    }
    if (m.type == AGENT_HELLO)
        on_hello(a, session, m.id, m.body);
    else if (a->session.stands && a->session.number == session)
        agent_dispatch(a, &m);
    else
        a->session.dropped++;
    message_done(&m);
}

bool session_begins(void *userdata, const uint8_t *payload, size_t size)
{
    Agent *a = userdata;
    Message m;

    if (message_from_bytes(&agent_protocol, payload, size, &m) < 0)
        return false;
    bool begins = m.type == AGENT_HELLO && token_good(&a->session, ((AgentHello *)m.body)->token);
    message_done(&m);
    return begins;
}

void session_on_hangup(void *userdata)
{
    Agent *a = userdata;

    a->session.stands = false;
    exec_hangup_all(a);
    attach_hangup_all(a);
}
