/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "backends/qemu/json-limits.h"
#include "backends/qemu/qmp.h"
#include "base/socket.h"
#include "base/strings.h"

enum { READ_CHUNK = 32 * 1024 };

/* A command from its making to its answer. */
typedef struct QmpCommand {
    uint64_t id;
    usec_t deadline; /* CLOCK_MONOTONIC; USEC_INFINITY: none yet, since QEMU has not greeted */
    usec_t timeout;
    QmpReplyFunc func;
    void *userdata;
    char *line; /* NULL once it is sent */
    size_t sent;
    int fd; /* goes with the first byte; -1: none, or sent */
} QmpCommand;

/* What the connection has come to. */
typedef enum QmpState {
    QMP_GREETING,    /* waits for QEMU's first line */
    QMP_NEGOTIATING, /* qmp_capabilities is on its way */
    QMP_READY,
    QMP_CLOSED,
} QmpState;

struct Qmp {
    QmpState state;
    sd_event_source *io;
    sd_event_source *timer; /* the greeting's deadline, then the earliest of the commands' */
    int socket;
    const QmpHandlers *handlers;
    void *userdata;
    Bytes input;
    size_t scanned;                         /* bytes of input without a line end */
    usec_t rate_due;                        /* when all lines so far would have come at QMP_RATE_MAX */
    uint64_t first_id, last_id;             /* of this connection's commands */
    QmpCommand commands[QMP_QUEUE_MAX + 1]; /* in the order of their ids; one more for qmp_capabilities */
    size_t n_commands;
    unsigned major, minor;
};

static void command_done(QmpCommand *c)
{
    c->line = (free(c->line), NULL);
    c->fd = safe_close(c->fd);
}

void qmp_close(Qmp *q)
{
    for (size_t i = 0; i < q->n_commands; i++)
        command_done(&q->commands[i]);
    q->n_commands = 0;
    q->state = QMP_CLOSED;
    q->io = sd_event_source_disable_unref(q->io);
    q->timer = sd_event_source_disable_unref(q->timer);
    q->socket = safe_close(q->socket);
}

Qmp *qmp_free(Qmp *q)
{
    if (!q)
        return NULL;
    qmp_close(q);
    bytes_done(&q->input);
    free(q);
    return NULL;
}

static void qmp_fail(Qmp *q, int error)
{
    QmpCommand left[QMP_QUEUE_MAX + 1];
    size_t n = q->n_commands;

    memcpy(left, q->commands, n * sizeof *left);
    q->n_commands = 0;
    qmp_close(q);
    for (size_t i = 0; i < n; i++) {
        if (left[i].func)
            left[i].func(-ECONNRESET, NULL, NULL, left[i].userdata);
        command_done(&left[i]);
    }
    q->handlers->closed(error, q->userdata);
}

/* --- deadlines ------------------------------------------------------------------------------------------------- */

static int timer_update(Qmp *q)
{
    usec_t earliest = USEC_INFINITY;

    if (q->state == QMP_GREETING || q->state == QMP_CLOSED)
        return 0;
    for (size_t i = 0; i < q->n_commands; i++)
        earliest = MIN(earliest, q->commands[i].deadline);
    if (earliest == USEC_INFINITY)
        return sd_event_source_set_enabled(q->timer, SD_EVENT_OFF);
    int r = sd_event_source_set_time(q->timer, earliest);
    return r < 0 ? r : sd_event_source_set_enabled(q->timer, SD_EVENT_ONESHOT);
}

static QmpCommand command_take(Qmp *q, size_t i)
{
    QmpCommand c = q->commands[i];

    q->n_commands--;
    memmove(&q->commands[i], &q->commands[i + 1], (q->n_commands - i) * sizeof *q->commands);
    return c;
}

/* A command that could not even be sent in time must not be sent half later on: QEMU does not read, so this is the end. */
static bool expire_one(Qmp *q, usec_t now)
{
    for (size_t i = 0; i < q->n_commands; i++) {
        if (q->commands[i].deadline > now)
            continue;
        if (q->commands[i].line) {
            qmp_fail(q, -ETIMEDOUT);
            return false;
        }
        QmpCommand c = command_take(q, i);
        if (c.func)
            c.func(-ETIMEDOUT, NULL, NULL, c.userdata);
        return q->state != QMP_CLOSED;
    }
    return false;
}

static int on_deadline(sd_event_source *source, uint64_t when, void *userdata)
{
    Qmp *q = userdata;

    if (q->state == QMP_GREETING) {
        qmp_fail(q, -ETIMEDOUT);
        return 0;
    }
    usec_t now = now_usec(CLOCK_MONOTONIC);
    while (expire_one(q, now))
        ;
    (void)timer_update(q);
    return 0;
}

/* --- sending ------------------------------------------------------------------------------------------------- */

/* 1 when the whole line is sent, 0 when the socket is full, negative errno. */
static int command_send(Qmp *q, QmpCommand *c)
{
    size_t left = strlen(c->line) - c->sent;

    if (c->fd >= 0) {
        int r = packet_send(q->socket, c->line + c->sent, 1, c->fd);
        if (r < 0)
            return r == -EAGAIN ? 0 : r;
        c->fd = safe_close(c->fd);
        c->sent++;
        left--;
    }
    ssize_t n = send(q->socket, c->line + c->sent, left, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    c->sent += (size_t)n;
    return (size_t)n == left;
}

/* Sends what may go: nothing before the greeting, qmp_capabilities first, the rest behind it. */
static int flush(Qmp *q)
{
    int r = 1;

    for (size_t i = 0; i < q->n_commands && r > 0; i++) {
        QmpCommand *c = &q->commands[i];
        if (!c->line)
            continue;
        if (c->deadline == USEC_INFINITY)
            c->deadline = usec_add(now_usec(CLOCK_MONOTONIC), c->timeout);
        if ((r = command_send(q, c)) > 0)
            c->line = (free(c->line), NULL);
    }
    if (r < 0)
        return r;
    int interest = r == 0 ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if ((r = sd_event_source_set_io_events(q->io, (uint32_t)interest)) < 0)
        return r;
    return timer_update(q);
}

static char *command_format(uint64_t id, const char *command, const char *arguments, va_list args)
{
    json_t *values = NULL;
    char *text = NULL, *line;

    if (arguments && !(values = json_vpack_ex(NULL, 0, arguments, args)))
        return NULL;
    json_t *whole =
        json_pack("{s:s, s:I, s:o*}", "execute", command, "id", (json_int_t)id, "arguments", values);
    if (whole)
        text = json_dumps(whole, JSON_COMPACT);
    json_decref(whole);
    line = text ? strf("%s\n", text) : NULL;
    free(text);
    return line;
}

static int queue(Qmp *q, size_t at, QmpCommand *c)
{
    if (!c->line || (c->fd >= 0 && (c->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 3)) < 0)) {
        int error = c->line ? -errno : -ENOMEM;
        free(c->line);
        return error;
    }
    memmove(&q->commands[at + 1], &q->commands[at], (q->n_commands - at) * sizeof *c);
    q->commands[at] = *c;
    q->n_commands++;
    /* A socket that has failed says so in the event loop, where all handlers are told. */
    if (q->state != QMP_GREETING)
        (void)flush(q);
    return 0;
}

int qmp_command(Qmp *q, const char *command, usec_t timeout, int fd, QmpReplyFunc func, void *userdata,
                const char *arguments, ...)
{
    if (q->state == QMP_CLOSED)
        return -ENOTCONN;
    if (q->n_commands >= QMP_QUEUE_MAX)
        return -ENOBUFS;

    QmpCommand c = { .id = ++q->last_id, .timeout = timeout, .deadline = USEC_INFINITY, .fd = fd };
    c.func = func;
    c.userdata = userdata;
    va_list args;
    va_start(args, arguments);
    c.line = command_format(c.id, command, arguments, args);
    va_end(args);
    return queue(q, q->n_commands, &c);
}

int qmp_command_json(Qmp *q, const char *command, usec_t timeout, QmpReplyFunc func, void *userdata,
                     const char *arguments)
{
    json_t *object = json_loads(arguments, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(object)) {
        json_decref(object);
        return -EINVAL;
    }
    int r = qmp_command(q, command, timeout, -1, func, userdata, "O", object);
    json_decref(object);
    return r;
}

/* --- receiving ------------------------------------------------------------------------------------------------ */

static void on_capabilities(int error, const QmpValue *value, const char *description, void *userdata)
{
    Qmp *q = userdata;

    if (error == 0 && q->state == QMP_NEGOTIATING) {
        q->state = QMP_READY;
        q->handlers->ready(q->major, q->minor, q->userdata);
    } else if (q->state != QMP_CLOSED)
        qmp_fail(q, error == -EREMOTEIO ? -EPROTO : error);
}

static int on_greeting(Qmp *q, const json_t *greeting)
{
    json_int_t major, minor;

    if (json_unpack((json_t *)(uintptr_t)greeting, "{s:{s:{s:{s:I, s:I}}}}", "QMP", "version", "qemu",
                    "major", &major, "minor", &minor) < 0 ||
        major < 0 || major > 10000 || minor < 0 || minor > 10000)
        return -EPROTO;
    q->major = (unsigned)major;
    q->minor = (unsigned)minor;
    q->state = QMP_NEGOTIATING;

    QmpCommand c = { .id = q->first_id, .timeout = QMP_COMMAND_TIMEOUT, .deadline = USEC_INFINITY, .fd = -1 };
    c.func = on_capabilities;
    c.userdata = q;
    c.line = strf("{\"execute\":\"qmp_capabilities\",\"id\":%" PRIu64 "}\n", c.id);
    return queue(q, 0, &c);
}

static void command_answer(const QmpCommand *c, const json_t *message)
{
    const json_t *value = json_object_get(message, "return");

    if (!c->func)
        return;
    if (value) {
        c->func(0, value, NULL, c->userdata);
        return;
    }
    const char *text = qmp_string(json_object_get(message, "error"), "desc") ?: "no reason given";
    _cleanup_(freep) char *description = str_escape(text, strlen(text));
    c->func(-EREMOTEIO, NULL, description ?: "out of memory", c->userdata);
}

static int on_reply(Qmp *q, const json_t *message)
{
    const json_t *id = json_object_get(message, "id");
    json_int_t number = json_is_integer(id) ? json_integer_value(id) : -1;

    /* QEMU puts no id where it could not read one, which cannot come from what is sent here. */
    if (number < 0 || (uint64_t)number > q->last_id)
        return -EPROTO;
    for (size_t i = 0; i < q->n_commands; i++) {
        if (q->commands[i].id != (uint64_t)number)
            continue;
        if (q->commands[i].line)
            return -EPROTO;
        QmpCommand c = command_take(q, i);
        command_answer(&c, message);
        return 0;
    }
    return 0; /* too late: its deadline has passed, or its asker is gone */
}

/*
 * QEMU answers on whichever connection there is then. What an earlier client asked for and did not stay to hear may come to
 * this one even before the greeting, as it is made by another thread; so may an event.
 */
static bool is_of_earlier_client(const Qmp *q, const json_t *message)
{
    const json_t *id = json_object_get(message, "id");

    if (json_is_integer(id))
        return json_integer_value(id) >= 0 && (uint64_t)json_integer_value(id) < q->first_id;
    return qmp_string(message, "event");
}

static int on_message(Qmp *q, const json_t *message)
{
    const char *event = qmp_string(message, "event");

    if (q->state == QMP_GREETING)
        return is_of_earlier_client(q, message) ? 0 : on_greeting(q, message);
    if (event) {
        q->handlers->event(event, json_object_get(message, "data"), q->userdata);
        return 0;
    }
    if (!json_object_get(message, "return") && !json_object_get(message, "error"))
        return -EPROTO;
    return on_reply(q, message);
}

/* False when lines come faster than they may. */
static bool rate_take(Qmp *q)
{
    usec_t now = now_usec(CLOCK_MONOTONIC), step = USEC_PER_SEC / QMP_RATE_MAX;

    q->rate_due = MAX(q->rate_due, usec_sub(now, QMP_BURST_MAX * step)) + step;
    return q->rate_due <= now;
}

static int on_line(Qmp *q, const char *line, size_t size)
{
    static const JsonLimits limits = { .depth = QMP_DEPTH_MAX, .values = QMP_VALUES_MAX };

    if (!rate_take(q))
        return -EBUSY;
    if (json_limits_check(line, size, &limits) < 0)
        return -EMSGSIZE;
    json_t *message = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    int r = json_is_object(message) ? on_message(q, message) : -EBADMSG;
    json_decref(message);
    return r;
}

/* All whole lines in the input. */
static int lines_take(Qmp *q)
{
    while (q->state != QMP_CLOSED) {
        const char *start = (const char *)q->input.data;
        const char *end =
            q->input.size > q->scanned ? memchr(start + q->scanned, '\n', q->input.size - q->scanned) : NULL;
        if (!end) {
            q->scanned = q->input.size;
            return q->input.size >= QMP_LINE_MAX ? -EMSGSIZE : 0;
        }
        size_t size = (size_t)(end - start);
        int r = size >= QMP_LINE_MAX ? -EMSGSIZE : on_line(q, start, size);
        if (r < 0)
            return r;
        bytes_consume(&q->input, size + 1);
        q->scanned = 0;
    }
    return 0;
}

/* 0 when QEMU has closed, positive when there may be more, negative errno. */
static int input_read(Qmp *q)
{
    uint8_t *p = bytes_reserve(&q->input, READ_CHUNK);
    if (!p)
        return -ENOMEM;
    ssize_t n = recv(q->socket, p, READ_CHUNK, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : -errno;
    q->input.size += (size_t)n;
    return n > 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Qmp *q = userdata;
    int r = revents & EPOLLOUT ? flush(q) : 0;

    if (r >= 0 && revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        int open = input_read(q);
        r = open < 0 ? open : lines_take(q);
        if (r >= 0 && open == 0 && q->state != QMP_CLOSED) {
            qmp_fail(q, 0);
            return 0;
        }
    }
    if (q->state == QMP_CLOSED)
        return 0;
    if (r < 0)
        qmp_fail(q, r);
    else
        (void)timer_update(q);
    return 0;
}

int qmp_new(Qmp **ret, sd_event *event, int socket, uint64_t first_id, usec_t greeting_timeout,
            const QmpHandlers *handlers, void *userdata)
{
    _cleanup_(qmp_freep) Qmp *q = calloc(1, sizeof *q);

    if (!q) {
        safe_close(socket);
        return -ENOMEM;
    }
    *q = (Qmp){ .socket = socket, .handlers = handlers, .userdata = userdata };
    q->first_id = q->last_id = first_id;
    int r = sd_event_add_io(event, &q->io, socket, EPOLLIN, on_io, q);
    if (r < 0)
        return r;
    r = sd_event_add_time(event, &q->timer, CLOCK_MONOTONIC,
                          usec_add(now_usec(CLOCK_MONOTONIC), greeting_timeout), 0, on_deadline, q);
    if (r < 0)
        return r;
    /* An answer that has arrived counts, however late this process came to read it. */
    if ((r = sd_event_source_set_priority(q->timer, SD_EVENT_PRIORITY_NORMAL + 1)) < 0)
        return r;
    (void)sd_event_source_set_description(q->io, "qmp");
    (void)sd_event_source_set_description(q->timer, "qmp-deadline");
    *ret = take_ptr(q);
    return 0;
}

/* --- values ----------------------------------------------------------------------------------------------------- */

const char *qmp_string(const QmpValue *value, const char *key)
{
    return json_string_value(json_object_get(value, key));
}

bool qmp_bool(const QmpValue *value, const char *key)
{
    return json_is_true(json_object_get(value, key));
}

const char *qmp_text(const QmpValue *value)
{
    return json_string_value(value);
}
