/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <syslog.h>

#include "base/strings.h"
#include "runner/log-line.h"

/* The names that loggers of many languages give to the text and to its importance; the first that is there counts. */
static const char *const text_keys[] = { "message", "msg", "MESSAGE", "Message", "@m", "event", "text" };
static const char *const level_keys[] = { "level",     "severity", "lvl",      "levelname",
                                          "log.level", "PRIORITY", "priority", "Level",
                                          "LEVEL",     "@l",       "loglevel" };

static const struct {
    const char *word;
    int level;
} level_words[] = {
    { "trace", LOG_DEBUG },     { "verbose", LOG_DEBUG },    { "debug", LOG_DEBUG },
    { "info", LOG_INFO },       { "information", LOG_INFO }, { "notice", LOG_NOTICE },
    { "warn", LOG_WARNING },    { "warning", LOG_WARNING },  { "err", LOG_ERR },
    { "error", LOG_ERR },       { "severe", LOG_ERR },       { "crit", LOG_CRIT },
    { "critical", LOG_CRIT },   { "fatal", LOG_CRIT },       { "dpanic", LOG_CRIT },
    { "panic", LOG_CRIT },      { "alert", LOG_ALERT },      { "emerg", LOG_EMERG },
    { "emergency", LOG_EMERG },
};

/* Numbers up to 7 are syslog's; loggers of JavaScript count 10 (trace), 20, ... 60 (fatal). */
static const struct {
    json_int_t from;
    int level;
} level_numbers[] = {
    { 60, LOG_CRIT }, { 50, LOG_ERR }, { 40, LOG_WARNING }, { 30, LOG_INFO }, { 10, LOG_DEBUG },
};

static const json_t *first_of(const json_t *object, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(object, keys[i]);
        if (value)
            return value;
    }
    return NULL;
}

static int level_of_number(json_int_t number, int level)
{
    if (number >= LOG_EMERG && number <= LOG_DEBUG)
        return (int)number;
    TABLE_FOREACH (row, level_numbers)
        if (number >= row->from)
            return row->level;
    return level;
}

static int level_of_json(const json_t *value, int level)
{
    const char *word = json_string_value(value);
    uint64_t number;

    if (json_is_integer(value))
        return level_of_number(json_integer_value(value), level);
    if (!word)
        return level;
    TABLE_FOREACH (row, level_words)
        if (strcasecmp(row->word, word) == 0)
            return row->level;
    return parse_unsigned(word, &number) == 0 && number <= INT32_MAX
               ? level_of_number((json_int_t)number, level)
               : level;
}

static void read_json(LogLine *line, const char *data, size_t size)
{
    if (size == 0 || data[0] != '{')
        return;
    json_t *object = json_loadb(data, size, 0, NULL);
    if (!object)
        return;
    const char *text = json_string_value(first_of(object, text_keys, ELEMENTSOF(text_keys)));
    const json_t *level = first_of(object, level_keys, ELEMENTSOF(level_keys));
    if (level)
        line->level = level_of_json(level, line->level);
    if (text)
        line->text = strdup(text);
    json_decref(object);
}

static void read_prefix(LogLine *line, const char *data, size_t size)
{
    if (size >= 3 && data[0] == '<' && data[1] >= '0' && data[1] <= '7' && data[2] == '>') {
        line->level = data[1] - '0';
        line->skip = 3;
    }
}

LogLine log_line_read(LogSyntax format, int level, bool whole, const void *data, size_t size)
{
    LogLine line = { .level = level };

    if (format == LOG_SYNTAX_RAW)
        return line;
    read_prefix(&line, data, size);
    if (format == LOG_SYNTAX_JSON && whole)
        read_json(&line, (const char *)data + line.skip, size - line.skip);
    return line;
}
