/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "guest/agent/log-ring.h"
#include "schemas/agent.h"

/* What a record costs, so that empty lines are not free either. */
static size_t cost(const LogEntry *e)
{
    return sizeof *e + e->size;
}

void log_ring_init(LogRing *r, size_t size_max, size_t window)
{
    *r = (LogRing){ .size_max = size_max, .window = window, .next_seq = 1 };
}

static void remove_first(LogRing *r)
{
    LogEntry *e = r->first;

    if (r->unsent == e)
        r->unsent = e->next;
    r->size -= cost(e);
    r->first = e->next;
    if (!r->first)
        r->last = NULL;
    free(e);
}

static void push_out(LogRing *r)
{
    if (r->first != r->unsent) {
        r->lost_in_flight += cost(r->first);
        r->lost_through = r->first->seq;
    }
    remove_first(r);
}

static void acknowledge_first(LogRing *r)
{
    /* An earlier session may have had it already, though this one was not sent it. */
    if (r->first != r->unsent)
        r->in_flight -= cost(r->first);
    remove_first(r);
}

void log_ring_done(LogRing *r)
{
    while (r->first)
        remove_first(r);
}

void log_ring_append(LogRing *r, usec_t time, const char *container, StreamChannel channel, bool partial,
                     const void *data, size_t size)
{
    uint64_t seq = r->next_seq++;
    LogEntry *e = malloc(sizeof *e + size);

    if (!e)
        return;
    *e = (LogEntry){
        .seq = seq, .time = time, .container = container, .channel = channel, .partial = partial, .size = size
    };
    if (size > 0)
        memcpy(e->data, data, size);
    while (r->first && r->size + cost(e) > r->size_max)
        push_out(r);
    *(r->last ? &r->last->next : &r->first) = e;
    r->last = e;
    if (!r->unsent)
        r->unsent = e;
    r->size += cost(e);
}

const LogEntry *log_ring_peek(const LogRing *r, uint64_t *ret_dropped)
{
    const LogEntry *e = r->unsent;

    /* One record always goes, so that a record larger than the window is not stuck. */
    if (!e || (r->in_flight > 0 && r->in_flight + cost(e) > r->window))
        return NULL;
    *ret_dropped = e->seq - r->last_sent - 1;
    return e;
}

void log_ring_sent(LogRing *r)
{
    assert(r->unsent);
    r->last_sent = r->unsent->seq;
    r->in_flight += cost(r->unsent);
    r->unsent = r->unsent->next;
}

int log_ring_ack(LogRing *r, uint64_t seq)
{
    if (seq >= r->next_seq)
        return -EINVAL;
    while (r->first && r->first->seq <= seq)
        acknowledge_first(r);
    if (seq >= r->lost_through) {
        r->in_flight -= r->lost_in_flight;
        r->lost_in_flight = 0;
    }
    r->acked = MAX(r->acked, seq);
    r->last_sent = MAX(r->last_sent, seq);
    return 0;
}

void log_ring_rewind(LogRing *r)
{
    r->unsent = r->first;
    r->in_flight = r->lost_in_flight = 0;
    r->last_sent = r->acked;
}

size_t log_ring_room(const LogRing *r)
{
    size_t kept =
        r->size + sizeof(LogEntry) + AGENT_LOG_RECORD_MAX; /* a piece of a line may be held back already */
    return kept >= r->size_max ? 0 : (r->size_max - kept) / (sizeof(LogEntry) + 1);
}

bool log_ring_empty(const LogRing *r)
{
    return !r->first;
}

uint64_t log_ring_first(const LogRing *r)
{
    return r->first ? r->first->seq : r->next_seq;
}
