/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/log.h"
#include "base/strings.h"

static const char *log_program = "podvisor";
static int log_max_level = LOG_INFO;

void log_to_stderr(int level, const LogField *fields, const char *message)
{
    /* systemd sets JOURNAL_STREAM where standard error is the journal's, which takes the priority from the prefix. */
    if (getenv("JOURNAL_STREAM"))
        fprintf(stderr, "<%d>%s\n", level, message);
    else
        fprintf(stderr, "%s: %s\n", log_program, message);
}

static LogSink log_sink = log_to_stderr;

void log_open(const char *program, int max_level)
{
    log_program = program;
    log_max_level = max_level;
}

void log_set_sink(LogSink sink)
{
    log_sink = sink ?: log_to_stderr;
}

int log_level_from_string(const char *word)
{
    static const char *const words[] = {
        [LOG_EMERG] = "emerg",     [LOG_ALERT] = "alert",   [LOG_CRIT] = "crit", [LOG_ERR] = "err",
        [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
    };
    uint64_t number;

    for (int i = 0; i < (int)ELEMENTSOF(words); i++)
        if (streq(words[i], word))
            return i;
    return parse_unsigned(word, &number) == 0 && number <= LOG_DEBUG ? (int)number : -EINVAL;
}

int log_full_va(int level, int error, const LogField *fields, const char *format, va_list args)
{
    if (level > log_max_level)
        return error;

    _cleanup_(freep) char *text = strf_va(format, args);
    if (text && error != 0) {
        char *longer = strf("%s: %s", text, strerror(abs(error)));
        if (longer) {
            free(text);
            text = longer;
        }
    }
    _cleanup_(freep) char *escaped = text ? str_escape(text, strlen(text)) : NULL;
    log_sink(level, fields, escaped ?: "a message was lost: out of memory");
    return error;
}

int log_full(int level, int error, const LogField *fields, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_full_va(level, error, fields, format, args);
    va_end(args);
    return error;
}
