/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/inotify.h>

#include "base/strings.h"
#include "cli/log-source.h"
#include "schemas/log-file.h"

typedef struct Files {
    char *directory;
    char *pod;
    char *container;
    usec_t since;
    LogReader *reader; /* NULL: the pod has no files yet */
    int watch;         /* inotify on the directory, before anything is read */
} Files;

static void files_close(void *state)
{
    Files *f = state;

    log_reader_free(f->reader);
    safe_close(f->watch);
    free(f->directory);
    free(f->pod);
    free(f->container);
    free(f);
}

static void files_closep(Files **f)
{
    if (*f)
        files_close(*f);
}

static int files_watch(Files *f)
{
    f->watch = inotify_init1(IN_CLOEXEC);
    if (f->watch < 0)
        return -errno;
    return inotify_add_watch(f->watch, f->directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0 ? -errno : 0;
}

/* Without files, there may be some later. */
static int files_try(Files *f)
{
    int r = f->reader ? 0 : log_reader_open(f->directory, f->pod, &f->reader);
    return r == -ENOENT ? 0 : r;
}

static int files_open(const Paths *paths, const LogQuery *query, void **ret)
{
    _cleanup_(files_closep) Files *f = calloc(1, sizeof *f);

    if (!f)
        return -ENOMEM;
    *f = (Files){ .since = query->since, .watch = -1 };
    f->directory = strf("%s/" PATHS_LOG, paths->state);
    f->pod = strdup(query->pod);
    if (!f->directory || !f->pod || str_replace(&f->container, query->container) < 0)
        return -ENOMEM;
    int r = files_watch(f);
    if (r >= 0)
        r = files_try(f);
    if (r < 0)
        return r;
    *ret = take_ptr(f);
    return 0;
}

static bool files_match(const Files *f, const LogRecord *record)
{
    return record->time >= f->since && (!f->container || streq_ptr(f->container, record->container));
}

static int files_next(void *state, LogItem *ret)
{
    Files *f = state;
    LogEntry entry;

    int r = files_try(f);
    if (r < 0 || !f->reader)
        return r;
    while ((r = log_reader_next(f->reader, &entry)) > 0) {
        LogRecord *record = &entry.record;
        bool match = files_match(f, record);
        if (match) {
            *ret =
                (LogItem){ .time = record->time,
                           .container = take_ptr(record->container),
                           .stream = record->channel == STREAM_STDERR ? LOG_STREAM_STDERR : LOG_STREAM_STDOUT,
                           .partial = record->partial,
                           .dropped = record->dropped,
                           .data = record->data };
            record->data = (Bytes){ 0 };
        }
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
