/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The agent's one loop: descriptors by epoll, timers by a deadline each, and a clock that a test may replace.
 *
 * Invariants: a Watch and a Timer are members of the object that they belong to and must be removed before it is freed; after
 * removal its function is not called any more, not even for an event that epoll has already told.
 */
#include <sys/epoll.h>

#include "base/units.h"

typedef struct Loop Loop;
typedef struct Watch Watch;
typedef struct Timer Timer;

typedef usec_t (*LoopClock)(void);

enum { LOOP_EVENTS = 32 };

struct Watch {
    int fd; /* not owned */
    bool added;
    void (*func)(void *userdata, uint32_t events);
    void *userdata;
};

struct Timer {
    usec_t at; /* by the loop's clock */
    bool set;
    void (*func)(void *userdata);
    void *userdata;
    Timer *previous, *next;
};

struct Loop {
    int epoll;
    LoopClock clock;
    Timer *timers;
    struct epoll_event events[LOOP_EVENTS]; /* of the round under way */
    int n_events;
};

/* clock NULL: CLOCK_MONOTONIC. 0 or negative errno. */
int loop_init(Loop *l, LoopClock clock);
void loop_done(Loop *l);
usec_t loop_now(const Loop *l);

/* events as of epoll_ctl(2). 0 or negative errno; w->func and w->userdata are set before. */
int loop_watch(Loop *l, Watch *w, int fd, uint32_t events);
void loop_unwatch(Loop *l, Watch *w);

/* USEC_INFINITY clears it. */
void loop_timer_set(Loop *l, Timer *t, usec_t at);
void loop_timer_clear(Loop *l, Timer *t);

/* Waits for the next event or timer, not at all when `idle` is false, and calls what is due. 0 or negative errno. */
int loop_round(Loop *l, bool idle);
