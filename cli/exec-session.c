/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/log.h"
#include "base/socket.h"
#include "base/strings.h"
#include "cli/exec-session.h"
#include "cli/exit-status.h"
#include "cli/raw-terminal.h"
#include "cli/text.h"
#include "schemas/stream.h"

enum {
    PIECE = 4096, /* what a pipe takes at once when poll() says that it can be written (PIPE_BUF) */
};

typedef enum Source {
    SOURCE_SIGNALS,
    SOURCE_STREAM,
    SOURCE_INPUT,
    SOURCE_OUTPUT,
    SOURCE_MAX,
} Source;

typedef struct Running {
    const ExecSession *session;
    int signals;  /* signalfd */
    Bytes *queue; /* packets for the program, oldest first */
    size_t n_queue;
    bool input_open;
    int output;    /* descriptor that `pending` is for */
    Bytes pending; /* output of the program that is not written yet */
    size_t written;
    bool ended;
    int status;
} Running;

static int finish(Running *r, int status)
{
    r->ended = true;
    r->status = status;
    return 0;
}

/* --- towards the program ---------------------------------------------------------------------------------------- */

static int enqueue(Running *r, int type, const void *body)
{
    Bytes packet = { 0 };
    Bytes *queue = reallocarray(r->queue, r->n_queue + 1, sizeof *queue);

    if (!queue)
        return -ENOMEM;
    r->queue = queue;
    int error = message_to_bytes(&stream_protocol, type, 0, body, &packet);
    if (error < 0)
        return error;
    queue[r->n_queue++] = packet;
    return 0;
}

static int send_queue(Running *r)
{
    while (r->n_queue > 0) {
        int error = packet_send(r->session->stream, r->queue[0].data, r->queue[0].size, -1);
        if (error == -EAGAIN)
            return 0;
        if (error == -EPIPE || error == -ECONNRESET) {
            /* It has ended; how stands in what is still to be read. */
            r->input_open = false;
            error = 0;
        }
        if (error < 0)
            return error;
        bytes_done(&r->queue[0]);
        memmove(r->queue, r->queue + 1, --r->n_queue * sizeof *r->queue);
    }
    return 0;
}

static int enqueue_input(Running *r, uint8_t *data, size_t size)
{
    StreamData message = { .channel = STREAM_STDIN, .data = { .data = data, .size = size } };
    return enqueue(r, STREAM_DATA, &message);
}

/* What was typed, less the detach keys. size 0: no more will be. */
static int send_typed(Running *r, const uint8_t *data, size_t size)
{
    DetachKeys *keys = r->session->keys;
    _cleanup_(bytes_done) Bytes typed = { 0 };

    int leaves = size > 0 ? detach_keys_take(keys, data, size, &typed) : detach_keys_rest(keys, &typed);
    int error = leaves < 0 ? leaves : 0;
    if (error >= 0 && typed.size > 0)
        error = enqueue_input(r, typed.data, typed.size);
    if (error >= 0 && size == 0)
        error = enqueue_input(r, NULL, 0);
    if (error < 0 || leaves == 0)
        return error;
    /* Before the end of the session, as far as there is room for it: who waits longer could not leave a program that reads nothing. */
    error = send_queue(r);
    if (r->session->detached)
        *r->session->detached = true;
    return error < 0 ? error : finish(r, STATUS_OK);
}

static int send_input(Running *r)
{
    /* With room for the detach keys that were held back. */
    uint8_t data[STREAM_DATA_MAX - DETACH_KEYS_MAX];
    ssize_t n = read(r->session->streams[STREAM_STDIN], data, sizeof data);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0)
        r->input_open = false;
    size_t size = n > 0 ? (size_t)n : 0;
    return r->session->keys ? send_typed(r, data, size) : enqueue_input(r, data, size);
}

static int send_size(Running *r)
{
    uint32_t rows, columns;

    terminal_size(r->session->streams[STREAM_STDIN], &rows, &columns);
    StreamResize message = { .rows = rows, .columns = columns };
    return enqueue(r, STREAM_RESIZE, &message);
}

static int on_signal(Running *r)
{
    struct signalfd_siginfo info;

    if (read(r->signals, &info, sizeof info) != sizeof info)
        return 0;
    if (info.ssi_signo == SIGWINCH)
        return r->session->terminal ? send_size(r) : 0;
    /* Our end of the socket closing is the hang-up. So it is when a signal could not get past input that nobody takes. */
    if (info.ssi_signo == SIGHUP || r->session->looks_only || r->n_queue > 0)
        return finish(r, STATUS_SIGNAL + (int)info.ssi_signo);
    StreamSignal message = { .signal = info.ssi_signo };
    return enqueue(r, STREAM_SIGNAL, &message);
}

/* --- from the program ------------------------------------------------------------------------------------------- */

static int keep_words(Bytes *words, const Bytes *data)
{
    size_t room = EXEC_WORDS_MAX - words->size;
    return bytes_append(words, data->data, MIN(data->size, room));
}

static int on_data(Running *r, StreamData *data)
{
    if (r->session->words && data->channel == STREAM_STDERR)
        return keep_words(r->session->words, &data->data);
    if (data->data.size == 0 || data->channel == STREAM_STDIN || r->session->streams[data->channel] < 0)
        return 0;
    r->output = r->session->streams[data->channel];
    r->pending = data->data;
    r->written = 0;
    data->data = (Bytes){ 0 };
    return 0;
}

static int on_exit_message(Running *r, const StreamExit *e)
{
    _cleanup_(freep) char *message = text_safe(e->message);

    if (!str_empty(message))
        log_error("%s: %s", r->session->target, message);
    if (e->signal > 0 && e->signal < 128)
        return finish(r, STATUS_SIGNAL + (int)e->signal);
    if (e->code >= 0 && e->code <= 255)
        return finish(r, (int)e->code);
    if (str_empty(message))
        log_error("%s: how the command ended is not known", r->session->target);
    return finish(r, STATUS_EXEC_FAILED);
}

static int on_lost(Running *r)
{
    log_error("%s: the connection to the %s; `podvisor status` shows the pod", r->session->target,
              r->session->attached ? "container is lost, which may go on without it"
                                   : "command is lost, and so is how it ended");
    return finish(r, STATUS_EXEC_FAILED);
}

static int on_packet(Running *r)
{
    Bytes packet = { 0 };
    Message message;

    ssize_t n = packet_receive(r->session->stream, STREAM_PACKET_MAX, &packet, NULL);
    int error = n > 0 ? message_from_bytes(&stream_protocol, packet.data, packet.size, &message) : (int)n;
    bytes_done(&packet);
    if (n == 0)
        return on_lost(r);
    /* Told once when the other side closed without having read all of ours; what it sent before is still to be read. */
    if (n == -ECONNRESET)
        return 0;
    if (error == -EAGAIN || error == -ENOTSUP)
        return 0;
    if (error < 0)
        return error;
    if (message.type == STREAM_DATA)
        error = on_data(r, message.body);
    else if (message.type == STREAM_EXIT)
        error = on_exit_message(r, message.body);
    message_done(&message);
    return error;
}

static int write_output(Running *r)
{
    size_t left = r->pending.size - r->written;
    ssize_t n = write(r->output, r->pending.data + r->written, MIN(left, (size_t)PIECE));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0 && errno == EPIPE)
        return finish(r, STATUS_SIGNAL + SIGPIPE);
    if (n < 0) {
        log_error_errno(-errno, "The output of %s cannot be written", r->session->target);
        return finish(r, STATUS_EXEC_FAILED);
    }
    r->written += (size_t)n;
    if (r->written == r->pending.size) {
        bytes_done(&r->pending);
        r->written = 0;
    }
    return 0;
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

/* SIGPIPE is ignored: a write says EPIPE. What stops and continues a process is left to do so. */
static int hold_signals(sigset_t *ret)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };

    sigemptyset(ret);
    TABLE_FOREACH (number, numbers)
        sigaddset(ret, *number);
    (void)signal(SIGPIPE, SIG_IGN);
    return sigprocmask(SIG_BLOCK, ret, NULL) < 0 ? -errno : 0;
}

int exec_session_hold_signals(void)
{
    sigset_t set;
    return hold_signals(&set);
}

static int signals_open(void)
{
    sigset_t set;

    int r = hold_signals(&set);
    if (r < 0)
        return r;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

typedef int (*Handler)(Running *r);

static int step(Running *r)
{
    bool holding = r->pending.size > 0;
    struct pollfd fds[SOURCE_MAX] = {
        [SOURCE_SIGNALS] = { .fd = r->signals, .events = POLLIN },
        [SOURCE_STREAM] = { .fd = r->session->stream,
                            .events = (short)((holding ? 0 : POLLIN) | (r->n_queue > 0 ? POLLOUT : 0)) },
        [SOURCE_INPUT] = { .fd = r->input_open && r->n_queue == 0 ? r->session->streams[STREAM_STDIN] : -1,
                           .events = POLLIN },
        [SOURCE_OUTPUT] = { .fd = holding ? r->output : -1, .events = POLLOUT },
    };
    /* A hang-up of the stream is told even when nothing is asked for; while output is held it has to wait its turn. */
    if (fds[SOURCE_STREAM].events == 0)
        fds[SOURCE_STREAM].fd = -1;
    if (poll(fds, SOURCE_MAX, -1) < 0)
        return errno == EINTR ? 0 : -errno;

    static const Handler handlers[SOURCE_MAX] = {
        [SOURCE_SIGNALS] = on_signal,
        [SOURCE_STREAM] = on_packet,
        [SOURCE_INPUT] = send_input,
        [SOURCE_OUTPUT] = write_output,
    };
    int error = 0;
    for (int i = 0; error >= 0 && !r->ended && i < SOURCE_MAX; i++) {
        bool readable = i != SOURCE_STREAM || (!holding && fds[i].revents & ~POLLOUT);
        if (fds[i].revents && readable)
            error = handlers[i](r);
    }
    return error < 0 || r->ended ? error : send_queue(r);
}

static void running_done(Running *r)
{
    for (size_t i = 0; i < r->n_queue; i++)
        bytes_done(&r->queue[i]);
    free(r->queue);
    bytes_done(&r->pending);
    safe_close(r->signals);
}

int exec_session_stream(int fd)
{
    return fcntl(fd, F_GETFD) >= 0 ? fd : -1;
}

int exec_session_run(const ExecSession *session)
{
    _cleanup_(running_done) Running r = { .session = session,
                                          .signals = signals_open(),
                                          .input_open = session->streams[STREAM_STDIN] >= 0 };
    int error = r.signals < 0 ? r.signals : 0;

    /* The socket was made for this session; nobody shares its flags. */
    if (error >= 0 && fcntl(session->stream, F_SETFL, fcntl(session->stream, F_GETFL) | O_NONBLOCK) < 0)
        error = -errno;

    if (error >= 0 && !r.input_open && !session->attached && (error = enqueue_input(&r, NULL, 0)) >= 0)
        error = send_queue(&r);
    while (error >= 0 && !r.ended)
        error = step(&r);
    if (error >= 0)
        return r.status;
    log_error_errno(error, "%s: the command's streams cannot be carried", session->target);
    return STATUS_EXEC_FAILED;
}
