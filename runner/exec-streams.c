/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>

#include "base/socket.h"
#include "base/strings.h"
#include "runner/exec-streams.h"

#define EXEC_START_TIMEOUT (30 * USEC_PER_SEC)
enum {
    CREDIT_STEP = 32 * 1024,       /* granted at once, so that credits are few */
    CREDIT_MAX = 16 * 1024 * 1024, /* more is not believed */
    EXIT_TEXT_MAX = 1000,
    SIGNAL_MAX = 64,
    CODE_MAX = 255,
};

/* Output of one channel on its way to the client. */
typedef struct ExecOutput {
    Bytes held;
    uint64_t granted; /* what the agent may still send */
    uint64_t owed;    /* went to the client and is not granted again yet */
    bool end;         /* the agent has said that nothing follows */
    bool end_sent;
} ExecOutput;

typedef struct ExecStream {
    ExecStreams *owner;
    struct ExecStream *next;
    uint64_t number;
    int fd;
    sd_event_source *io;
    bool started; /* the agent has said so */
    bool question;
    Bytes input;
    uint64_t input_credit;
    bool input_end, input_end_sent;
    ExecOutput output[STREAM_CHANNEL_MAX]; /* stdin's is not used */
    bool ended;
    AgentExit end;
} ExecStream;

struct ExecStreams {
    sd_event *event;
    AgentClient *client;
    ExecStream *first;
    size_t n;
    uint64_t last_number;
};

static const StreamChannel output_channels[] = { STREAM_STDOUT, STREAM_STDERR };

/* --- one stream's life ------------------------------------------------------------------------------------------ */

static void stream_free(ExecStream *x)
{
    ExecStreams *s = x->owner;

    for (ExecStream **p = &s->first; *p; p = &(*p)->next)
        if (*p == x) {
            *p = x->next;
            s->n--;
            break;
        }
    agent_client_forget(s->client, x);
    sd_event_source_disable_unref(x->io);
    safe_close(x->fd);
    bytes_done(&x->input);
    TABLE_FOREACH (channel, output_channels)
        bytes_done(&x->output[*channel].held);
    schema_done(&agent_exit_schema, &x->end);
    free(x);
}

static int client_send(ExecStream *x, int type, const void *body)
{
    _cleanup_(bytes_done) Bytes b = { 0 };

    int r = message_to_bytes(&stream_protocol, type, 0, body, &b);
    return r < 0 ? r : packet_send(x->fd, b.data, b.size, -1);
}

/* The client is gone, or broke the protocol: the program is ended too. */
static void stream_hang_up(ExecStream *x)
{
    (void)agent_client_send(x->owner->client, AGENT_HANGUP, &(AgentStream){ .stream = x->number });
    stream_free(x);
}

static ExecStream *stream_find(ExecStreams *s, uint64_t number)
{
    for (ExecStream *x = s->first; x; x = x->next)
        if (x->number == number)
            return x;
    return NULL;
}

/* --- to the client ------------------------------------------------------------------------------------------------ */

static void credit_grant(ExecStream *x, StreamChannel channel)
{
    ExecOutput *o = &x->output[channel];

    if (o->owed < CREDIT_STEP || o->end || x->ended)
        return;
    AgentCredit credit = { .stream = x->number, .channel = channel, .bytes = o->owed };
    if (agent_client_send(x->owner->client, AGENT_CREDIT, &credit) < 0)
        return;
    o->granted += o->owed;
    o->owed = 0;
}

/* 0 when all went out, -EAGAIN, or another negative errno. */
static int output_flush(ExecStream *x, StreamChannel channel)
{
    ExecOutput *o = &x->output[channel];
    size_t done = 0;
    int r = 0;

    while (r == 0 && done < o->held.size) {
        size_t n = MIN(o->held.size - done, (size_t)STREAM_DATA_MAX);
        StreamData data = { .channel = channel, .data = { .data = o->held.data + done, .size = n } };
        if ((r = client_send(x, STREAM_DATA, &data)) == 0)
            done += n;
    }
    bytes_consume(&o->held, done);
    o->owed += done;
    if (r == 0 && o->end && !o->end_sent) {
        r = client_send(x, STREAM_DATA, &(StreamData){ .channel = channel });
        o->end_sent = r == 0;
    }
    return r;
}

static int exit_send(ExecStream *x)
{
    StreamExit end = { .code = x->end.code, .signal = x->end.signal, .message = x->end.message };
    return client_send(x, STREAM_EXIT, &end);
}

static void stream_watch(ExecStream *x, bool writing)
{
    bool reading = x->started && x->input.size == 0 && agent_client_has_room(x->owner->client);

    (void)sd_event_source_set_io_events(x->io, (reading ? EPOLLIN : 0u) | (writing ? EPOLLOUT : 0u));
}

/* Sends what there is, last the exit. Frees the stream at its end. */
static void stream_flush(ExecStream *x)
{
    int r = 0;

    for (size_t i = 0; i < ELEMENTSOF(output_channels) && (r == 0 || r == -EAGAIN); i++) {
        int e = output_flush(x, output_channels[i]);
        credit_grant(x, output_channels[i]);
        r = r == -EAGAIN && e == 0 ? r : e;
    }
    if (r == 0 && x->ended && (r = exit_send(x)) == 0) {
        stream_free(x);
        return;
    }
    if (r < 0 && r != -EAGAIN)
        stream_hang_up(x);
    else
        stream_watch(x, r == -EAGAIN);
}

/* --- to the agent --------------------------------------------------------------------------------------------------- */

static int input_send(ExecStream *x, size_t n)
{
    AgentData data = { .stream = x->number,
                       .channel = STREAM_STDIN,
                       .data = { .data = x->input.data, .size = n } };

    int r = agent_client_send(x->owner->client, AGENT_DATA, &data);
    if (r < 0)
        return r;
    x->input_credit -= n;
    bytes_consume(&x->input, n);
    return 0;
}

static void input_pump(ExecStream *x)
{
    AgentClient *c = x->owner->client;

    while (x->input.size > 0 && x->input_credit > 0 && agent_client_has_room(c))
        if (input_send(x, MIN(x->input.size, MIN((size_t)x->input_credit, (size_t)STREAM_DATA_MAX))) < 0)
            return;
    if (x->input_end && !x->input_end_sent && x->input.size == 0) {
        AgentData end = { .stream = x->number, .channel = STREAM_STDIN };
        x->input_end_sent = agent_client_send(c, AGENT_DATA, &end) == 0;
    }
}

static int client_data(ExecStream *x, const void *body)
{
    const StreamData *data = body;

    if (data->channel != STREAM_STDIN || x->input_end)
        return -EBADMSG;
    x->input_end = data->data.size == 0;
    return bytes_append(&x->input, data->data.data, data->data.size);
}

static int client_resize(ExecStream *x, const void *body)
{
    const StreamResize *resize = body;
    AgentStreamResize m = { .stream = x->number, .rows = resize->rows, .columns = resize->columns };
    return agent_client_send(x->owner->client, AGENT_RESIZE, &m);
}

static int client_signal(ExecStream *x, const void *body)
{
    const StreamSignal *signal = body;
    AgentStreamSignal m = { .stream = x->number, .signal = signal->signal };
    return agent_client_send(x->owner->client, AGENT_SIGNAL, &m);
}

static int (*const client_handlers[STREAM_MESSAGE_MAX])(ExecStream *x, const void *body) = {
    [STREAM_DATA] = client_data,
    [STREAM_RESIZE] = client_resize,
    [STREAM_SIGNAL] = client_signal,
};

/* 0, or negative errno: the client is gone or does not keep to the protocol. */
static int client_take(ExecStream *x)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    Message m;

    ssize_t n = packet_receive(x->fd, STREAM_PACKET_MAX, &packet, NULL);
    if (n == -EAGAIN || n == -ENOMEM)
        return 0;
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    int r = message_from_bytes(&stream_protocol, packet.data, packet.size, &m);
    if (r < 0)
        return r == -ENOTSUP ? 0 : r;
    r = client_handlers[m.type] ? client_handlers[m.type](x, m.body) : -EBADMSG;
    message_done(&m);
    return r;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    ExecStream *x = userdata;

    /* A hang-up shows as EPOLLIN as well, behind what was written before it; where nobody reads now, it counts at once. */
    uint32_t watched = 0;
    (void)sd_event_source_get_io_events(source, &watched);
    if (events & EPOLLERR || (events & EPOLLHUP && !(watched & EPOLLIN))) {
        stream_hang_up(x);
        return 0;
    }
    if (events & (EPOLLIN | EPOLLHUP) && client_take(x) < 0) {
        stream_hang_up(x);
        return 0;
    }
    input_pump(x);
    stream_flush(x);
    return 0;
}

/* --- from the agent ------------------------------------------------------------------------------------------------- */

static bool is_output(StreamChannel channel)
{
    return channel == STREAM_STDOUT || channel == STREAM_STDERR;
}

void exec_streams_on_data(ExecStreams *s, const AgentData *data)
{
    ExecStream *x = stream_find(s, data->stream);

    if (!x || x->ended)
        return;
    ExecOutput *o = is_output(data->channel) ? &x->output[data->channel] : NULL;
    if (!o || o->end || data->data.size > o->granted ||
        bytes_append(&o->held, data->data.data, data->data.size) < 0) {
        stream_hang_up(x);
        return;
    }
    o->granted -= data->data.size;
    o->end = data->data.size == 0;
    stream_flush(x);
}

void exec_streams_on_credit(ExecStreams *s, const AgentCredit *credit)
{
    ExecStream *x = stream_find(s, credit->stream);

    if (!x || credit->channel != STREAM_STDIN)
        return;
    x->input_credit = MIN(x->input_credit + MIN(credit->bytes, (uint64_t)CREDIT_MAX), (uint64_t)CREDIT_MAX);
    input_pump(x);
    stream_flush(x);
}

static void stream_end(ExecStream *x, int64_t code, uint64_t signal, const char *message)
{
    x->ended = true;
    x->end.code = code;
    x->end.signal = signal;
    x->end.message = message ? strdup(message) : NULL;
    stream_flush(x);
}

void exec_streams_on_exit(ExecStreams *s, const AgentExit *end)
{
    ExecStream *x = stream_find(s, end->stream);

    if (!x || x->ended)
        return;
    /* The guest may claim anything; a status is what a status can be. */
    bool by_signal = end->signal > 0 && end->signal <= SIGNAL_MAX;
    int64_t code = !by_signal && end->code >= 0 && end->code <= CODE_MAX ? end->code : -1;
    size_t size = end->message ? strnlen(end->message, EXIT_TEXT_MAX) : 0;
    _cleanup_(freep) char *text = size > 0 ? str_escape(end->message, size) : NULL;
    stream_end(x, code, by_signal ? end->signal : 0, text);
}

void exec_streams_on_room(ExecStreams *s)
{
    for (ExecStream *x = s->first, *next; x; x = next) {
        next = x->next;
        input_pump(x);
        stream_flush(x);
    }
}

/* --- starting ------------------------------------------------------------------------------------------------------- */

/* What shells and container tools return for a program that could not be started. */
static int64_t code_of(int error)
{
    static const struct {
        int error;
        int64_t code;
    } codes[] = {
        { ENOENT, 127 }, { EACCES, 126 }, { ENOEXEC, 126 }, { ENOTDIR, 126 }, { EISDIR, 126 }, { ELOOP, 126 },
    };
    enum { OTHER = 125 };

    TABLE_FOREACH (row, codes)
        if (row->error == -error)
            return row->code;
    return OTHER;
}

static void on_started(void *userdata, int error, const char *message)
{
    ExecStream *x = userdata;

    x->started = true;
    if (x->ended || error == -ECONNRESET)
        return; /* the end of the session is told by exec_streams_free() */
    /* It may start yet, and nobody would be there for it. */
    if (error == -ETIMEDOUT)
        (void)agent_client_send(x->owner->client, AGENT_HANGUP, &(AgentStream){ .stream = x->number });
    if (error < 0)
        stream_end(x, code_of(error), 0, message ?: strerror(-error));
    else
        stream_watch(x, false);
}

static int socket_check(int fd)
{
    int type = 0;
    socklen_t size = sizeof type;

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET)
        return -EINVAL;
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static size_t count_questions(const ExecStreams *s)
{
    size_t n = 0;

    for (const ExecStream *x = s->first; x; x = x->next)
        n += x->question;
    return n;
}

static ExecStream *stream_new(ExecStreams *s)
{
    ExecStream *x = calloc(1, sizeof *x);

    if (!x)
        return NULL;
    x->owner = s;
    x->fd = -1;
    x->number = ++s->last_number;
    x->input_credit = AGENT_STREAM_CREDIT;
    TABLE_FOREACH (channel, output_channels)
        x->output[*channel].granted = AGENT_STREAM_CREDIT;
    x->end.code = -1;
    x->next = s->first;
    s->first = x;
    s->n++;
    return x;
}

static int stream_ask(ExecStream *x, int fd, const ExecRequest *request)
{
    AgentExec exec = { .stream = x->number, .request = *request };

    int r = sd_event_add_io(x->owner->event, &x->io, fd, 0, on_client, x);
    if (r < 0)
        return r;
    return agent_client_request(x->owner->client, AGENT_EXEC, &exec, EXEC_START_TIMEOUT, on_started, x);
}

int exec_streams_start(ExecStreams *s, const ExecRequest *request, int *fd, char **ret_message)
{
    int r = socket_check(*fd);
    if (r < 0)
        return r;
    if (s->n >= AGENT_STREAMS_MAX) {
        *ret_message = strf("%d programs run by exec already", AGENT_STREAMS_MAX);
        return -EBUSY;
    }
    if (task_is_question(request->task) && count_questions(s) >= TASK_QUESTIONS_MAX) {
        *ret_message = strf("%d such questions are being answered already", TASK_QUESTIONS_MAX);
        return -EBUSY;
    }
    ExecStream *x = stream_new(s);
    if (!x)
        return -ENOMEM;
    x->question = task_is_question(request->task);
    if ((r = stream_ask(x, *fd, request)) < 0) {
        stream_free(x);
        if (r == -EMSGSIZE)
            *ret_message = strdup("command and environment are too long");
        return r;
    }
    x->fd = take_fd(fd);
    return 0;
}

int exec_streams_new(sd_event *event, AgentClient *client, ExecStreams **ret)
{
    ExecStreams *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    *s = (ExecStreams){ .event = sd_event_ref(event), .client = client };
    *ret = s;
    return 0;
}

size_t exec_streams_count(const ExecStreams *s)
{
    return s->n;
}

ExecStreams *exec_streams_free(ExecStreams *s, const char *why)
{
    if (!s)
        return NULL;
    while (s->first) {
        ExecStream *x = s->first;
        if (!x->ended) {
            x->end.code = -1;
            x->end.message = strdup(why);
        }
        /* As far as the client's socket takes it; a client that does not read learns it from the end of the stream. */
        TABLE_FOREACH (channel, output_channels)
            (void)output_flush(x, *channel);
        (void)exit_send(x);
        stream_free(x);
    }
    sd_event_unref(s->event);
    free(s);
    return NULL;
}
