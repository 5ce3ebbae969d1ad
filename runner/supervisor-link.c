/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/inotify.h>

#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"
#include "runner/supervisor-link.h"

struct SupervisorLink {
    Runner *runner;
    char *dir, *name; /* of the socket */
    int socket;
    bool welcome; /* podvisord knows us */
    bool dirty;   /* the report has changed since it was last sent */
    bool ready;   /* the report that was last sent says so */
    usec_t sent;  /* when it was last sent, CLOCK_MONOTONIC */
    usec_t retry; /* the next wait */
    Bytes *replies;
    size_t n_replies;
    uint64_t awaiting[LINK_AWAITING_MAX]; /* ids of requests that are answered by supervisor_link_settle() */
    size_t n_awaiting;
    sd_event_source *io;
    sd_event_source *flush;   /* sends what has changed, not before its time */
    sd_event_source *connect; /* tries again; and the deadline of the welcome */
    sd_event_source *watch;   /* the directory of the socket, while podvisord is away */
};

static int link_connect(SupervisorLink *l);

static void replies_drop(SupervisorLink *l)
{
    for (size_t i = 0; i < l->n_replies; i++)
        bytes_done(&l->replies[i]);
    l->n_replies = 0;
}

static void link_close(SupervisorLink *l)
{
    l->io = sd_event_source_disable_unref(l->io);
    l->flush = sd_event_source_disable_unref(l->flush);
    l->connect = sd_event_source_disable_unref(l->connect);
    l->watch = sd_event_source_disable_unref(l->watch);
    l->socket = safe_close(l->socket);
    l->welcome = l->ready = false;
    l->n_awaiting = 0;
    replies_drop(l);
}

/* --- while podvisord is away ------------------------------------------------------------------------------------ */

static int on_retry(sd_event_source *source, uint64_t now, void *userdata)
{
    (void)link_connect(userdata);
    return 0;
}

static int on_watch(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
    SupervisorLink *l = userdata;

    if (event->len == 0 || !streq(event->name, l->name))
        return 0;
    /* The socket is born before it listens: soon is better than now. */
    l->retry = LINK_RETRY_MIN;
    (void)sd_event_source_set_time_relative(l->connect, 20 * USEC_PER_MSEC);
    (void)sd_event_source_set_enabled(l->connect, SD_EVENT_ONESHOT);
    return 0;
}

static int link_wait(SupervisorLink *l)
{
    sd_event *event = l->runner->event;

    link_close(l);
    int e =
        sd_event_add_time_relative(event, &l->connect, CLOCK_MONOTONIC, l->retry, l->retry / 4, on_retry, l);
    l->retry = MIN(2 * l->retry, LINK_RETRY_MAX);
    if (e < 0)
        return runner_log(l->runner, LOG_ERR, e, "podvisord cannot be waited for");
    /* Without the watch (no right to it, or too many) the timer alone has to do. */
    (void)sd_event_add_inotify(event, &l->watch, l->dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, on_watch, l);
    return 0;
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

/* 0, -EAGAIN, or the error that ends the connection. */
static int link_send(SupervisorLink *l, int type, uint64_t id, const void *body)
{
    _cleanup_(bytes_done) Bytes b = { 0 };

    int e = message_to_bytes(&runner_protocol, type, id, body, &b);
    return e < 0 ? e : packet_send(l->socket, b.data, b.size, -1);
}

static int replies_flush(SupervisorLink *l)
{
    while (l->n_replies > 0) {
        int e = packet_send(l->socket, l->replies[0].data, l->replies[0].size, -1);
        if (e < 0)
            return e;
        bytes_done(&l->replies[0]);
        memmove(l->replies, l->replies + 1, --l->n_replies * sizeof l->replies[0]);
    }
    return 0;
}

static int report_flush(SupervisorLink *l)
{
    if (!l->dirty || !l->welcome)
        return 0;
    int e = link_send(l, RUNNER_REPORT, 0, &l->runner->record.report);
    if (e < 0)
        return e;
    l->dirty = false;
    l->ready = l->runner->record.report.ready;
    l->sent = now_usec(CLOCK_MONOTONIC);
    return 0;
}

static void link_flush(SupervisorLink *l)
{
    if (l->socket < 0)
        return;
    int e = replies_flush(l);
    if (e >= 0)
        e = report_flush(l);
    if (e == -EAGAIN) {
        (void)sd_event_source_set_io_events(l->io, EPOLLIN | EPOLLOUT);
        return;
    }
    (void)sd_event_source_set_io_events(l->io, EPOLLIN);
    if (e < 0)
        (void)link_wait(l);
}

static int on_flush(sd_event_source *source, uint64_t now, void *userdata)
{
    link_flush(userdata);
    return 0;
}

void supervisor_link_report_changed(SupervisorLink *l)
{
    const usec_t interval = USEC_PER_SEC / LINK_REPORTS_PER_SECOND;

    l->dirty = true;
    if (!l->welcome || !l->flush)
        return;
    if (l->runner->record.report.ready && !l->ready) {
        link_flush(l);
        return;
    }
    int on = SD_EVENT_OFF;
    (void)sd_event_source_get_enabled(l->flush, &on);
    if (on != SD_EVENT_OFF)
        return;
    usec_t due = MAX(usec_add(l->sent, interval), now_usec(CLOCK_MONOTONIC));
    (void)sd_event_source_set_time(l->flush, due);
    (void)sd_event_source_set_enabled(l->flush, SD_EVENT_ONESHOT);
}

void supervisor_link_reply(SupervisorLink *l, uint64_t id, int error, const char *message)
{
    RunnerReply reply = { .error = (uint64_t)-error, .message = (char *)(uintptr_t)message };

    if (id == 0 || l->socket < 0)
        return;
    if (l->n_replies == LINK_REPLIES_MAX ||
        message_to_bytes(&runner_protocol, RUNNER_REPLY, id, &reply, &l->replies[l->n_replies]) < 0) {
        (void)link_wait(l);
        return;
    }
    l->n_replies++;
    link_flush(l);
}

void supervisor_link_await(SupervisorLink *l, uint64_t id)
{
    if (l->n_awaiting == LINK_AWAITING_MAX)
        supervisor_link_reply(l, id, -EBUSY,
                              "too many requests to pause it or to let it go on are under way");
    else
        l->awaiting[l->n_awaiting++] = id;
}

void supervisor_link_settle(SupervisorLink *l, int error, const char *message)
{
    /* A reply that cannot be sent ends the connection, and with it all that waits. */
    while (l->n_awaiting > 0)
        supervisor_link_reply(l, l->awaiting[--l->n_awaiting], error, message);
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static void on_welcome(SupervisorLink *l, const RunnerWelcome *welcome)
{
    if (welcome->protocol == 0 || welcome->protocol > RUNNER_PROTOCOL_VERSION) {
        runner_log(l->runner, LOG_ERR, 0, "podvisord speaks no protocol version that this runner knows");
        (void)link_wait(l);
        return;
    }
    l->welcome = true;
    l->dirty = true;
    l->retry = LINK_RETRY_MIN;
    l->connect = sd_event_source_disable_unref(l->connect);
    link_flush(l);
}

static int link_take(SupervisorLink *l, const Bytes *packet, int *fd)
{
    Message m;

    int e = message_from_bytes(&runner_protocol, packet->data, packet->size, &m);
    if (e == -ENOTSUP)
        return 0; /* of a newer podvisord; whatever it asks for gets no reply, and that has a deadline there */
    if (e < 0)
        return e;
    if (m.type == RUNNER_WELCOME)
        on_welcome(l, m.body);
    else if (l->welcome)
        runner_request(l->runner, l, &m, fd);
    message_done(&m);
    return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    SupervisorLink *l = userdata;
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int passed = -1;

    if (events & EPOLLOUT)
        link_flush(l);
    if (l->socket < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return 0;
    ssize_t n = packet_receive(fd, RUNNER_PACKET_MAX, &packet, &passed);
    if (n == -EAGAIN || n == -ENOMEM)
        return 0;
    int e = n > 0 ? link_take(l, &packet, &passed) : n == 0 ? -ECONNRESET : (int)n;
    if (e < 0) {
        runner_log(l->runner, LOG_DEBUG, e, "The connection to podvisord ended");
        (void)link_wait(l);
    }
    return 0;
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static int link_open(SupervisorLink *l)
{
    const RunDefinition *d = &l->runner->definition;
    RunnerHello hello = {
        .protocol = RUNNER_PROTOCOL_VERSION,
        .tasks = true,
        .limits = true,
        .attach = true,
        .hosts = true,
        .name = d->name,
        .uuid = d->uuid,
        .generation = d->generation,
        .attempt = d->attempt,
        .token = d->token,
        .version = (char *)(uintptr_t)PODVISOR_VERSION,
    };

    _cleanup_(closep) int dir = dir_reach_at(AT_FDCWD, l->dir);
    if (dir < 0)
        return dir;
    int fd = socket_connect_at(dir, l->name, SOCK_SEQPACKET | SOCK_NONBLOCK);
    if (fd < 0)
        return fd;
    l->socket = fd;
    int e = sd_event_add_io(l->runner->event, &l->io, fd, EPOLLIN, on_io, l);
    if (e >= 0)
        e = sd_event_add_time(l->runner->event, &l->flush, CLOCK_MONOTONIC, 0, 1, on_flush, l);
    if (e >= 0)
        e = sd_event_source_set_enabled(l->flush, SD_EVENT_OFF);
    return e < 0 ? e : link_send(l, RUNNER_HELLO, 0, &hello);
}

static int on_no_welcome(sd_event_source *source, uint64_t now, void *userdata)
{
    (void)link_wait(userdata);
    return 0;
}

static int link_connect(SupervisorLink *l)
{
    link_close(l);
    if (link_open(l) < 0)
        return link_wait(l);
    return sd_event_add_time_relative(l->runner->event, &l->connect, CLOCK_MONOTONIC, LINK_WELCOME_TIMEOUT,
                                      USEC_PER_SEC, on_no_welcome, l);
}

int supervisor_link_begin(SupervisorLink *l)
{
    return link_connect(l);
}

static int path_split(const char *path, char **ret_dir, char **ret_name)
{
    const char *slash = strrchr(path, '/');

    if (path[0] != '/' || str_empty(slash + 1))
        return -EINVAL;
    *ret_name = strdup(slash + 1);
    *ret_dir = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    return *ret_name && *ret_dir ? 0 : -ENOMEM;
}

int supervisor_link_new(Runner *r, SupervisorLink **ret)
{
    SupervisorLink *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    *l = (SupervisorLink){ .runner = r, .socket = -1, .retry = LINK_RETRY_MIN, .dirty = true };
    l->replies = calloc(LINK_REPLIES_MAX, sizeof *l->replies);
    int e = l->replies ? path_split(r->definition.supervisor_socket, &l->dir, &l->name) : -ENOMEM;
    if (e < 0) {
        supervisor_link_free(l);
        return e;
    }
    *ret = l;
    return 0;
}

SupervisorLink *supervisor_link_free(SupervisorLink *l)
{
    if (!l)
        return NULL;
    link_close(l);
    free(l->replies);
    free(l->dir);
    free(l->name);
    free(l);
    return NULL;
}
