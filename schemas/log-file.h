/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The output of a pod's containers, console and VMM in files: DIR/NAME.log, and DIR/NAME.log.1 that came before it. Each is a run of frames
 * (schemas/frame.h, session 0) of one packed LogEntry each. Written by the pod's runner, read by anybody who may.
 *
 * Invariants
 * - The two files together take at most the size that was asked for: the writer begins a new one at half of it.
 * - A frame is written by one write(2) at the end. A torn one (a crash, a full disk) is cut off by the next writer, and passed over by
 *   readers.
 * - Entries of one machine stand in the order of their numbers, each number once.
 * - What log_file_append() took survives the runner. It is not forced to the disk: after a power cut the last entries may be missing.
 */
#include "schemas/agent.h"
#include "schemas/log-fields.h"

enum { LOG_FILE_SIZE_MIN = 4 * FRAME_PAYLOAD_MAX };

/* podvisord's events of all pods, below the state directory: PATHS_EVENTS/events.log. */
#define EVENTS_FILE "events"
enum { EVENTS_SIZE = 1024 * 1024 };

typedef struct LogEntry {
    Id128 machine; /* RunDefinition.uuid: record.seq counts in here */
    uint64_t attempt;
    LogStream stream;
    uint64_t level;   /* of <syslog.h> */
    LogRecord record; /* of the console, the VMM, and events: without container, and without a number (0) */
    /* Of an event; NULL and 0 in all else. */
    char *pod;
    char *event; /* its name in operator_events */
    char *state;
    char *reason;
    uint64_t generation;
} LogEntry;
extern const Schema log_entry_schema;

typedef struct LogFile LogFile;
typedef struct LogReader LogReader;

/* Opens the files of `name` in dir (a path) for appending; size is for both files together, at least LOG_FILE_SIZE_MIN. */
int log_file_open(const char *dir, const char *name, uint64_t size, LogFile **ret) _warn_unused_;
LogFile *log_file_free(LogFile *f);
DEFINE_CLEANUP(LogFile *, log_file_free)
/* 0, or negative errno: nothing of the entry was written. */
int log_file_append(LogFile *f, const LogEntry *entry) _warn_unused_;
/* The number of the last entry of this machine; 0 when there is none. As of log_file_open(), and of what was appended since. */
uint64_t log_file_last_seq(const LogFile *f, Id128 machine);

/* Opens them for reading, the older one first. -ENOENT: there are none (yet). */
int log_reader_open(const char *dir, const char *name, LogReader **ret) _warn_unused_;
LogReader *log_reader_free(LogReader *r);
DEFINE_CLEANUP(LogReader *, log_reader_free)
/*
 * The next entry into uninitialised *ret, which the caller empties by schema_done(&log_entry_schema, ret): 1; 0 when there is no more at present
 * (watch the directory and call again: rotation is followed); or negative errno. What cannot be decoded is passed over.
 */
int log_reader_next(LogReader *r, LogEntry *ret) _warn_unused_;
