/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/journal.h"
#include "base/strings.h"
#include "runner/log-line.h"
#include "runner/log-writer.h"
#include "schemas/log-file.h"

#define RETRY_INTERVAL (2 * USEC_PER_SEC)
enum { RECORD_OVERHEAD = 128 };

typedef struct LogItem {
    struct LogItem *next;
    LogStream stream;
    int level;
    char *text; /* of a JSON object; NULL: none */
    LogRecord record;
} LogItem;

/* A line of one stream of a container that goes on has the importance of its beginning. */
typedef struct OpenLine {
    bool open;
    int level;
} OpenLine;

/* What the console and the VMM have said of a line that has not ended. */
typedef struct Unended {
    Bytes data;
    bool open; /* a piece of the line is written */
} Unended;

struct LogWriter {
    sd_event *event;
    const RunDefinition *definition;
    LogSafeFunc safe;
    void *userdata;
    LogFile *file; /* NULL: the journal, or not open yet */
    LogItem *first, **last;
    size_t pending;   /* bytes, roughly, of what is in the list */
    uint64_t taken;   /* the highest number that was taken */
    uint64_t written; /* the highest number that was handed over */
    uint64_t told;    /* the highest number that `safe` was called with */
    uint64_t dropped; /* records lost here since the last one that was taken */
    usec_t since;     /* CLOCK_MONOTONIC, when nothing could be written any more; 0: it can */
    usec_t stalled;   /* how long that was, until it is told with what was lost */
    OpenLine lines[CONTAINERS_MAX][2];
    Unended unended[LOG_STREAM_MAX]; /* of the console and the VMM */
    sd_event_source *retry;
    JournalWait *wait;
};

static const char *const identifiers[LOG_STREAM_MAX] = {
    [LOG_STREAM_CONSOLE] = "console",
    [LOG_STREAM_VMM] = "qemu",
};

static const int levels[LOG_STREAM_MAX] = {
    [LOG_STREAM_STDOUT] = LOG_INFO,
    [LOG_STREAM_STDERR] = LOG_WARNING,
    [LOG_STREAM_CONSOLE] = LOG_INFO,
    [LOG_STREAM_VMM] = LOG_WARNING,
};

static size_t record_size(const LogRecord *record)
{
    return record->data.size + RECORD_OVERHEAD;
}

static bool to_files(const LogWriter *w)
{
    return w->definition->log_target == LOG_TARGET_FILES;
}

/* --- handing over ----------------------------------------------------------------------------------------------- */

static int file_open(LogWriter *w)
{
    const RunDefinition *d = w->definition;

    return w->file || !d->log_dir ? 0 : log_file_open(d->log_dir, d->name, d->log_size, &w->file);
}

static int write_to_file(LogWriter *w, const LogItem *item)
{
    LogEntry entry = { .machine = w->definition->uuid,
                       .attempt = w->definition->attempt,
                       .stream = item->stream,
                       .level = (uint64_t)item->level,
                       .record = item->record };

    int r = file_open(w);
    return r < 0 ? r : w->file ? log_file_append(w->file, &entry) : 0;
}

/* A record of its own, with what the operator can do about it in the catalog. */
static int tell_lost(LogWriter *w, uint64_t lost)
{
    _cleanup_(freep) char *lasted =
        w->stalled > 0 ? duration_format(MAX(w->stalled / USEC_PER_SEC, (usec_t)1) * USEC_PER_SEC) : NULL;
    _cleanup_(freep) char *text =
        strf("%s: %llu lines of its output were lost: %s%s", w->definition->name, (unsigned long long)lost,
             w->stalled > 0 ? "journald took nothing for " : "they came faster than they could be taken",
             lasted ?: "");
    const OperatorEventRow *event = &operator_events[EVENT_OUTPUT_LOST];
    LogFields f;

    if (!text)
        return -ENOMEM;
    log_fields_of_machine(&f, w->definition);
    log_fields_set_event(&f, event);
    log_fields_set_number(&f, LOG_FIELD_LOST, lost);
    int r = journal_send(event->level, f.rows, text, strlen(text));
    if (r >= 0)
        w->stalled = 0;
    return r;
}

static void fields_fill(LogFields *f, const LogWriter *w, const LogItem *item, const char *json)
{
    const LogRecord *record = &item->record;

    log_fields_of_machine(f, w->definition);
    log_fields_set(f, LOG_FIELD_CONTAINER, record->container);
    log_fields_set(f, LOG_FIELD_STREAM, enum_to_string(&log_stream_table, (int)item->stream));
    log_fields_set(f, LOG_FIELD_IDENTIFIER, record->container ?: identifiers[item->stream]);
    log_fields_set(f, LOG_FIELD_PARTIAL, record->partial ? "true" : NULL);
    log_fields_set(f, LOG_FIELD_JSON, json);
    if (record->seq > 0)
        log_fields_set_number(f, LOG_FIELD_SEQ, record->seq);
    log_fields_set_number(f, LOG_FIELD_TIME, record->time);
}

static int write_to_journal(LogWriter *w, LogItem *item)
{
    LogRecord *record = &item->record;
    const Bytes *data = &record->data;
    LogFields f;

    if (record->dropped > 0) {
        int r = tell_lost(w, record->dropped);
        if (r < 0)
            return r;
        record->dropped = 0;
    }
    /* JSON that was read has no NUL in it. */
    _cleanup_(freep) char *json = item->text ? strndup((const char *)data->data, data->size) : NULL;
    fields_fill(&f, w, item, json);
    if (json)
        return journal_send(item->level, f.rows, item->text, strlen(item->text));
    return journal_send(item->level, f.rows, data->data, data->size);
}

static void item_free(LogItem *item)
{
    schema_done(&log_record_schema, &item->record);
    free(item->text);
    free(item);
}

static void item_drop(LogWriter *w)
{
    LogItem *item = w->first;

    w->first = item->next;
    if (!w->first)
        w->last = &w->first;
    w->pending -= record_size(&item->record);
    item_free(item);
}

static void on_journal(void *userdata)
{
    LogWriter *w = userdata;

    w->wait = journal_wait_free(w->wait);
    log_writer_flush(w);
}

static int on_retry(sd_event_source *source, uint64_t now, void *userdata)
{
    LogWriter *w = userdata;

    w->retry = sd_event_source_disable_unref(w->retry);
    log_writer_flush(w);
    return 0;
}

static void try_later(LogWriter *w, int error)
{
    if (w->since == 0) {
        w->since = now_usec(CLOCK_MONOTONIC);
        log_warning_errno(error, "Pod %s: its output cannot be written; it is kept for now",
                          w->definition->name);
    }
    if (to_files(w)) {
        if (!w->retry)
            (void)sd_event_add_time_relative(w->event, &w->retry, CLOCK_MONOTONIC, RETRY_INTERVAL,
                                             USEC_PER_SEC, on_retry, w);
    } else if (!w->wait)
        (void)journal_wait_new(w->event, on_journal, w, &w->wait);
}

static int write_first(LogWriter *w)
{
    LogItem *item = w->first;

    int r = to_files(w) ? write_to_file(w, item) : write_to_journal(w, item);
    if (r < 0 && (to_files(w) || r == -EAGAIN || r == -ENOMEM))
        return r;
    /* What journald refuses once and for all does not hold up the rest. */
    if (r < 0)
        w->dropped++;
    if (item->record.seq > 0)
        w->written = item->record.seq;
    item_drop(w);
    return 0;
}

void log_writer_flush(LogWriter *w)
{
    int r = 0;

    while (w->first && (r = write_first(w)) >= 0)
        if (w->since > 0) {
            w->stalled = now_usec(CLOCK_MONOTONIC) - w->since;
            w->since = 0;
        }
    if (r >= 0 && w->dropped > 0 && !to_files(w) && (r = tell_lost(w, w->dropped)) >= 0)
        w->dropped = 0;
    if (r < 0)
        try_later(w, r);
    if (w->written > w->told) {
        w->told = w->written;
        w->safe(w->userdata, w->written);
    }
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

/* Its place in the definition, or -ENOENT. */
static int container_index(const LogWriter *w, const char *name)
{
    int i = pod_container_find(&w->definition->pod, name);
    return i < CONTAINERS_MAX ? i : -ENOENT;
}

static bool record_is_good(const LogWriter *w, const LogRecord *record)
{
    return record->seq > w->taken && record->data.size <= AGENT_LOG_RECORD_MAX &&
           (record->channel == STREAM_STDOUT || record->channel == STREAM_STDERR) &&
           container_index(w, record->container) >= 0;
}

/* Finds out about its importance, and what it says. */
static void item_read(LogWriter *w, LogItem *item)
{
    int index = container_index(w, item->record.container);
    OpenLine *line = &w->lines[index][item->stream == LOG_STREAM_STDERR];
    Bytes *data = &item->record.data;

    if (line->open)
        item->level = line->level;
    else {
        LogSyntax format = pod_container(&w->definition->pod, (size_t)index)->log.format;
        LogLine read =
            log_line_read(format, levels[item->stream], !item->record.partial, data->data, data->size);
        item->level = read.level;
        item->text = read.text;
        bytes_consume(data, read.skip);
    }
    *line = (OpenLine){ .open = item->record.partial, .level = item->level };
}

/* Takes over record's contents; NULL: there is no room, and it counts as lost. */
static LogItem *item_add(LogWriter *w, LogStream stream, LogRecord *record)
{
    LogItem *item = w->pending + record_size(record) <= LOG_PENDING_MAX ? calloc(1, sizeof *item) : NULL;

    if (!item) {
        w->dropped = usec_add(w->dropped, usec_add(1, record->dropped));
        return NULL;
    }
    item->stream = stream;
    item->level = levels[stream];
    item->record = take_struct(*record);
    item->record.dropped = usec_add(item->record.dropped, w->dropped);
    w->dropped = 0;
    w->pending += record_size(&item->record);
    *w->last = item;
    w->last = &item->next;
    return item;
}

void log_writer_take(LogWriter *w, LogRecord *record)
{
    if (!record_is_good(w, record))
        return;
    w->taken = record->seq;
    LogItem *item =
        item_add(w, record->channel == STREAM_STDERR ? LOG_STREAM_STDERR : LOG_STREAM_STDOUT, record);
    if (!item)
        return;
    size_t size = record_size(&item->record);
    item_read(w, item);
    w->pending -= size - record_size(&item->record);
}

static void unended_write(LogWriter *w, LogStream stream, bool partial)
{
    Unended *u = &w->unended[stream];
    LogRecord record = { .time = now_usec(CLOCK_REALTIME), .partial = partial };

    while (!partial && u->data.size > 0 && u->data.data[u->data.size - 1] == '\r')
        u->data.size--;
    /* The console ends lines as a terminal does, and has empty ones. */
    if (u->data.size > 0 || u->open) {
        record.data = take_struct(u->data);
        (void)item_add(w, stream, &record);
        schema_done(&log_record_schema, &record);
    }
    u->data.size = 0;
    u->open = partial;
}

void log_writer_say(LogWriter *w, LogStream stream, const void *data, size_t size)
{
    Unended *u = &w->unended[stream];

    for (const uint8_t *p = data, *end = p + size; p < end;) {
        const uint8_t *line_end = memchr(p, '\n', (size_t)(end - p));
        size_t n = MIN((size_t)((line_end ?: end) - p), AGENT_LOG_RECORD_MAX - u->data.size);
        if (bytes_append(&u->data, p, n) < 0)
            w->dropped++;
        p += n;
        if (p == line_end) {
            unended_write(w, stream, false);
            p++;
        } else if (u->data.size >= AGENT_LOG_RECORD_MAX)
            unended_write(w, stream, true);
        else if (n == 0)
            break;
    }
    log_writer_flush(w);
}

void log_writer_end(LogWriter *w)
{
    for (LogStream stream = 0; stream < LOG_STREAM_MAX; stream++)
        unended_write(w, stream, false);
    log_writer_flush(w);
}

uint64_t log_writer_begin(LogWriter *w, uint64_t remembered)
{
    int r = to_files(w) ? file_open(w) : 0;

    if (r < 0)
        try_later(w, r);
    uint64_t in_file = w->file ? log_file_last_seq(w->file, w->definition->uuid) : 0;
    w->written = MAX(MAX(w->written, remembered), in_file);
    w->taken = MAX(w->taken, w->written);
    w->told = w->written;
    return w->written;
}

/* --- its life ------------------------------------------------------------------------------------------------------ */

int log_writer_new(sd_event *event, const RunDefinition *definition, LogSafeFunc safe, void *userdata,
                   LogWriter **ret)
{
    LogWriter *w = calloc(1, sizeof *w);

    if (!w)
        return -ENOMEM;
    *w = (LogWriter){
        .event = sd_event_ref(event),
        .definition = definition,
        .safe = safe,
        .userdata = userdata,
    };
    w->last = &w->first;
    *ret = w;
    return 0;
}

LogWriter *log_writer_free(LogWriter *w)
{
    if (!w)
        return NULL;
    log_writer_end(w);
    if (w->first)
        log_warning("Pod %s: some of its output is lost: it could not be written until its runner ended",
                    w->definition->name);
    while (w->first)
        item_drop(w);
    for (size_t i = 0; i < LOG_STREAM_MAX; i++)
        bytes_done(&w->unended[i].data);
    sd_event_source_disable_unref(w->retry);
    journal_wait_free(w->wait);
    log_file_free(w->file);
    sd_event_unref(w->event);
    free(w);
    return NULL;
}
