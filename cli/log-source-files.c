/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/inotify.h>

#include "base/strings.h"
#include "cli/log-source.h"
#include "schemas/log-file.h"

typedef struct Files {
    char *directory;
    char *name; /* of the log file */
    char *pod;  /* whose events; NULL: all */
    char *container;
    LogQuery query;    /* without its strings */
    LogReader *reader; /* NULL: the pod has no files yet */
    int watch;         /* inotify on the directory, before anything is read; -1: nothing is followed */
} Files;

static void files_close(void *state)
{
    Files *f = state;

    log_reader_free(f->reader);
    safe_close(f->watch);
    free(f->directory);
    free(f->name);
    free(f->pod);
    free(f->container);
    free(f);
}

static void files_closep(Files **f)
{
    if (*f)
        files_close(*f);
}

/* Only where it is wanted: when a watch goes, the kernel waits for a hundredth of a second. */
static int files_watch(Files *f)
{
    if (!f->query.follow)
        return access(f->directory, F_OK) < 0 ? -errno : 0;
    f->watch = inotify_init1(IN_CLOEXEC);
    if (f->watch < 0)
        return -errno;
    return inotify_add_watch(f->watch, f->directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0 ? -errno : 0;
}

/* Without files, there may be some later. */
static int files_try(Files *f)
{
    int r = f->reader ? 0 : log_reader_open(f->directory, f->name, &f->reader);
    return r == -ENOENT ? 0 : r;
}

/* When this boot of the host began, by the clock of now. */
static usec_t boot_time(void)
{
    return usec_sub(now_usec(CLOCK_REALTIME), now_usec(CLOCK_BOOTTIME));
}

static int files_open(const Paths *paths, const LogQuery *query, void **ret)
{
    _cleanup_(files_closep) Files *f = calloc(1, sizeof *f);

    if (!f)
        return -ENOMEM;
    *f = (Files){ .query = *query, .watch = -1 };
    f->query.pod = f->query.container = NULL;
    if (query->boot)
        f->query.since = MAX(query->since, boot_time());
    f->directory = strf("%s/%s", paths->state, query->events ? PATHS_EVENTS : PATHS_LOG);
    f->name = strdup(query->events ? EVENTS_FILE : query->pod);
    if (!f->directory || !f->name || str_replace(&f->container, query->container) < 0 ||
        (query->events && str_replace(&f->pod, query->pod) < 0))
        return -ENOMEM;
    int r = files_watch(f);
    if (r >= 0)
        r = files_try(f);
    if (r < 0)
        return r;
    *ret = take_ptr(f);
    return 0;
}

static LogStream stream_of(const LogEntry *entry)
{
    return entry->record.channel == STREAM_STDERR ? LOG_STREAM_STDERR : entry->stream;
}

static bool files_match(const Files *f, const LogEntry *entry)
{
    const LogRecord *record = &entry->record;
    const LogQuery *q = &f->query;

    if (record->time < q->since || (q->until > 0 && record->time > q->until))
        return false;
    if (q->levels && !(q->levels & 1U << entry->level))
        return false;
    if (q->events)
        return entry->event && (!f->pod || streq_ptr(f->pod, entry->pod));
    return (log_query_streams(q) & 1U << stream_of(entry)) &&
           (!f->container || streq_ptr(f->container, record->container));
}

static void item_take(LogItem *item, LogEntry *entry)
{
    LogRecord *record = &entry->record;

    *item = (LogItem){ .time = record->time,
                       .container = take_ptr(record->container),
                       .stream = stream_of(entry),
                       .level = (int)entry->level,
                       .partial = record->partial,
                       .dropped = record->dropped,
                       .data = take_struct(record->data),
                       .pod = take_ptr(entry->pod),
                       .event = take_ptr(entry->event),
                       .state = take_ptr(entry->state),
                       .reason = take_ptr(entry->reason),
                       .generation = entry->generation };
}

static int files_next(void *state, LogItem *ret)
{
    Files *f = state;
    LogEntry entry;

    int r = files_try(f);
    if (r < 0 || !f->reader)
        return r;
    while ((r = log_reader_next(f->reader, &entry)) > 0) {
        bool match = files_match(f, &entry);
        if (match)
            item_take(ret, &entry);
        schema_done(&log_entry_schema, &entry);
        if (match)
            return 1;
    }
    return r;
}

static int files_fd(void *state)
{
    return ((Files *)state)->watch;
}

static int files_drain(void *state)
{
    Files *f = state;
    char events[4096];

    /* Which file it was does not matter: the reader finds out. */
    ssize_t n = read(f->watch, events, sizeof events);
    return n < 0 && errno != EINTR ? -errno : 0;
}

const LogSourceType log_source_files = {
    .open = files_open,
    .close = files_close,
    .next = files_next,
    .fd = files_fd,
    .drain = files_drain,
};
