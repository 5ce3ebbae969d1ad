/* SPDX-License-Identifier: Apache-2.0 */
#include "base/journal.h"
#include "base/strings.h"
#include "runner/log-writer.h"
#include "schemas/log-file.h"

#define RETRY_INTERVAL (2 * USEC_PER_SEC)
enum { RECORD_OVERHEAD = 128 };

typedef struct LogItem {
    struct LogItem *next;
    LogRecord record;
} LogItem;

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
    bool complained;
    sd_event_source *retry;
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

static int write_to_file(LogWriter *w, const LogRecord *record)
{
    LogEntry entry = { .machine = w->definition->uuid, .attempt = w->definition->attempt, .record = *record };

    int r = file_open(w);
    return r < 0 ? r : w->file ? log_file_append(w->file, &entry) : 0;
}

static int write_to_journal(LogWriter *w, const LogRecord *record)
{
    LogStream stream = record->channel == STREAM_STDERR ? LOG_STREAM_STDERR : LOG_STREAM_STDOUT;
    LogFields f;

    log_fields_of_machine(&f, w->definition);
    log_fields_set(&f, LOG_FIELD_CONTAINER, record->container);
    log_fields_set(&f, LOG_FIELD_STREAM, enum_to_string(&log_stream_table, (int)stream));
    log_fields_set(&f, LOG_FIELD_IDENTIFIER, record->container);
    log_fields_set(&f, LOG_FIELD_PARTIAL, record->partial ? "true" : NULL);
    log_fields_set_number(&f, LOG_FIELD_SEQ, record->seq);
    log_fields_set_number(&f, LOG_FIELD_TIME, record->time);
    return journal_send(stream == LOG_STREAM_STDERR ? LOG_WARNING : LOG_INFO, f.rows, record->data.data,
                        record->data.size);
}

static void item_drop(LogWriter *w)
{
    LogItem *item = w->first;

    w->first = item->next;
    if (!w->first)
        w->last = &w->first;
    w->pending -= record_size(&item->record);
    schema_done(&log_record_schema, &item->record);
    free(item);
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
    if (!w->complained)
        log_warning_errno(error, "Pod %s: the output of its containers cannot be written; it is kept for now",
                          w->definition->name);
    w->complained = true;
    if (!w->retry)
        (void)sd_event_add_time_relative(w->event, &w->retry, CLOCK_MONOTONIC, RETRY_INTERVAL, USEC_PER_SEC,
                                         on_retry, w);
}

void log_writer_flush(LogWriter *w)
{
    int r = 0;

    while (w->first && r >= 0) {
        const LogRecord *record = &w->first->record;
        r = to_files(w) ? write_to_file(w, record) : write_to_journal(w, record);
        if (r < 0)
            try_later(w, r);
        else {
            w->written = record->seq;
            w->complained = false;
            item_drop(w);
        }
    }
    if (w->written > w->told) {
        w->told = w->written;
        w->safe(w->userdata, w->written);
    }
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

static bool container_is_declared(const LogWriter *w, const char *name)
{
    const PodDefinition *pod = &w->definition->pod;

    for (size_t i = 0; i < pod->n_containers; i++)
        if (streq_ptr(pod->containers[i].name, name))
            return true;
    return false;
}

static bool record_is_good(const LogWriter *w, const LogRecord *record)
{
    return record->seq > w->taken && record->data.size <= AGENT_LOG_RECORD_MAX &&
           record->channel != STREAM_STDIN && container_is_declared(w, record->container);
}

void log_writer_take(LogWriter *w, LogRecord *record)
{
    if (!record_is_good(w, record))
        return;
    w->taken = record->seq;
    LogItem *item = w->pending + record_size(record) <= LOG_PENDING_MAX ? calloc(1, sizeof *item) : NULL;
    if (!item) {
        w->dropped = usec_add(w->dropped, usec_add(1, record->dropped));
        return;
    }
    item->record = take_struct(*record);
    item->record.dropped = usec_add(item->record.dropped, w->dropped);
    w->dropped = 0;
    w->pending += record_size(&item->record);
    *w->last = item;
    w->last = &item->next;
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
    while (w->first)
        item_drop(w);
    sd_event_source_disable_unref(w->retry);
    log_file_free(w->file);
    sd_event_unref(w->event);
    free(w);
    return NULL;
}
