/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/epoll.h>

#include "backends/libvirt/connection.h"
#include "base/strings.h"

typedef enum ConnectionState {
    CONNECTION_AWAY,
    CONNECTION_OPENING,
    CONNECTION_OPEN,
} ConnectionState;

/* A job that is under way, as the loop sees it: the Job itself is the worker's until it is back. */
typedef struct Call {
    struct Call *next;
    const Job *job; /* to know it by; not to be looked into */
    JobFunc done;
    void *userdata;
    usec_t due;
} Call;

struct Connection {
    sd_event *event;
    char *uri;
    const ConnectionHandlers *handlers;
    void *userdata;
    ConnectionState state;
    Worker *worker;
    Call *calls;
    usec_t retry;
    sd_event_source *bell, *timer, *deadline;
};

static void open_now(Connection *c);
static void away(Connection *c, int error, const char *why);

/* --- words ----------------------------------------------------------------------------------------------------------- */

static const struct {
    int error;
    const char *words;
} reasons[] = {
    { -ENOENT, "libvirt's daemon does not run, or is not installed" },
    { -ECONNREFUSED, "libvirt's daemon does not run" },
    { -EACCES, "libvirt cannot be used by this user" },
    { -EPERM, "libvirt cannot be used by this user" },
    { -ETIMEDOUT, "libvirt's daemon does not answer" },
    { -ENODEV, "what answers has no machines by QEMU; is libvirt's driver for QEMU installed?" },
    { -EAGAIN, "libvirt's daemon is overrun" },
};

char *connection_words(int error, const char *why)
{
    const char *words = "libvirt's daemon cannot be reached";
    _cleanup_(freep) char *said = why ? str_escape(why, strlen(why)) : NULL;

    TABLE_FOREACH (row, reasons)
        if (row->error == error)
            words = row->words;
    if (said)
        return strf("%s: %s", words, said);
    return strdup(words);
}

/* --- deadlines -------------------------------------------------------------------------------------------------------- */

static int on_deadline(sd_event_source *source, uint64_t when, void *userdata)
{
    away(userdata, -ETIMEDOUT, NULL);
    return 0;
}

static int on_retry(sd_event_source *source, uint64_t when, void *userdata)
{
    open_now(userdata);
    return 0;
}

static void timer_start(Connection *c, sd_event_source **timer, usec_t due, sd_event_time_handler_t handler)
{
    *timer = sd_event_source_disable_unref(*timer);
    if (due != USEC_INFINITY)
        (void)sd_event_add_time(c->event, timer, CLOCK_MONOTONIC, due, 1, handler, c);
}

static void deadline_update(Connection *c)
{
    usec_t due = USEC_INFINITY;

    for (Call *call = c->calls; call; call = call->next)
        due = MIN(due, call->due);
    timer_start(c, &c->deadline, due, on_deadline);
}

/* A quarter more or less, so that the runners of a host do not come all at once to a daemon that is back. */
static usec_t jitter(usec_t delay)
{
    Id128 random;
    unsigned byte = id128_random(&random) < 0 ? 128 : random.bytes[0];

    return delay * 3 / 4 + delay * byte / 512;
}

static void retry_later(Connection *c)
{
    c->retry = c->retry ? MIN(c->retry * 2, CONNECTION_RETRY_MAX) : CONNECTION_RETRY_MIN;
    timer_start(c, &c->timer, now_usec(CLOCK_MONOTONIC) + jitter(c->retry), on_retry);
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

int connection_call(Connection *c, Job *job)
{
    Call *call = NULL, **last;

    int r = c->state == CONNECTION_OPEN ? 0 : -ENOTCONN;
    if (r >= 0 && !(call = calloc(1, sizeof *call)))
        r = -ENOMEM;
    if (r < 0) {
        job_free(job);
        return r;
    }
    *call = (Call){ .job = job, .done = job->done, .userdata = job->userdata };
    call->due = now_usec(CLOCK_MONOTONIC) + job->timeout;
    for (last = &c->calls; *last;)
        last = &(*last)->next;
    *last = call;
    worker_submit(c->worker, job);
    deadline_update(c);
    return 0;
}

static void answered(Connection *c, Job *job)
{
    for (Call **p = &c->calls; *p; p = &(*p)->next) {
        Call *call = *p;
        if (call->job != job)
            continue;
        *p = call->next;
        free(call);
        deadline_update(c);
        job->done(job->userdata, job);
        return;
    }
}

/* They are the worker's; what comes of them is not known. */
static void calls_fail(Connection *c, int error, const char *why)
{
    for (Call *call; (call = c->calls);) {
        Job job = { .error = error == -ETIMEDOUT ? error : -ECONNRESET, .why = (char *)why };
        c->calls = call->next;
        if (call->done)
            call->done(call->userdata, &job);
        free(call);
    }
    deadline_update(c);
}

/* --- the state -------------------------------------------------------------------------------------------------------- */

static void worker_drop(Connection *c)
{
    c->bell = sd_event_source_disable_unref(c->bell);
    c->timer = sd_event_source_disable_unref(c->timer);
    c->worker = worker_leave(c->worker);
    c->state = CONNECTION_AWAY;
}

static void away(Connection *c, int error, const char *why)
{
    _cleanup_(freep) char *words = connection_words(error, why);

    worker_drop(c);
    retry_later(c);
    calls_fail(c, error, words);
    c->handlers->away(c->userdata, error, words ?: "libvirt's daemon cannot be reached");
}

static int on_open_deadline(sd_event_source *source, uint64_t when, void *userdata)
{
    away(userdata, -ETIMEDOUT, NULL);
    return 0;
}

static void take_note(Connection *c, Note *note)
{
    if (note->type == NOTE_OPENED) {
        c->state = CONNECTION_OPEN;
        c->retry = 0;
        c->timer = sd_event_source_disable_unref(c->timer);
        c->handlers->opened(c->userdata);
    } else if (note->type == NOTE_CLOSED)
        away(c, note->error, note->text);
    else if (note->type == NOTE_ANSWER)
        answered(c, note->job);
    else
        c->handlers->note(c->userdata, note);
}

static int on_bell(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Connection *c = userdata;

    /* One at a time: what it leads to may leave the worker. The bell rings until all are taken. */
    Note *note = worker_take(c->worker);
    if (note)
        take_note(c, note);
    note_free(note);
    return 0;
}

static void open_now(Connection *c)
{
    c->timer = sd_event_source_disable_unref(c->timer);
    if (worker_count() >= CONNECTION_WORKERS_MAX) {
        retry_later(c);
        return;
    }
    int r = worker_new(c->uri, &c->worker);
    if (r >= 0)
        r = sd_event_add_io(c->event, &c->bell, worker_bell(c->worker), EPOLLIN, on_bell, c);
    if (r < 0) {
        worker_drop(c);
        retry_later(c);
        return;
    }
    c->state = CONNECTION_OPENING;
    timer_start(c, &c->timer, now_usec(CLOCK_MONOTONIC) + CONNECTION_OPEN_TIMEOUT, on_open_deadline);
}

bool connection_is_open(const Connection *c)
{
    return c && c->state == CONNECTION_OPEN;
}

int connection_new(sd_event *event, const char *uri, const ConnectionHandlers *handlers, void *userdata,
                   Connection **ret)
{
    Connection *c = calloc(1, sizeof *c);

    if (!c)
        return -ENOMEM;
    *c = (Connection){ .event = sd_event_ref(event), .handlers = handlers, .userdata = userdata };
    c->uri = strdup(uri);
    if (!c->uri) {
        connection_free(c);
        return -ENOMEM;
    }
    open_now(c);
    *ret = c;
    return 0;
}

Connection *connection_free(Connection *c)
{
    if (!c)
        return NULL;
    worker_drop(c);
    for (Call *call; (call = c->calls);) {
        c->calls = call->next;
        free(call);
    }
    sd_event_source_disable_unref(c->deadline);
    sd_event_unref(c->event);
    free(c->uri);
    free(c);
    return NULL;
}
