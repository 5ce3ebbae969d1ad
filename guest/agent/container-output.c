/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <time.h>

#include "guest/agent/agent.h"
#include "guest/agent/container-output.h"

enum { READ_MAX = 16 * 1024 };

static void on_line(void *userdata, bool partial, const void *data, size_t size)
{
    ContainerOutput *o = userdata;
    const uint8_t *line = data;

    /* That is how the terminal ends a line. */
    if (o->terminal && !partial && size > 0 && line[size - 1] == '\r')
        size--;
    log_ring_append(&o->agent->ring, now_usec(CLOCK_REALTIME), o->container, o->channel, partial, data, size);
}

static void on_readable(void *userdata, uint32_t events)
{
    ContainerOutput *o = userdata;
    o->readable = true;
}

void container_output_init(ContainerOutput *o, Agent *a, const char *container, StreamChannel channel)
{
    *o = (ContainerOutput){ .agent = a, .container = container, .channel = channel, .fd = -1 };
    o->watch = (Watch){ .func = on_readable, .userdata = o };
    o->splitter = (LineSplitter){ .line_max = AGENT_LOG_RECORD_MAX, .func = on_line, .userdata = o };
}

int container_output_take(ContainerOutput *o, int fd, bool terminal)
{
    o->fd = fd;
    o->terminal = terminal;
    o->readable = o->ending = false;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return loop_watch(&o->agent->loop, &o->watch, fd, EPOLLIN | EPOLLET);
}

int container_output_open(ContainerOutput *o, int *ret_write)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *ret_write = fds[1];
    return container_output_take(o, fds[0], false);
}

void container_output_close(ContainerOutput *o)
{
    if (o->fd < 0)
        return;
    line_splitter_finish(&o->splitter);
    loop_unwatch(&o->agent->loop, &o->watch);
    o->fd = safe_close(o->fd);
    o->readable = false;
}

void container_output_end(ContainerOutput *o)
{
    o->ending = true;
    o->rest = CONTAINER_OUTPUT_REST_MAX;
    o->readable = o->fd >= 0;
}

static void take(ContainerOutput *o, const uint8_t *data, size_t size)
{
    attach_take(o->agent, o->container, o->channel, data, size);
    (void)line_splitter_push(&o->splitter, data, size);
    if (!o->ending)
        return;
    o->rest -= MIN(o->rest, size);
    if (o->rest == 0)
        container_output_close(o);
}

/* No process has it open at this moment, as when a program closes its streams; it may open /dev/tty again. */
static bool is_idle_terminal(const ContainerOutput *o, int error)
{
    return o->terminal && error == EIO;
}

bool container_output_read(ContainerOutput *o)
{
    uint8_t buffer[READ_MAX];
    size_t room = o->readable ? agent_log_room(o->agent) : 0;

    if (room > 0)
        room = MIN(room, attach_room(o->agent, o->container, o->channel));
    if (o->fd < 0 || room == 0)
        return false;
    ssize_t n = read(o->fd, buffer, MIN(room, sizeof buffer));
    if (n > 0)
        take(o, buffer, (size_t)n);
    else if (n < 0 && !o->ending && (errno == EAGAIN || is_idle_terminal(o, errno)))
        o->readable = false;
    else if (n == 0 || errno != EINTR)
        container_output_close(o);
    return o->readable;
}
