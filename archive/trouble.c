/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "archive/trouble.h"

static int fill(Trouble *t, int error, bool cause, const char *format, va_list args) _printf_(4, 0);
static int fill(Trouble *t, int error, bool cause, const char *format, va_list args)
{
    t->error = error;
    int n = vsnprintf(t->text, sizeof t->text, format, args);
    if (cause && n >= 0 && (size_t)n < sizeof t->text)
        (void)snprintf(t->text + n, sizeof t->text - (size_t)n, ": %s", strerror(-error));
    return error;
}

int trouble_set(Trouble *t, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fill(t, error, true, format, args);
    va_end(args);
    return error;
}

int trouble_say(Trouble *t, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fill(t, error, false, format, args);
    va_end(args);
    return error;
}
