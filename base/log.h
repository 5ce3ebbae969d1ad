/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The log of a program: one line a message, structured fields beside it. Messages go to a sink: standard error by
 * default (with <N> priorities where the journal reads it), the journal itself by base/journal.h.
 *
 * Log once, at the edge: base/, schemas/ and pure modules return errors and never call this. Sentences name the object
 * and end with the cause; `error` (negative errno, or 0) is appended as that cause.
 */
#include <stdarg.h>
#include <syslog.h>

#include "base/macro.h"

typedef struct LogField {
    const char *key;   /* "PODVISOR_POD": as the journal wants it; NULL ends a list */
    const char *value; /* NULL: the field is left out */
} LogField;

/* fields may be NULL. message has no line end. */
typedef void (*LogSink)(int level, const LogField *fields, const char *message);

/* Both are valid for the whole process. program is not copied. */
void log_open(const char *program, int max_level);
void log_set_sink(LogSink sink); /* NULL: standard error */
/* The sink that writes to standard error. */
void log_to_stderr(int level, const LogField *fields, const char *message);
/* "debug", "info", ... or "0".."7" to a level of <syslog.h>; -EINVAL. */
int log_level_from_string(const char *word);

/* Escapes what it prints, so an argument may be text of a stranger. Returns error, for `return log_...`. */
int log_full(int level, int error, const LogField *fields, const char *format, ...) _printf_(4, 5);
int log_full_va(int level, int error, const LogField *fields, const char *format, va_list args)
    _printf_(4, 0);

#define log_debug(...) log_full(LOG_DEBUG, 0, NULL, __VA_ARGS__)
#define log_info(...) log_full(LOG_INFO, 0, NULL, __VA_ARGS__)
#define log_notice(...) log_full(LOG_NOTICE, 0, NULL, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, 0, NULL, __VA_ARGS__)
#define log_error(...) log_full(LOG_ERR, 0, NULL, __VA_ARGS__)
#define log_warning_errno(error, ...) log_full(LOG_WARNING, error, NULL, __VA_ARGS__)
#define log_error_errno(error, ...) log_full(LOG_ERR, error, NULL, __VA_ARGS__)
