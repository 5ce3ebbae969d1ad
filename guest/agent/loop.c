/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include "guest/agent/loop.h"

static usec_t monotonic(void)
{
    return now_usec(CLOCK_MONOTONIC);
}

int loop_init(Loop *l, LoopClock clock)
{
    *l = (Loop){ .epoll = epoll_create1(EPOLL_CLOEXEC), .clock = clock ?: monotonic };
    return l->epoll < 0 ? -errno : 0;
}

void loop_done(Loop *l)
{
    l->epoll = safe_close(l->epoll);
}

usec_t loop_now(const Loop *l)
{
    return l->clock();
}

int loop_watch(Loop *l, Watch *w, int fd, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = w };

    assert(!w->added);
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    w->fd = fd;
    w->added = true;
    return 0;
}

void loop_unwatch(Loop *l, Watch *w)
{
    if (!w->added)
        return;
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    w->added = false;
    for (int i = 0; i < l->n_events; i++)
        if (l->events[i].data.ptr == w)
            l->events[i].data.ptr = NULL;
}

void loop_timer_clear(Loop *l, Timer *t)
{
    if (!t->set)
        return;
    *(t->previous ? &t->previous->next : &l->timers) = t->next;
    if (t->next)
        t->next->previous = t->previous;
    t->previous = t->next = NULL;
    t->set = false;
}

void loop_timer_set(Loop *l, Timer *t, usec_t at)
{
    loop_timer_clear(l, t);
    if (at == USEC_INFINITY)
        return;
    t->at = at;
    t->set = true;
    t->next = l->timers;
    if (t->next)
        t->next->previous = t;
    l->timers = t;
}

static Timer *timer_first(const Loop *l)
{
    Timer *first = l->timers;

    for (Timer *t = first; t; t = t->next)
        if (t->at < first->at)
            first = t;
    return first;
}

static int wait_milliseconds(const Loop *l)
{
    const Timer *first = timer_first(l);

    if (!first)
        return -1;
    /* Rounded up: a round that comes too early would find nothing due and spin. */
    usec_t left = usec_sub(first->at, loop_now(l)) + USEC_PER_MSEC - 1;
    return (int)MIN(left / USEC_PER_MSEC, (usec_t)INT_MAX);
}

static void run_timers(Loop *l)
{
    usec_t now = loop_now(l);

    for (Timer *t; (t = timer_first(l)) && t->at <= now;) {
        loop_timer_clear(l, t);
        t->func(t->userdata);
    }
}

int loop_round(Loop *l, bool idle)
{
    int n = epoll_wait(l->epoll, l->events, LOOP_EVENTS, idle ? wait_milliseconds(l) : 0);
    if (n < 0 && errno != EINTR)
        return -errno;

    l->n_events = MAX(n, 0);
    for (int i = 0; i < l->n_events; i++) {
        Watch *w = l->events[i].data.ptr;
        if (w)
            w->func(w->userdata, l->events[i].events);
    }
    l->n_events = 0;
    run_timers(l);
    return 0;
}
