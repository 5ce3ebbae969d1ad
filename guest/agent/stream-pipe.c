/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "guest/agent/stream-pipe.h"

static void on_readable(void *userdata, uint32_t events)
{
    StreamOutput *o = userdata;
    o->readable = true;
}

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

void stream_output_init(StreamOutput *o)
{
    *o = (StreamOutput){ .fd = -1, .credit = AGENT_STREAM_CREDIT };
}

int stream_output_open(StreamOutput *o, Loop *l, int fd)
{
    o->fd = fd;
    o->open = true;
    o->watch = (Watch){ .func = on_readable, .userdata = o };
    int r = set_nonblocking(fd);
    return r < 0 ? r : loop_watch(l, &o->watch, fd, EPOLLIN | EPOLLET);
}

void stream_output_close(StreamOutput *o, Loop *l)
{
    loop_unwatch(l, &o->watch);
    o->fd = safe_close(o->fd);
    o->readable = false;
}

ssize_t stream_output_read(StreamOutput *o, void *buffer, size_t size)
{
    if (o->fd < 0)
        return 0;
    if (!o->readable || o->credit == 0)
        return -EAGAIN;
    ssize_t n = read(o->fd, buffer, (size_t)MIN((uint64_t)size, o->credit));
    if (n < 0 && errno == EINTR)
        return -EAGAIN;
    if (n < 0 && errno == EAGAIN) {
        o->readable = false;
        return -EAGAIN;
    }
    /* A terminal whose other side is closed by all fails with EIO: that is its end. */
    if (n <= 0)
        return 0;
    o->credit -= (uint64_t)n;
    return n;
}

static void on_writable(void *userdata, uint32_t events)
{
    StreamInput *i = userdata;
    i->writable = true;
}

void stream_input_init(StreamInput *i)
{
    *i = (StreamInput){ .fd = -1, .granted = AGENT_STREAM_CREDIT };
}

int stream_input_open(StreamInput *i, Loop *l, int fd)
{
    i->fd = fd;
    i->writable = true;
    i->watch = (Watch){ .func = on_writable, .userdata = i };
    int r = set_nonblocking(fd);
    return r < 0 ? r : loop_watch(l, &i->watch, fd, EPOLLOUT | EPOLLET);
}

void stream_input_close(StreamInput *i, Loop *l)
{
    loop_unwatch(l, &i->watch);
    i->fd = safe_close(i->fd);
    i->closed = true;
    i->taken += i->pending.size;
    bytes_done(&i->pending);
}

int stream_input_push(StreamInput *i, const void *data, size_t size)
{
    if (size == 0) {
        i->ended = true;
        return 0;
    }
    if (size > i->granted)
        return -EMSGSIZE;
    i->granted -= size;
    if (i->closed || i->ended) {
        i->taken += size;
        return 0;
    }
    return bytes_append(&i->pending, data, size);
}

void stream_input_write(StreamInput *i, Loop *l)
{
    size_t done = 0;

    while (i->fd >= 0 && i->writable && done < i->pending.size) {
        ssize_t n = write(i->fd, i->pending.data + done, i->pending.size - done);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            i->writable = false;
        else if (n == 0 || errno != EINTR)
            break;
    }
    bool lost = i->fd >= 0 && i->writable && done < i->pending.size;
    bytes_consume(&i->pending, done);
    i->taken += done;
    if (lost || (i->fd >= 0 && i->ended && i->pending.size == 0))
        stream_input_close(i, l);
}

uint64_t stream_input_grant(StreamInput *i)
{
    uint64_t grant = i->taken;

    if (i->ended || grant < AGENT_STREAM_CREDIT / 4)
        return 0;
    i->granted += grant;
    i->taken = 0;
    return grant;
}
