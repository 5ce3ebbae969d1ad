/* SPDX-License-Identifier: Apache-2.0 */
#include <systemd/sd-journal.h>

#include "base/strings.h"
#include "cli/log-source.h"

static void journal_close(void *state)
{
    sd_journal_close(state);
}

static int add_match(sd_journal *j, LogFieldId id, const char *value)
{
    _cleanup_(freep) char *match = strf("%s=%s", log_field_rows[id].key, value);
    return match ? sd_journal_add_match(j, match, 0) : -ENOMEM;
}

/* Output of containers has a stream; podvisord's own messages about the pod have none and are not shown here. */
static int add_matches(sd_journal *j, const LogQuery *query)
{
    int r = add_match(j, LOG_FIELD_POD, query->pod);
    if (r >= 0 && query->container)
        r = add_match(j, LOG_FIELD_CONTAINER, query->container);
    for (int i = 0; r >= 0 && i <= LOG_STREAM_STDERR; i++)
        r = add_match(j, LOG_FIELD_STREAM, enum_to_string(&log_stream_table, i));
    return r;
}

static int seek(sd_journal *j, const LogQuery *query)
{
    if (query->last == UINT64_MAX)
        return query->since > 0 ? sd_journal_seek_realtime_usec(j, query->since) : sd_journal_seek_head(j);
    int r = sd_journal_seek_tail(j);
    if (r >= 0)
        r = sd_journal_previous_skip(j, query->last + 1);
    /* Fewer than that: all. */
    return r < 0 ? r : (uint64_t)r <= query->last ? sd_journal_seek_head(j) : 0;
}

static int journal_open(const Paths *paths, const LogQuery *query, void **ret)
{
    sd_journal *j = NULL;

    int r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY);
    if (r >= 0)
        r = add_matches(j, query);
    if (r >= 0)
        r = seek(j, query);
    if (r >= 0)
        r = sd_journal_set_data_threshold(j, 0);
    if (r < 0) {
        sd_journal_close(j);
        return r;
    }
    *ret = j;
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

static int item_fill(sd_journal *j, LogItem *item)
{
    size_t size = 0;
    const char *text = field(j, log_field_rows[LOG_FIELD_CONTAINER].key, &size);

    if (text && !(item->container = strndup(text, size)))
        return -ENOMEM;
    text = field(j, log_field_rows[LOG_FIELD_STREAM].key, &size);
    _cleanup_(freep) char *stream = text ? strndup(text, size) : NULL;
    int value = enum_from_string(&log_stream_table, stream);
    item->stream = value < 0 ? LOG_STREAM_STDOUT : (LogStream)value;
    item->partial = field(j, log_field_rows[LOG_FIELD_PARTIAL].key, &size) != NULL;
    int r = sd_journal_get_realtime_usec(j, &item->time);
    if (r < 0)
        return r;
    text = field(j, "MESSAGE", &size);
    return text ? bytes_append(&item->data, text, size) : 0;
}

static int journal_next(void *state, LogItem *ret)
{
    LogItem item = { 0 };

    int r = sd_journal_next(state);
    if (r <= 0)
        return r;
    r = item_fill(state, &item);
    if (r < 0) {
        log_item_done(&item);
        return r;
    }
    *ret = item;
    return 1;
}

static int journal_fd(void *state)
{
    return sd_journal_get_fd(state);
}

static int journal_drain(void *state)
{
    int r = sd_journal_process(state);
    return r < 0 ? r : 0;
}

const LogSourceType log_source_journal = {
    .open = journal_open,
    .close = journal_close,
    .next = journal_next,
    .fd = journal_fd,
    .drain = journal_drain,
};
