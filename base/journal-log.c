/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/queue.h>

#include "base/journal-log.h"
#include "base/strings.h"
#include "base/units.h"

enum { FIELDS_MAX = 64 };

typedef struct Waiting {
    STAILQ_ENTRY(Waiting) entry;
    Bytes record;
    char *text; /* for standard error */
} Waiting;

/* One for the process, as the log is. */
static struct {
    const char *program;
    const LogField *lost_fields;
    bool echo;
    sd_event *event;
    JournalWait *wait;
    STAILQ_HEAD(, Waiting) list;
    size_t size;   /* of the records in the list */
    uint64_t lost; /* since the last one that was kept */
    usec_t since;  /* CLOCK_MONOTONIC, when journald ceased to take records; 0: it takes them */
} journal = { .list = STAILQ_HEAD_INITIALIZER(journal.list) };

static void waiting_free(Waiting *w)
{
    bytes_done(&w->record);
    free(w->text);
    free(w);
}

static bool keep(Bytes *record, const char *text, size_t max)
{
    Waiting *w = journal.size + record->size <= max ? calloc(1, sizeof *w) : NULL;

    if (!w)
        return false;
    w->record = take_struct(*record);
    w->text = strdup(text);
    journal.size += w->record.size;
    STAILQ_INSERT_TAIL(&journal.list, w, entry);
    return true;
}

static void tell_lost(void)
{
    _cleanup_(bytes_done) Bytes record = { 0 };
    usec_t now = now_usec(CLOCK_MONOTONIC), stalled = now - (journal.since ?: now) + USEC_PER_SEC;
    _cleanup_(freep) char *lasted = duration_format(stalled / USEC_PER_SEC * USEC_PER_SEC);
    _cleanup_(freep) char *text =
        strf("%llu messages of %s were lost: journald took nothing for %s", (unsigned long long)journal.lost,
             journal.program, lasted ?: "some time");

    if (text && journal_encode(&record, LOG_WARNING, journal.lost_fields, text, strlen(text)) >= 0 &&
        keep(&record, text, SIZE_MAX / 2))
        journal.lost = 0;
}

static void drain(void);

static void on_wait(void *userdata)
{
    journal.wait = journal_wait_free(journal.wait);
    drain();
}

static void wait_for_room(void)
{
    if (journal.since == 0)
        journal.since = now_usec(CLOCK_MONOTONIC);
    if (journal.event && !journal.wait)
        (void)journal_wait_new(journal.event, on_wait, NULL, &journal.wait);
}

/* What can never be written is of no use to anybody here. */
static void drain(void)
{
    Waiting *w;
    int r = 0;

    while (r != -EAGAIN && ((w = STAILQ_FIRST(&journal.list)) || journal.lost > 0)) {
        if (!w) {
            tell_lost();
            if (journal.lost > 0)
                return;
            continue;
        }
        r = journal_put(&w->record);
        if (r == -EAGAIN)
            break;
        if (r < 0)
            fprintf(stderr, "%s\n", w->text ?: "");
        STAILQ_REMOVE_HEAD(&journal.list, entry);
        journal.size -= w->record.size;
        waiting_free(w);
    }
    if (r == -EAGAIN)
        wait_for_room();
    else
        journal.since = 0;
}

static void journal_log_write(int level, const LogField *fields, const char *message)
{
    _cleanup_(bytes_done) Bytes record = { 0 };
    LogField all[FIELDS_MAX + 1] = { { "SYSLOG_IDENTIFIER", journal.program } };
    size_t n = 1;

    if (journal.echo)
        log_to_stderr(level, fields, message);
    for (; fields && fields->key && n < FIELDS_MAX; fields++)
        if (fields->value)
            all[n++] = *fields;
    int r = journal_encode(&record, level, all, message, strlen(message));
    if (r < 0 || !keep(&record, message, JOURNAL_LOG_MAX))
        journal.lost++;
    if (!journal.wait)
        drain();
}

bool journal_log_is_open(void)
{
    return journal.program != NULL;
}

void journal_log_open(const char *program, const LogField *lost_fields, bool echo)
{
    journal.program = program;
    journal.lost_fields = lost_fields;
    journal.echo = echo;
    log_set_sink(journal_log_write);
}

void journal_log_attach(sd_event *event)
{
    if (!journal.program)
        return;
    journal.event = sd_event_ref(event);
    drain();
}

void journal_log_close(void)
{
    if (!journal.program)
        return;
    journal.wait = journal_wait_free(journal.wait);
    journal.event = sd_event_unref(journal.event);
    drain();
    for (Waiting *w; (w = STAILQ_FIRST(&journal.list));) {
        if (!journal.echo)
            fprintf(stderr, "%s\n", w->text ?: "");
        STAILQ_REMOVE_HEAD(&journal.list, entry);
        waiting_free(w);
    }
    journal.size = 0;
    journal.lost = journal.since = 0;
    journal.program = NULL;
    log_set_sink(NULL);
}
