/* SPDX-License-Identifier: Apache-2.0 */
#include <syslog.h>
#include <time.h>

#include "base/log.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/log-query.h"

enum { FOLLOW_LINES = 10 };

typedef enum QueryStream {
    QUERY_STREAM_CONTAINERS,
    QUERY_STREAM_CONSOLE,
    QUERY_STREAM_VMM,
    QUERY_STREAM_ALL,
    QUERY_STREAM_MAX,
} QueryStream;

DEFINE_ENUM_TABLE(
    log_query_stream, "stream",
    QUERY_STREAM_MAX, [QUERY_STREAM_CONTAINERS] = { "containers", "what containers wrote" },
    [QUERY_STREAM_CONSOLE] = { "console", "what the guest's kernel said" },
    [QUERY_STREAM_VMM] = { "vmm", "what QEMU said" }, [QUERY_STREAM_ALL] = { "all", "all of these" });

static const unsigned streams[QUERY_STREAM_MAX] = {
    [QUERY_STREAM_CONTAINERS] = 1U << LOG_STREAM_STDOUT | 1U << LOG_STREAM_STDERR,
    [QUERY_STREAM_CONSOLE] = 1U << LOG_STREAM_CONSOLE,
    [QUERY_STREAM_VMM] = 1U << LOG_STREAM_VMM,
    [QUERY_STREAM_ALL] = (1U << LOG_STREAM_MAX) - 1,
};

/* "10min" before now, or "2026-11-23 18:00[:00]", "18:00[:00]" of today. */
static int time_parse(const char *text, usec_t now, usec_t *ret)
{
    static const char *const formats[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%H:%M:%S",
                                           "%H:%M" };
    time_t seconds = (time_t)(now / USEC_PER_SEC);
    usec_t ago;

    if (duration_parse(text, &ago) == 0) {
        *ret = usec_sub(now, ago);
        return 0;
    }
    TABLE_FOREACH (format, formats) {
        struct tm tm;
        if (!localtime_r(&seconds, &tm))
            return -EINVAL;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        const char *end = strptime(text, *format, &tm);
        tm.tm_isdst = -1;
        time_t then = end && !*end ? mktime(&tm) : -1;
        if (then >= 0) {
            *ret = (usec_t)then * USEC_PER_SEC;
            return 0;
        }
    }
    return -EINVAL;
}

static int time_option(const Context *c, OptionId id, usec_t *ret)
{
    const OptionValue *option = &c->options[id];

    if (!option->given || time_parse(option->text, now_usec(CLOCK_REALTIME), ret) >= 0)
        return STATUS_OK;
    log_error("--%s: \"%s\" is neither a duration such as \"10min\" nor a time such as \"2026-11-23 18:00\"",
              options[id].name, option->text);
    return STATUS_USAGE;
}

static int priority_option(const Context *c, unsigned *ret)
{
    const OptionValue *option = &c->options[OPTION_PRIORITY];

    if (!option->given)
        return STATUS_OK;
    int level = log_level_from_string(option->text);
    if (level < 0) {
        log_error(
            "--priority: \"%s\" is none of emerg, alert, crit, err, warning, notice, info, debug and 0 to 7",
            option->text);
        return STATUS_USAGE;
    }
    *ret = (unsigned)LOG_UPTO(level);
    return STATUS_OK;
}

int log_query_read(const Context *c, char *word, LogQuery *ret)
{
    const OptionValue *lines = &c->options[OPTION_LINES];
    char *slash = word ? strchr(word, '/') : NULL;

    *ret = (LogQuery){
        .pod = word,
        .container = slash ? slash + 1 : NULL,
        .boot = option_given(c, OPTION_BOOT),
        .follow = option_given(c, OPTION_FOLLOW),
        .streams = streams[c->options[OPTION_STREAM].number],
        .last = lines->given                     ? lines->number
                : option_given(c, OPTION_FOLLOW) ? FOLLOW_LINES
                                                 : UINT64_MAX,
    };
    if (slash)
        *slash = 0;
    int status = time_option(c, OPTION_SINCE, &ret->since);
    if (status == STATUS_OK)
        status = time_option(c, OPTION_UNTIL, &ret->until);
    return status == STATUS_OK ? priority_option(c, &ret->levels) : status;
}

bool log_query_is_narrow(const LogQuery *query)
{
    return query->since > 0 || query->until > 0 || query->last == 0 || query->levels || query->boot ||
           !(log_query_streams(query) & 1U << LOG_STREAM_STDOUT);
}
