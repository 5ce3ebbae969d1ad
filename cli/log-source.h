/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The recorded output of a pod's containers, from wherever podvisord puts it: the journal, or the log files of the
 * state directory. Read without podvisord; readers see the same entries either way.
 */
#include "base/bytes.h"
#include "base/units.h"
#include "schemas/log-fields.h"
#include "schemas/run-definition.h"

typedef struct LogItem {
    usec_t time; /* CLOCK_REALTIME */
    char *container;
    LogStream stream;
    bool partial;     /* the line goes on in the next one of this container and stream */
    uint64_t dropped; /* how many were lost just before */
    int level;        /* of <syslog.h> */
    Bytes data;
    /* Of an event: */
    char *pod;
    char *event;
    char *state;
    char *reason; /* NULL: none */
    uint64_t generation;
} LogItem;

void log_item_done(LogItem *item);

typedef struct LogQuery {
    const char *pod;
    const char *container; /* NULL: all */
    bool events;           /* not the output, but events; of all pods when pod is NULL */
    unsigned streams;      /* a bit for each LogStream; 0: those of containers */
    unsigned levels;       /* a bit for each level; 0: all */
    bool boot;             /* of this boot of the host only */
    bool follow;           /* log_source_wait() will be called */
    usec_t since;          /* CLOCK_REALTIME; 0: from the beginning */
    usec_t until;          /* CLOCK_REALTIME; 0: without end */
    uint64_t last;         /* at most so many of the newest; UINT64_MAX: all */
} LogQuery;

typedef struct LogSource LogSource;

typedef struct LogSourceType {
    /* 0, or negative errno. */
    int (*open)(const Paths *paths, const LogQuery *query, void **ret);
    void (*close)(void *state);
    /* 1 with an item that matches pod, container and since; 0 when there is no more at present; negative errno. */
    int (*next)(void *state, LogItem *ret);
    /* Readable when there may be more; the descriptor stays the source's. Negative errno. */
    int (*fd)(void *state);
    /* Takes what made the descriptor readable. 0 or negative errno. */
    int (*drain)(void *state);
} LogSourceType;
extern const LogSourceType log_source_files, log_source_journal;

/* The streams that are asked for. */
static inline unsigned log_query_streams(const LogQuery *query)
{
    return query->streams ?: 1U << LOG_STREAM_STDOUT | 1U << LOG_STREAM_STDERR;
}

int log_source_open(LogTarget target, const Paths *paths, const LogQuery *query, LogSource **ret);
LogSource *log_source_free(LogSource *s);
DEFINE_CLEANUP(LogSource *, log_source_free)
int log_source_next(LogSource *s, LogItem *ret);
/* Blocks until there may be more: 0; -EPIPE when nobody reads what is written to `out` any more; negative errno. */
int log_source_wait(LogSource *s, int out);
