/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "supervisor/relay.h"

enum { BUFFER_SIZE = 64 * 1024 };

typedef struct Direction {
    int from, to;
    uint8_t buffer[BUFFER_SIZE];
    size_t begin, end; /* what of it is still to be sent */
    bool over;         /* nothing more comes */
} Direction;

static bool is_empty(const Direction *d)
{
    return d->begin == d->end;
}

/* Not now, in neither direction, is no error. */
static bool is_pause(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* A side that was killed has ended like any other. */
static bool is_end(int error)
{
    return error == EPIPE || error == ECONNRESET;
}

static int fill(Direction *d)
{
    ssize_t n = recv(d->from, d->buffer, sizeof d->buffer, 0);

    if (n < 0 && !is_end(errno))
        return is_pause(errno) ? 0 : -errno;
    d->over = n <= 0;
    d->begin = 0;
    d->end = n > 0 ? (size_t)n : 0;
    return 0;
}

static int drain(Direction *d)
{
    ssize_t n = send(d->to, d->buffer + d->begin, d->end - d->begin, MSG_NOSIGNAL);

    if (n < 0 && is_end(errno)) {
        d->over = true;
        d->begin = d->end;
        return 0;
    }
    if (n < 0)
        return is_pause(errno) ? 0 : -errno;
    d->begin += (size_t)n;
    return 0;
}

/* As far as it goes without waiting; when all ends, only what was said already. */
static int move(Direction *d, bool ending)
{
    int r = is_empty(d) && !ending ? fill(d) : 0;

    return r < 0 || is_empty(d) ? r : drain(d);
}

/* What is waited for at this side; 0: nothing. */
static short events_of(const Direction *d, int side, bool ending)
{
    if (is_empty(d))
        return d->from == side && !ending ? POLLIN : 0;
    return d->to == side ? POLLOUT : 0;
}

static int await(const Direction *d, int a, int b, bool ending, usec_t timeout)
{
    struct pollfd sides[] = { { .fd = a }, { .fd = b } };

    TABLE_FOREACH (side, sides) {
        side->events = (short)(events_of(&d[0], side->fd, ending) | events_of(&d[1], side->fd, ending));
        if (side->events == 0)
            side->fd = -1;
    }
    return poll(sides, ELEMENTSOF(sides), ending ? (int)(timeout / USEC_PER_MSEC) + 1 : -1);
}

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int relay(int a, int b)
{
    Direction d[] = { { .from = a, .to = b }, { .from = b, .to = a } };
    usec_t deadline = 0;
    bool ending = false;

    int r = set_nonblocking(a);
    if (r >= 0)
        r = set_nonblocking(b);
    while (r >= 0) {
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(d); i++)
            r = move(&d[i], ending);
        ending = d[0].over || d[1].over;
        if (r < 0 || (ending && is_empty(&d[0]) && is_empty(&d[1])))
            break;
        usec_t now = now_usec(CLOCK_MONOTONIC);
        if (ending && deadline == 0)
            deadline = usec_add(now, RELAY_LINGER);
        if (ending && now >= deadline)
            return -ETIMEDOUT;
        if (await(d, a, b, ending, usec_sub(deadline, now)) < 0 && errno != EINTR)
            r = -errno;
    }
    return r;
}
