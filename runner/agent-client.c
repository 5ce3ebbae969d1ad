/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/random.h>

#include "base/strings.h"
#include "base/units.h"
#include "runner/agent-client.h"

enum {
    REPLY_TEXT_MAX = 500,
    HELLO_ENTROPY = 64, /* bytes */
};

typedef struct AgentRequest {
    uint64_t id; /* 0: the slot is free */
    usec_t due;
    AgentReplyFunc func;
    void *userdata;
} AgentRequest;

struct AgentClient {
    sd_event *event;
    int fd;
    Id128 token;
    const AgentCallbacks *callbacks;
    void *userdata;
    uint32_t session;
    bool welcome;
    bool paused;
    bool over;      /* `lost` was called, or it is being freed: nothing is called any more */
    bool freed;     /* by a callback: memory goes when the outermost call returns */
    unsigned depth; /* of calls into callbacks */
    FrameDecoder decoder;
    Bytes out;
    bool full; /* the queue had no room at some time since `room` was told last */
    AgentRequest requests[AGENT_REQUESTS_MAX];
    uint64_t last_id;
    usec_t hello_timeout, hello_due;
    usec_t heard;    /* the last message, CLOCK_MONOTONIC */
    unsigned misses; /* pings without an answer */
    bool pinging;
    usec_t points_since; /* see points_take() */
    AgentCounters counters;
    sd_event_source *io;
    sd_event_source *beat;     /* hello before the welcome, ping after it */
    sd_event_source *deadline; /* of the request that is due first */
};

static usec_t now(void)
{
    return now_usec(CLOCK_MONOTONIC);
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static void client_release(AgentClient *c)
{
    frame_decoder_done(&c->decoder);
    bytes_done(&c->out);
    sd_event_unref(c->event);
    free(c);
}

static void enter(AgentClient *c)
{
    c->depth++;
}

/* False when a callback has freed the client. */
static bool leave(AgentClient *c)
{
    if (--c->depth > 0 || !c->freed)
        return !c->freed;
    client_release(c);
    return false;
}

static void requests_fail(AgentClient *c, int error)
{
    TABLE_FOREACH (request, c->requests) {
        AgentRequest old = *request;
        if (old.id == 0)
            continue;
        *request = (AgentRequest){ 0 };
        old.func(old.userdata, error, NULL);
    }
}

static void client_stop(AgentClient *c)
{
    c->over = true;
    c->welcome = false;
    c->io = sd_event_source_disable_unref(c->io);
    c->beat = sd_event_source_disable_unref(c->beat);
    c->deadline = sd_event_source_disable_unref(c->deadline);
    c->fd = safe_close(c->fd);
}

static void client_lost(AgentClient *c, int error)
{
    if (c->over)
        return;
    client_stop(c);
    enter(c);
    requests_fail(c, -ECONNRESET);
    if (!c->freed)
        c->callbacks->lost(c->userdata, error);
    (void)leave(c);
}

AgentClient *agent_client_free(AgentClient *c)
{
    if (!c || c->freed)
        return NULL;
    client_stop(c);
    c->freed = true;
    enter(c);
    requests_fail(c, -ECONNRESET);
    (void)leave(c);
    return NULL;
}

/* --- points for broken frames -------------------------------------------------------------------------------------- */

/* A bucket kept as a time: it is full when points_since lies AGENT_POINTS_MAX seconds back, and empty when it is now. */
static bool points_take(AgentClient *c, uint64_t n)
{
    usec_t t = now(), oldest = usec_sub(t, AGENT_POINTS_MAX * USEC_PER_SEC);

    c->points_since =
        usec_add(MAX(c->points_since, oldest), MIN(n, (uint64_t)AGENT_POINTS_MAX) * USEC_PER_SEC);
    return c->points_since < t;
}

static bool take_broken(AgentClient *c)
{
    c->counters.broken++;
    return points_take(c, 1);
}

static bool take_skipped(AgentClient *c)
{
    uint64_t before = c->counters.skipped / AGENT_POINT_SKIPPED, torn = c->decoder.torn - c->counters.torn;

    c->counters.skipped = c->decoder.skipped;
    c->counters.torn = c->decoder.torn;
    return points_take(c, c->counters.skipped / AGENT_POINT_SKIPPED - before + torn);
}

/* --- sending ------------------------------------------------------------------------------------------------------- */

static void out_flush(AgentClient *c)
{
    size_t done = 0;
    int e = 0;

    while (done < c->out.size && e == 0) {
        ssize_t n = write(c->fd, c->out.data + done, c->out.size - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            e = -errno;
    }
    bytes_consume(&c->out, done);
    if (c->out.size == 0 && c->out.allocated > AGENT_OUT_ROOM)
        bytes_done(&c->out);
    /* Who hears nothing any more may have said something before: reading finds that, and then the end. */
    bool deaf = e == -EPIPE || e == -ECONNRESET;
    if (e < 0 && e != -EAGAIN && !deaf) {
        client_lost(c, e);
        return;
    }
    (void)sd_event_source_set_io_events(c->io, EPOLLIN | (c->out.size > 0 && !deaf ? EPOLLOUT : 0u));
}

static int out_append(AgentClient *c, int type, uint64_t id, const void *body)
{
    _cleanup_(bytes_done) Bytes b = { 0 };

    int r = message_to_bytes(&agent_protocol, type, id, body, &b);
    if (r < 0)
        return r;
    if (c->out.size + b.size > AGENT_OUT_MAX)
        return -ENOBUFS;
    c->out.secret |= b.secret;
    if ((r = frame_append(&c->out, c->session, b.data, b.size)) < 0)
        return r;
    /* Whoever stops for that is told when there is room again, though all of it may leave at once. */
    c->full |= c->out.size >= AGENT_OUT_ROOM;
    /* Sent from the loop, so that no caller finds its client gone in the middle of a send. */
    return sd_event_source_set_io_events(c->io, EPOLLIN | EPOLLOUT);
}

int agent_client_send(AgentClient *c, AgentMessageType type, const void *body)
{
    return c->welcome && !c->over ? out_append(c, (int)type, 0, body) : -ENOTCONN;
}

bool agent_client_has_room(const AgentClient *c)
{
    return c->welcome && c->out.size < AGENT_OUT_ROOM;
}

static bool room_tell(AgentClient *c)
{
    bool full = c->out.size >= AGENT_OUT_ROOM, drained = c->full && !full;

    c->full = full;
    if (!drained || !c->callbacks->room)
        return true;
    enter(c);
    c->callbacks->room(c->userdata);
    return leave(c) && !c->over;
}

/* --- requests and their deadlines ------------------------------------------------------------------------------------ */

static AgentRequest *request_find(AgentClient *c, uint64_t id)
{
    TABLE_FOREACH (request, c->requests)
        if (request->id == id)
            return request;
    return NULL;
}

static void deadline_update(AgentClient *c)
{
    usec_t first = USEC_INFINITY;

    TABLE_FOREACH (request, c->requests)
        if (request->id != 0)
            first = MIN(first, request->due);
    bool on = first != USEC_INFINITY && !c->paused;
    if (on)
        (void)sd_event_source_set_time(c->deadline, first);
    (void)sd_event_source_set_enabled(c->deadline, on ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* False when the client is gone. */
static bool request_answer(AgentClient *c, AgentRequest *request, int error, const char *message)
{
    AgentRequest old = *request;

    *request = (AgentRequest){ 0 };
    enter(c);
    old.func(old.userdata, error, message);
    if (!leave(c) || c->over)
        return false;
    deadline_update(c);
    return true;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    AgentClient *c = userdata;
    usec_t t = now();

    TABLE_FOREACH (request, c->requests)
        if (request->id != 0 && request->due <= t && !request_answer(c, request, -ETIMEDOUT, NULL))
            return 0;
    deadline_update(c);
    return 0;
}

int agent_client_request(AgentClient *c, AgentMessageType type, const void *body, usec_t timeout,
                         AgentReplyFunc func, void *userdata)
{
    AgentRequest *slot = request_find(c, 0);

    if (!c->welcome || c->over)
        return -ENOTCONN;
    if (!slot)
        return -EBUSY;
    int r = out_append(c, (int)type, c->last_id + 1, body);
    if (r < 0)
        return r;
    *slot = (AgentRequest){
        .id = ++c->last_id,
        .due = usec_add(now(), timeout),
        .func = func,
        .userdata = userdata,
    };
    deadline_update(c);
    return 0;
}

static void ignore_reply(void *userdata, int error, const char *message) {}

void agent_client_forget(AgentClient *c, const void *userdata)
{
    TABLE_FOREACH (request, c->requests)
        if (request->id != 0 && request->userdata == userdata)
            request->func = ignore_reply;
}

/* --- the heart --------------------------------------------------------------------------------------------------------- */

static usec_t beat_of(const AgentClient *c)
{
    return c->callbacks->beat ?: AGENT_BEAT;
}

static usec_t ping_timeout_of(const AgentClient *c)
{
    return c->callbacks->ping_timeout ?: AGENT_PING_TIMEOUT;
}

static void beat_arm(AgentClient *c, usec_t delay)
{
    (void)sd_event_source_set_time_accuracy(c->beat, MAX(delay / 6, (usec_t)1));
    (void)sd_event_source_set_time_relative(c->beat, delay);
    (void)sd_event_source_set_enabled(c->beat, c->paused ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void on_pong(void *userdata, int error, const char *message)
{
    AgentClient *c = userdata;

    c->pinging = false;
    if (error != -ETIMEDOUT) {
        c->misses = 0;
        return;
    }
    if (++c->misses >= AGENT_MISSES_MAX)
        client_lost(c, -ETIMEDOUT);
    else
        beat_arm(c, 1);
}

static void ping(AgentClient *c)
{
    usec_t silent = usec_sub(now(), c->heard);

    if (c->pinging)
        return;
    if (c->misses == 0 && silent < beat_of(c)) {
        beat_arm(c, beat_of(c) - silent);
        return;
    }
    int r = agent_client_request(c, AGENT_PING, NULL, ping_timeout_of(c), on_pong, c);
    if (r < 0) {
        client_lost(c, r == -ENOBUFS || r == -EBUSY ? -ENOBUFS : r);
        return;
    }
    c->pinging = true;
    beat_arm(c, beat_of(c));
}

static void hello(AgentClient *c)
{
    uint8_t entropy[HELLO_ENTROPY];
    AgentHello hello = {
        .token = c->token,
        .version_min = AGENT_PROTOCOL_MIN,
        .version_max = AGENT_PROTOCOL_MAX,
    };

    if (getrandom(entropy, sizeof entropy, GRND_NONBLOCK) == sizeof entropy)
        hello.entropy = (Bytes){ .data = entropy, .size = sizeof entropy };

    if (now() >= c->hello_due) {
        client_lost(c, -ETIMEDOUT);
        return;
    }
    /* What has not left yet will do. */
    int r = c->out.size == 0 ? out_append(c, AGENT_HELLO, 0, &hello) : 0;
    if (r < 0)
        client_lost(c, r);
    else
        beat_arm(c, AGENT_HELLO_INTERVAL);
}

static int on_beat(sd_event_source *source, uint64_t usec, void *userdata)
{
    AgentClient *c = userdata;

    if (c->welcome)
        ping(c);
    else
        hello(c);
    return 0;
}

void agent_client_set_paused(AgentClient *c, bool paused)
{
    if (c->over || c->paused == paused)
        return;
    c->paused = paused;
    c->heard = now();
    if (!paused)
        c->hello_due = usec_add(c->heard, c->hello_timeout);
    TABLE_FOREACH (request, c->requests)
        if (!paused && request->id != 0)
            request->due = MAX(request->due, usec_add(c->heard, ping_timeout_of(c)));
    beat_arm(c, c->welcome ? beat_of(c) : 1);
    deadline_update(c);
}

/* --- receiving --------------------------------------------------------------------------------------------------------- */

/* False when the client is gone. */
static bool take_reply(AgentClient *c, const Message *m)
{
    const RunnerReply *reply = m->body;
    AgentRequest *request = m->id != 0 ? request_find(c, m->id) : NULL;

    if (!request) {
        c->counters.strange++;
        return true;
    }
    size_t size = reply->message ? strnlen(reply->message, REPLY_TEXT_MAX) : 0;
    _cleanup_(freep) char *text = size > 0 ? str_escape(reply->message, size) : NULL;
    /* The largest errno of Linux is below 4096; what else the guest says is an error all the same. */
    int error = reply->error == 0 ? 0 : reply->error < 4096 ? -(int)reply->error : -EPROTO;
    return request_answer(c, request, error, text);
}

static bool take_welcome(AgentClient *c, const Message *m)
{
    c->welcome = true;
    c->misses = 0;
    beat_arm(c, beat_of(c));
    enter(c);
    c->callbacks->on[AGENT_WELCOME](c->userdata, m->body);
    return leave(c) && !c->over;
}

/* The only thing but a welcome that an agent says to a hello: that it will not have this runner. */
static bool is_refusal(const AgentClient *c, const Message *m)
{
    return !c->welcome && m->type == AGENT_REPLY && ((const RunnerReply *)m->body)->error == EACCES;
}

static bool take_message(AgentClient *c, const Message *m)
{
    if (is_refusal(c, m)) {
        client_lost(c, -EACCES);
        return false;
    }
    bool expected = c->welcome ? m->type != AGENT_WELCOME : m->type == AGENT_WELCOME;

    if (!expected || (m->type != AGENT_REPLY && !c->callbacks->on[m->type])) {
        c->counters.strange++;
        return true;
    }
    c->heard = now();
    c->counters.messages++;
    if (m->type == AGENT_REPLY)
        return take_reply(c, m);
    if (m->type == AGENT_WELCOME)
        return take_welcome(c, m);
    enter(c);
    c->callbacks->on[m->type](c->userdata, m->body);
    return leave(c) && !c->over;
}

/* False when the client is gone. */
static bool take_payload(AgentClient *c, const uint8_t *payload, size_t size)
{
    Message m;

    int r = message_from_bytes(&agent_protocol, payload, size, &m);
    if (r == -ENOTSUP || r == -ENOMEM) {
        c->counters.strange++;
        return true;
    }
    if (r < 0) {
        if (take_broken(c))
            return true;
        client_lost(c, -EBADMSG);
        return false;
    }
    bool here = take_message(c, &m);
    message_done(&m);
    return here;
}

static bool take_frames(AgentClient *c)
{
    const uint8_t *payload;
    uint32_t session;
    size_t size;

    while (frame_decoder_next(&c->decoder, &session, &payload, &size) > 0) {
        if (session != c->session)
            c->counters.strange++;
        else if (!take_payload(c, payload, size))
            return false;
    }
    return true;
}

static void client_read(AgentClient *c)
{
    uint8_t chunk[AGENT_READ_SIZE];

    ssize_t n = read(c->fd, chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_lost(c, n < 0 ? -errno : -ECONNRESET);
        return;
    }
    if (frame_decoder_push(&c->decoder, chunk, (size_t)n) < 0 || !take_frames(c))
        return;
    if (!take_skipped(c)) {
        client_lost(c, -EBADMSG);
        return;
    }
    if (c->callbacks->batch)
        c->callbacks->batch(c->userdata);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    AgentClient *c = userdata;

    enter(c);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        client_read(c);
    if (!c->over && events & EPOLLOUT)
        out_flush(c);
    if (!c->over)
        (void)room_tell(c);
    (void)leave(c);
    return 0;
}

/* --- beginning --------------------------------------------------------------------------------------------------------- */

static int client_prepare(AgentClient *c)
{
    Id128 random;

    int r = id128_random(&random);
    if (r < 0)
        return r;
    memcpy(&c->session, random.bytes, sizeof c->session);
    if ((r = sd_event_add_io(c->event, &c->io, c->fd, EPOLLIN, on_io, c)) < 0)
        return r;
    r = sd_event_add_time_relative(c->event, &c->beat, CLOCK_MONOTONIC, 0, 1, on_beat, c);
    if (r < 0 || (r = sd_event_source_set_enabled(c->beat, SD_EVENT_ONESHOT)) < 0)
        return r;
    r = sd_event_add_time(c->event, &c->deadline, CLOCK_MONOTONIC, 0, 100 * USEC_PER_MSEC, on_deadline, c);
    return r < 0 ? r : sd_event_source_set_enabled(c->deadline, SD_EVENT_OFF);
}

int agent_client_new(sd_event *event, int fd, Id128 token, usec_t hello_timeout,
                     const AgentCallbacks *callbacks, void *userdata, AgentClient **ret)
{
    AgentClient *c = calloc(1, sizeof *c);

    if (!c) {
        safe_close(fd);
        return -ENOMEM;
    }
    *c = (AgentClient){
        .event = sd_event_ref(event),
        .fd = fd,
        .token = token,
        .callbacks = callbacks,
        .userdata = userdata,
        .hello_timeout = hello_timeout,
        .hello_due = usec_add(now(), hello_timeout),
        .heard = now(),
    };
    int r = client_prepare(c);
    if (r < 0) {
        agent_client_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

const AgentCounters *agent_client_counters(const AgentClient *c)
{
    return &c->counters;
}
