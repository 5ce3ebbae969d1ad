/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "guest/agent/port.h"

static void on_patience(void *userdata);
static void on_hangup(void *userdata);

void port_init(Port *p, Loop *loop)
{
    *p = (Port){ .loop = loop, .fd = -1 };
    p->patience = (Timer){ .func = on_patience, .userdata = p };
    p->hangup = (Timer){ .func = on_hangup, .userdata = p };
}

void port_done(Port *p)
{
    loop_unwatch(p->loop, &p->watch);
    loop_timer_clear(p->loop, &p->patience);
    loop_timer_clear(p->loop, &p->hangup);
    frame_decoder_done(&p->decoder);
    bytes_done(&p->out);
    p->fd = safe_close(p->fd);
}

static size_t frame_size(const uint8_t *header)
{
    return FRAME_HEADER_SIZE +
           ((size_t)header[4] | (size_t)header[5] << 8 | (size_t)header[6] << 16 | (size_t)header[7] << 24);
}

/* Hands out all whole frames that the decoder has. */
static void deliver(Port *p)
{
    const uint8_t *payload;
    uint32_t session;
    size_t size;

    while (frame_decoder_next(&p->decoder, &session, &payload, &size) > 0) {
        p->doubt = false;
        p->on_frame(p->userdata, session, payload, size);
    }
    bool waiting = p->decoder.buffer.size > p->decoder.offset;
    loop_timer_set(p->loop, &p->patience,
                   waiting ? usec_add(loop_now(p->loop), PORT_PATIENCE) : USEC_INFINITY);
}

/* Where in the bytes a frame that begins a session ends up to, counted from its start; SIZE_MAX for none. */
static size_t find_beginning(Port *p, const uint8_t *data, size_t size)
{
    FrameDecoder scout = { 0 };
    const uint8_t *payload;
    uint32_t session;
    size_t n, found = SIZE_MAX;

    if (frame_decoder_push(&scout, data, size) < 0)
        return SIZE_MAX;
    while (found == SIZE_MAX && frame_decoder_next(&scout, &session, &payload, &n) > 0)
        if (p->begins(p->userdata, payload, n))
            found = scout.offset - n - FRAME_HEADER_SIZE;
    frame_decoder_done(&scout);
    return found;
}

static void on_patience(void *userdata)
{
    Port *p = userdata;
    FrameDecoder *d = &p->decoder;
    size_t begin = d->offset + 1;

    if (begin >= d->buffer.size)
        return;
    size_t found = find_beginning(p, d->buffer.data + begin, d->buffer.size - begin);
    if (found == SIZE_MAX)
        return;
    d->offset = begin + found;
    deliver(p);
}

static bool hung_up(const Port *p)
{
    struct pollfd now = { .fd = p->fd };
    return poll(&now, 1, 0) > 0 && (now.revents & POLLHUP);
}

static void on_event(void *userdata, uint32_t events)
{
    uint8_t buffer[16 * 1024];
    Port *p = userdata;
    bool heard = false;

    for (;;) {
        ssize_t n = read(p->fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        heard = true;
        /* Out of memory loses what was read; the next frame is found all the same. */
        if (frame_decoder_push(&p->decoder, buffer, (size_t)n) == 0)
            deliver(p);
    }
    p->doubt |= (events & EPOLLHUP) != 0;
    if (p->hangup.set ? heard : (events & EPOLLHUP) != 0)
        loop_timer_set(p->loop, &p->hangup, usec_add(loop_now(p->loop), PORT_HANGUP_DELAY));
    port_flush(p);
}

static void on_hangup(void *userdata)
{
    Port *p = userdata;

    p->doubt = false;
    if (!hung_up(p))
        return;
    frame_decoder_done(&p->decoder);
    loop_timer_clear(p->loop, &p->patience);
    bytes_done(&p->out);
    p->written = 0;
    p->on_hangup(p->userdata);
}

int port_open(Port *p, int fd)
{
    p->watch = (Watch){ .func = on_event, .userdata = p };
    p->fd = fd;
    return loop_watch(p->loop, &p->watch, fd, EPOLLIN | EPOLLOUT | EPOLLET);
}

int port_send(Port *p, uint32_t session, const void *payload, size_t size)
{
    if (p->out.size > PORT_OUT_MAX)
        return -ENOBUFS;
    return frame_append(&p->out, session, payload, size);
}

/* Forgets the frames that are out as a whole. */
static void consume_written(Port *p)
{
    size_t whole = 0;

    while (p->written > whole && p->written - whole >= frame_size(p->out.data + whole))
        whole += frame_size(p->out.data + whole);
    bytes_consume(&p->out, whole);
    p->written -= whole;
}

void port_flush(Port *p)
{
    while (p->fd >= 0 && p->written < p->out.size) {
        ssize_t n = write(p->fd, p->out.data + p->written, p->out.size - p->written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        p->written += (size_t)n;
    }
    consume_written(p);
}

void port_discard(Port *p)
{
    if (p->out.size > 0)
        p->out.size = p->written > 0 ? frame_size(p->out.data) : 0;
}

bool port_busy(const Port *p)
{
    return p->out.size - p->written > PORT_BUSY_SIZE;
}

bool port_idle(const Port *p)
{
    return p->out.size == 0;
}

bool port_in_doubt(const Port *p)
{
    return p->doubt;
}
