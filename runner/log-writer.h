/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The containers' output on its way to where operators read it: the journal, or bounded files (schemas/log-file.h).
 *
 * Invariants
 * - A record is acknowledged to the agent only after it was handed over; what cannot be handed over now is kept (at most
 *   LOG_PENDING_MAX bytes, then dropped and counted) and tried again.
 * - No record is written twice: numbers not above the last one are dropped. In files the last number is read back from the
 *   file; for the journal it is in runner.msgpack.
 */
#include <systemd/sd-event.h>

#include "schemas/agent.h"
#include "schemas/run-definition.h"

enum { LOG_PENDING_MAX = 2 * AGENT_LOG_WINDOW };

typedef struct LogWriter LogWriter;

/* Everything up to seq is safe: it may be acknowledged, and remembered. */
typedef void (*LogSafeFunc)(void *userdata, uint64_t seq);

/* definition outlives the writer. */
int log_writer_new(sd_event *event, const RunDefinition *definition, LogSafeFunc safe, void *userdata,
                   LogWriter **ret);
LogWriter *log_writer_free(LogWriter *w);
DEFINE_CLEANUP(LogWriter *, log_writer_free)

/* A session begins; remembered: the last number that was known to be safe (0: none). The files may know better. Returns what is safe. */
uint64_t log_writer_begin(LogWriter *w, uint64_t remembered);
/* Takes over record's contents. The names in it are checked here: a container that is not declared loses its output. */
void log_writer_take(LogWriter *w, LogRecord *record);
/* Hands over what was taken, and calls `safe`. */
void log_writer_flush(LogWriter *w);
