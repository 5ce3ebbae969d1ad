/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "base/log.h"
#include "base/socket.h"
#include "schemas/agent.h"
#include "supervisor/runner-link.h"

enum {
    PACKETS_PER_TURN = 8,
    TURNS_PER_SECOND = 100, /* more would be a flood; whatever else podvisord does must go on beside it */
    /* Unanswered ones: all programs that may run by exec at once, whose begins wait for the guest, and some of all else. */
    REQUESTS_MAX = AGENT_STREAMS_MAX + 16,
};
#define HELLO_TIMEOUT (5 * USEC_PER_SEC)

typedef struct Request {
    uint64_t id; /* 0: free */
    usec_t deadline;
    RunnerReplyFunc func;
    void *userdata;
} Request;

struct RunnerLink {
    int fd;
    pid_t pid;
    sd_event_source *io;
    sd_event_source *timer; /* the hello, later the next deadline of a request */
    const RunnerLinkOps *ops;
    void *userdata;
    void *owner;  /* NULL: no hello yet */
    bool visitor; /* it has introduced itself: nothing more is expected of it */
    uint64_t last_id;
    Request requests[REQUESTS_MAX];
    Bytes buffer;
};

static void set_timer(RunnerLink *l, usec_t deadline)
{
    if (deadline == USEC_INFINITY) {
        sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        return;
    }
    sd_event_source_set_time(l->timer, deadline);
    sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

static void rearm(RunnerLink *l)
{
    usec_t next = USEC_INFINITY;

    TABLE_FOREACH (request, l->requests)
        if (request->id != 0)
            next = MIN(next, request->deadline);
    set_timer(l, next);
}

static void answer(RunnerLink *l, Request *request, int error, const char *message)
{
    Request done = *request;

    *request = (Request){ 0 };
    if (done.func)
        done.func(done.userdata, error, message);
}

static void link_lost(RunnerLink *l, int error)
{
    if (l->owner)
        l->ops->lost(l->owner, l, error);
    runner_link_free(l);
}

/* --- what comes from the runner ----------------------------------------------------------------------------------- */

static int on_hello(RunnerLink *l, Message *m)
{
    const RunnerHello *hello = m->body;
    RunnerWelcome welcome = { .protocol = RUNNER_PROTOCOL_VERSION };

    if (l->owner)
        return -EPROTO;
    const char *why = hello->protocol < RUNNER_PROTOCOL_VERSION ? "it speaks an older protocol"
                                                                : l->ops->hello(l->userdata, l, hello);
    if (why) {
        log_warning("A runner (process %d) for pod \"%s\" was refused: %s", (int)l->pid, hello->name ?: "?",
                    why);
        return -EACCES;
    }
    set_timer(l, USEC_INFINITY);
    return runner_link_send(l, RUNNER_WELCOME, &welcome, -1);
}

/* Whoever is refused is told why, since that is what its unit's log will say. */
static int on_introduce(RunnerLink *l, Message *m)
{
    const RunnerIntroduction *introduction = m->body;

    if (l->owner)
        return -EPROTO;
    const char *why = introduction->protocol < RUNNER_PROTOCOL_VERSION
                          ? "it speaks an older protocol"
                          : l->ops->introduce(l->userdata, l, introduction);
    if (why) {
        RunnerRefusal refusal = { .message = (char *)(uintptr_t)why };
        (void)runner_link_send(l, RUNNER_REFUSE, &refusal, -1);
        log_notice("A runner (process %d) for pod \"%s\" was refused: %s", (int)l->pid,
                   introduction->name ?: "?", why);
        return -EACCES;
    }
    l->visitor = true;
    set_timer(l, USEC_INFINITY);
    return 0;
}

static int on_report(RunnerLink *l, Message *m)
{
    if (!l->owner || l->visitor)
        return -EPROTO;
    l->ops->report(l->owner, m->body);
    return 0;
}

static int on_reply(RunnerLink *l, Message *m)
{
    const RunnerReply *reply = m->body;

    TABLE_FOREACH (request, l->requests) {
        if (m->id == 0 || request->id != m->id)
            continue;
        int error = reply->error > 0 && reply->error < 4096 ? -(int)reply->error : reply->error ? -EIO : 0;
        answer(l, request, error, reply->message);
        rearm(l);
        return 0;
    }
    /* Answered by its deadline before, most likely. */
    return 0;
}

typedef int (*MessageFunc)(RunnerLink *l, Message *m);

static const MessageFunc handlers[RUNNER_MESSAGE_MAX] = {
    [RUNNER_HELLO] = on_hello,
    [RUNNER_REPORT] = on_report,
    [RUNNER_REPLY] = on_reply,
    [RUNNER_INTRODUCE] = on_introduce,
};

/* 1: there may be more; 0: not now; negative: the link is at its end. */
static int receive(RunnerLink *l)
{
    Message m;
    _cleanup_(closep) int fd = -1;

    ssize_t n = packet_receive(l->fd, RUNNER_PACKET_MAX, &l->buffer, &fd);
    if (n == -EAGAIN)
        return 0;
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    int r = message_from_bytes(&runner_protocol, l->buffer.data, (size_t)n, &m);
    if (r == -ENOTSUP) /* of a newer runner */
        return 1;
    if (r < 0)
        return r;
    r = handlers[m.type] ? handlers[m.type](l, &m) : -EPROTO;
    message_done(&m);
    return r < 0 ? r : 1;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
    RunnerLink *l = userdata;
    int r = 1;

    for (int i = 0; r > 0 && i < PACKETS_PER_TURN; i++)
        r = receive(l);
    /* The room for a packet is not kept by 50 idle links. */
    if (l->buffer.allocated > 0)
        bytes_done(&l->buffer);
    if (r < 0)
        link_lost(l, r);
    return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
    RunnerLink *l = userdata;

    if (!l->owner) {
        link_lost(l, -ETIMEDOUT);
        return 0;
    }
    /* An answer may end the link, and with it the table; so one at a time, and the timer again. */
    usec_t now = now_usec(CLOCK_BOOTTIME);
    rearm(l);
    TABLE_FOREACH (request, l->requests)
        if (request->id != 0 && request->deadline <= now) {
            Request done = *request;
            *request = (Request){ 0 };
            rearm(l);
            if (done.func)
                done.func(done.userdata, -ETIMEDOUT, NULL);
            return 0;
        }
    return 0;
}

/* --- what goes to the runner -------------------------------------------------------------------------------------- */

static int send_message(RunnerLink *l, RunnerMessageType type, uint64_t id, const void *body, int fd)
{
    Bytes bytes = { 0 };

    int r = message_to_bytes(&runner_protocol, (int)type, id, body, &bytes);
    if (r < 0)
        return r;
    r = packet_send(l->fd, bytes.data, bytes.size, fd);
    bytes_done(&bytes);
    return r;
}

int runner_link_send(RunnerLink *l, RunnerMessageType type, const void *body, int fd)
{
    return send_message(l, type, 0, body, fd);
}

int runner_link_request(RunnerLink *l, RunnerMessageType type, const void *body, int fd, usec_t timeout,
                        RunnerReplyFunc func, void *userdata)
{
    TABLE_FOREACH (request, l->requests) {
        if (request->id != 0)
            continue;
        int r = send_message(l, type, l->last_id + 1, body, fd);
        if (r < 0)
            return r;
        *request = (Request){
            .id = ++l->last_id,
            .deadline = usec_add(now_usec(CLOCK_BOOTTIME), timeout),
            .func = func,
            .userdata = userdata,
        };
        rearm(l);
        return 0;
    }
    return -EBUSY;
}

/* --- the link itself ---------------------------------------------------------------------------------------------- */

void runner_link_bind(RunnerLink *l, void *owner)
{
    l->owner = owner;
}

pid_t runner_link_pid(const RunnerLink *l)
{
    return l->pid;
}

int runner_link_peer(const RunnerLink *l, struct ucred *ret)
{
    socklen_t size = sizeof *ret;

    return getsockopt(l->fd, SOL_SOCKET, SO_PEERCRED, ret, &size) < 0 ? -errno : 0;
}

bool runner_link_hung_up(const RunnerLink *l)
{
    struct pollfd p = { .fd = l->fd, .events = POLLRDHUP };

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

RunnerLink *runner_link_free(RunnerLink *l)
{
    if (!l)
        return NULL;
    l->owner = NULL;
    l->io = sd_event_source_disable_unref(l->io);
    l->timer = sd_event_source_disable_unref(l->timer);
    TABLE_FOREACH (request, l->requests)
        if (request->id != 0)
            answer(l, request, -ECONNRESET, NULL);
    bytes_done(&l->buffer);
    safe_close(l->fd);
    free(l);
    return NULL;
}

int runner_link_new(sd_event *event, int fd, pid_t pid, const RunnerLinkOps *ops, void *userdata)
{
    RunnerLink *l = calloc(1, sizeof *l);

    if (!l) {
        safe_close(fd);
        return -ENOMEM;
    }
    *l = (RunnerLink){ .fd = fd, .pid = pid, .ops = ops, .userdata = userdata };
    int r = sd_event_add_io(event, &l->io, fd, EPOLLIN, on_io, l);
    if (r >= 0)
        r = sd_event_source_set_ratelimit(l->io, USEC_PER_SEC, TURNS_PER_SECOND);
    if (r >= 0)
        r = sd_event_add_time(event, &l->timer, CLOCK_BOOTTIME,
                              usec_add(now_usec(CLOCK_BOOTTIME), HELLO_TIMEOUT), USEC_PER_MSEC, on_timer, l);
    if (r < 0) {
        runner_link_free(l);
        return r;
    }
    (void)sd_event_source_set_description(l->io, "runner");
    (void)sd_event_source_set_description(l->timer, "runner-deadline");
    return 0;
}
