/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The containers' output, numbered, kept until the host has it, in bounded memory.
 *
 * Theory of operation
 * -------------------
 *     acked     sent                         next
 *       |---------|----------------------------|
 *        in flight            to send
 *
 * Records are numbered 1, 2, ... for a whole boot. log_ring_peek() gives the first record that this session has not been
 * sent, as long as less than the window is in flight; an acknowledgement frees all up to its number; a new session
 * begins again behind the last acknowledged one. When the ring is full the oldest record goes, and the next one that is sent
 * says how many were lost before it.
 *
 * Invariants: size <= size_max unless there is a single record; numbers in the ring are ascending; in_flight is the cost of the
 * records that were sent in this session and not acknowledged, whether they are still here or not.
 */
#include "base/units.h"
#include "schemas/stream.h"

typedef struct LogEntry LogEntry;

struct LogEntry {
    LogEntry *next;
    uint64_t seq;
    usec_t time;
    const char *container; /* lives longer than the ring */
    StreamChannel channel;
    bool partial;
    size_t size;
    uint8_t data[];
};

typedef struct LogRing {
    LogEntry *first, *last;
    LogEntry *unsent; /* NULL: all are sent */
    size_t size, size_max;
    size_t in_flight, window;
    size_t lost_in_flight; /* of in_flight: what went from the ring before it was acknowledged */
    uint64_t lost_through; /* up to and with this number */
    uint64_t next_seq;
    uint64_t acked;     /* the last number that is safe */
    uint64_t last_sent; /* of this session; at least acked */
} LogRing;

void log_ring_init(LogRing *r, size_t size_max, size_t window);
void log_ring_done(LogRing *r);

/* Copies data. Out of memory: the record counts as lost. */
void log_ring_append(LogRing *r, usec_t time, const char *container, StreamChannel channel, bool partial,
                     const void *data, size_t size);
/* The next record to send and how many were lost before it; NULL when there is none or the window is full. */
const LogEntry *log_ring_peek(const LogRing *r, uint64_t *ret_dropped);
/* The record of log_ring_peek() was sent. */
void log_ring_sent(LogRing *r);
/* Also of what only an earlier session was sent. A number that no record has had yet frees nothing: -EINVAL. */
int log_ring_ack(LogRing *r, uint64_t seq);
/* A new session begins. */
void log_ring_rewind(LogRing *r);
/* How many bytes of output can become records, however short their lines are, without pushing out another record. */
size_t log_ring_room(const LogRing *r);
bool log_ring_empty(const LogRing *r);
/* The oldest number that is kept; the next number when none is. */
uint64_t log_ring_first(const LogRing *r);
