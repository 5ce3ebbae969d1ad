/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "guest/agent/failure.h"

static size_t fill(Failure *f, int error, const char *format, va_list args) _printf_(3, 0);
static size_t fill(Failure *f, int error, const char *format, va_list args)
{
    f->error = error;
    int n = vsnprintf(f->text, sizeof f->text, format, args);
    return n < 0 ? 0 : MIN((size_t)n, sizeof f->text - 1);
}

int failure_set(Failure *f, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    size_t n = fill(f, error, format, args);
    va_end(args);
    (void)snprintf(f->text + n, sizeof f->text - n, ": %s", strerror(-error));
    return error;
}

int failure_say(Failure *f, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fill(f, error, format, args);
    va_end(args);
    return error;
}

bool failure_temporary(const Failure *f)
{
    static const int errors[] = { -ENOMEM, -EAGAIN, -EMFILE, -ENFILE, -ENOSPC, -EBUSY, -EINTR };

    TABLE_FOREACH (error, errors)
        if (f->error == *error)
            return true;
    return false;
}
