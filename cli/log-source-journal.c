/* SPDX-License-Identifier: Apache-2.0 */
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "base/strings.h"
#include "cli/log-source.h"

typedef struct JournalReader {
    sd_journal *journal;
    usec_t since, until;
} JournalReader;

static void journal_close(void *state)
{
    JournalReader *r = state;

    sd_journal_close(r->journal);
    free(r);
}

static int add_text(sd_journal *j, const char *key, const char *value)
{
    _cleanup_(freep) char *match = strf("%s=%s", key, value);
    return match ? sd_journal_add_match(j, match, 0) : -ENOMEM;
}

static int add_match(sd_journal *j, LogFieldId id, const char *value)
{
    return add_text(j, log_field_rows[id].key, value);
}

static int add_events(sd_journal *j)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < OPERATOR_EVENT_MAX; i++)
        r = add_match(j, LOG_FIELD_MESSAGE_ID, operator_events[i].message_id);
    return r;
}

/* Output of containers has a stream; podvisord's own messages about the pod have none and are not shown here. */
static int add_streams(sd_journal *j, unsigned streams)
{
    int r = 0;

    for (int i = 0; r >= 0 && i < LOG_STREAM_MAX; i++)
        if (streams & 1U << i)
            r = add_match(j, LOG_FIELD_STREAM, enum_to_string(&log_stream_table, i));
    return r;
}

static int add_levels(sd_journal *j, unsigned levels)
{
    int r = 0;

    for (char level = 0; r >= 0 && level < 8; level++)
        if (levels & 1U << level)
            r = add_text(j, "PRIORITY", (char[]){ (char)('0' + level), 0 });
    return r;
}

static int add_boot(sd_journal *j)
{
    char id[SD_ID128_STRING_MAX];
    sd_id128_t boot;

    int r = sd_id128_get_boot(&boot);
    return r < 0 ? r : add_text(j, "_BOOT_ID", sd_id128_to_string(boot, id));
}

static int add_query(sd_journal *j, const LogQuery *query)
{
    int r = query->pod ? add_match(j, LOG_FIELD_POD, query->pod) : 0;
    if (r >= 0 && query->container)
        r = add_match(j, LOG_FIELD_CONTAINER, query->container);
    if (r >= 0)
        r = query->events ? add_events(j) : add_streams(j, log_query_streams(query));
    if (r >= 0 && query->levels)
        r = add_levels(j, query->levels);
    return r >= 0 && query->boot ? add_boot(j) : r;
}

/*
 * Anybody may write records that look like a pod's. Those count that journald says are of podvisord's user, or of the
 * pod's own unit. Below --root, podvisord may be anybody.
 */
static int add_matches(sd_journal *j, const Paths *paths, const LogQuery *query)
{
    _cleanup_(freep) char *uid = strf("%u", paths->mode == PATHS_SYSTEM ? 0 : getuid());
    _cleanup_(freep) char *unit = strf(POD_UNIT_PREFIX "%s" POD_UNIT_SUFFIX, query->pod ?: "");

    int r = uid && unit ? add_query(j, query) : -ENOMEM;
    if (r < 0 || paths->mode == PATHS_ROOT)
        return r;
    r = add_text(j, "_UID", uid);
    if (r < 0 || paths->mode != PATHS_SYSTEM)
        return r;
    if ((r = sd_journal_add_disjunction(j)) >= 0 && (r = add_query(j, query)) >= 0)
        r = query->pod ? add_text(j, "_SYSTEMD_UNIT", unit) : add_text(j, "_SYSTEMD_SLICE", "podvisor.slice");
    return r;
}

static int seek(sd_journal *j, const LogQuery *query)
{
    if (query->last == UINT64_MAX)
        return query->since > 0 ? sd_journal_seek_realtime_usec(j, query->since) : sd_journal_seek_head(j);
    int r = query->until > 0 ? sd_journal_seek_realtime_usec(j, query->until + 1) : sd_journal_seek_tail(j);
    if (r >= 0)
        r = sd_journal_previous_skip(j, query->last + 1);
    /* Fewer than that: all. */
    return r < 0 ? r : (uint64_t)r <= query->last ? sd_journal_seek_head(j) : 0;
}

static int journal_open(const Paths *paths, const LogQuery *query, void **ret)
{
    JournalReader *reader = calloc(1, sizeof *reader);
    sd_journal *j = NULL;

    int r = reader ? sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY) : -ENOMEM;
    if (r >= 0)
        r = add_matches(j, paths, query);
    if (r >= 0)
        r = seek(j, query);
    if (r >= 0)
        r = sd_journal_set_data_threshold(j, 0);
    if (r < 0) {
        sd_journal_close(j);
        free(reader);
        return r;
    }
    *reader = (JournalReader){ .journal = j, .since = query->since, .until = query->until };
    *ret = reader;
    return 0;
}

/* The field's value, not NUL-terminated; NULL when there is none. */
static const char *field(sd_journal *j, const char *key, size_t *ret_size)
{
    const void *data;
    size_t size, skip = strlen(key) + 1;

    if (sd_journal_get_data(j, key, &data, &size) < 0 || size < skip)
        return NULL;
    *ret_size = size - skip;
    return (const char *)data + skip;
}

/* Absent: 0 with *ret NULL. */
static int take_text(sd_journal *j, LogFieldId id, char **ret)
{
    size_t size = 0;
    const char *text = field(j, log_field_rows[id].key, &size);

    return text && !(*ret = strndup(text, size)) ? -ENOMEM : 0;
}

static const struct {
    LogFieldId id;
    size_t offset;
} item_texts[] = {
    { LOG_FIELD_CONTAINER, offsetof(LogItem, container) }, { LOG_FIELD_POD, offsetof(LogItem, pod) },
    { LOG_FIELD_EVENT, offsetof(LogItem, event) },         { LOG_FIELD_STATE, offsetof(LogItem, state) },
    { LOG_FIELD_REASON, offsetof(LogItem, reason) },
};

static int item_fill(sd_journal *j, LogItem *item)
{
    _cleanup_(freep) char *stream = NULL, *generation = NULL;
    size_t size = 0;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < ELEMENTSOF(item_texts); i++)
        r = take_text(j, item_texts[i].id, (char **)(void *)((char *)item + item_texts[i].offset));
    if (r >= 0)
        r = take_text(j, LOG_FIELD_STREAM, &stream);
    if (r >= 0)
        r = take_text(j, LOG_FIELD_GENERATION, &generation);
    if (r >= 0)
        r = sd_journal_get_realtime_usec(j, &item->time);
    if (r < 0)
        return r;
    int value = enum_from_string(&log_stream_table, stream);
    item->stream = value < 0 ? LOG_STREAM_STDOUT : (LogStream)value;
    item->partial = field(j, log_field_rows[LOG_FIELD_PARTIAL].key, &size) != NULL;
    if (!generation || parse_unsigned(generation, &item->generation) < 0)
        item->generation = 0;
    const char *text = field(j, "PRIORITY", &size);
    item->level = text && size == 1 && *text >= '0' && *text <= '7' ? *text - '0' : LOG_INFO;
    /* The line as it was. */
    text = field(j, log_field_rows[LOG_FIELD_JSON].key, &size);
    if (!text)
        text = field(j, "MESSAGE", &size);
    return text ? bytes_append(&item->data, text, size) : 0;
}

static int journal_next(void *state, LogItem *ret)
{
    JournalReader *reader = state;
    int r;

    while ((r = sd_journal_next(reader->journal)) > 0) {
        LogItem item = { 0 };
        r = item_fill(reader->journal, &item);
        bool late = reader->until > 0 && item.time > reader->until;
        if (r >= 0 && item.time >= reader->since && !late) {
            *ret = item;
            return 1;
        }
        log_item_done(&item);
        if (r < 0 || late)
            return MIN(r, 0);
    }
    return r;
}

static int journal_fd(void *state)
{
    return sd_journal_get_fd(((JournalReader *)state)->journal);
}

static int journal_drain(void *state)
{
    int r = sd_journal_process(((JournalReader *)state)->journal);
    return r < 0 ? r : 0;
}

const LogSourceType log_source_journal = {
    .open = journal_open,
    .close = journal_close,
    .next = journal_next,
    .fd = journal_fd,
    .drain = journal_drain,
};
