/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What containers write, and what the console and the VMM say, on its way to where operators read it: the journal, or
 * bounded files (schemas/log-file.h).
 *
 * Invariants
 * - A record is acknowledged to the agent only after it was handed over; what cannot be handed over now is kept (at most
 *   LOG_PENDING_MAX bytes, then dropped and counted) and tried again as soon as it can be expected to work.
 * - What is lost, here or in the guest, is told: in the journal by an event "output-lost" in the place of it, in files by the
 *   count in the next record.
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
/* Bytes of the console or the VMM, lines as they come; hands them over. They have no numbers, and nobody to acknowledge them to. */
void log_writer_say(LogWriter *w, LogStream stream, const void *data, size_t size);
/* The console and the VMM say no more: a line that they have not ended is one. */
void log_writer_end(LogWriter *w);
