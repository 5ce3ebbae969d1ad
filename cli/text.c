/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>
#include <wchar.h>

#include "base/strings.h"
#include "cli/text.h"
#include "schemas/formats.h"

char *text_safe(const char *s)
{
    char *escaped = str_escape(s ?: "", strlen(s ?: ""));

    /* Backslashes are harmless on a terminal, and what is shown here is not read back. */
    char *from = escaped, *to = escaped;
    while (from && *from) {
        bool backslash = str_after(from, "\\x5c") != NULL;
        *to++ = *from;
        from += backslash ? 4 : 1;
    }
    if (to)
        *to = 0;
    return escaped;
}

char *text_memory(uint64_t bytes)
{
    static const char units[] = "BKMGT";
    size_t unit = 0;
    uint64_t tenths = MIN(bytes, UINT64_MAX / 16) * 10;

    while (tenths >= 10240 && units[unit + 1]) {
        tenths = (tenths + 512) / 1024;
        unit++;
    }
    if (unit > 0 && tenths < 100 && tenths % 10 != 0)
        return strf("%llu.%llu%c", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10),
                    units[unit]);
    return strf("%llu%c", (unsigned long long)((tenths + 5) / 10), units[unit]);
}

char *text_cpu(usec_t used, usec_t started, usec_t now)
{
    usec_t life = usec_sub(now, started);

    if (started == 0 || life == 0)
        return strdup("-");
    uint64_t tenths = (uint64_t)(((unsigned __int128)used * 1000 + life / 2) / life);
    return strf("%llu.%llu%%", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10));
}

char *text_processor_time(usec_t time)
{
    uint64_t seconds = time / USEC_PER_SEC, minutes = seconds / 60, hours = minutes / 60;

    if (minutes == 0)
        return strf("%llu.%02llus", (unsigned long long)seconds,
                    (unsigned long long)(time % USEC_PER_SEC / (USEC_PER_SEC / 100)));
    if (hours == 0)
        return strf("%llu:%02llu", (unsigned long long)minutes, (unsigned long long)(seconds % 60));
    return strf("%llu:%02llu:%02llu", (unsigned long long)hours, (unsigned long long)(minutes % 60),
                (unsigned long long)(seconds % 60));
}

char *text_age(usec_t then, usec_t now)
{
    return then == 0 ? strdup("-") : age_format(usec_sub(now, then));
}

char *text_until(usec_t then, usec_t now)
{
    if (then <= now)
        return strdup("now");
    usec_t left = then - now;
    _cleanup_(freep) char *duration =
        duration_format(left - left % (left < USEC_PER_SEC ? USEC_PER_MSEC : USEC_PER_SEC));
    return duration ? strf("in %s", duration) : NULL;
}

char *text_time(usec_t then)
{
    time_t seconds = (time_t)(then / USEC_PER_SEC);
    char text[64];
    struct tm tm;

    if (!localtime_r(&seconds, &tm) || strftime(text, sizeof text, "%a %F %T %Z", &tm) == 0)
        return strf("%llu", (unsigned long long)(then / USEC_PER_SEC));
    return strdup(text);
}

char *text_exit(int64_t code, uint64_t signal)
{
    if (signal > 0) {
        _cleanup_(freep) char *name = signal_format((int)MIN(signal, (uint64_t)INT16_MAX));
        return name ? strf("killed by %s", name) : NULL;
    }
    return code < 0 ? strdup("-") : strf("exit status %lld", (long long)code);
}

char *text_count(uint64_t n, const char *one, const char *many)
{
    return strf("%llu %s", (unsigned long long)n, n == 1 ? one : many);
}

int text_width(const char *s)
{
    wchar_t wide[512];
    size_t n = mbstowcs(wide, s, ELEMENTSOF(wide));

    if (n == (size_t)-1 || n == ELEMENTSOF(wide))
        return (int)strlen(s);
    int width = wcswidth(wide, n);
    return width < 0 ? (int)strlen(s) : width;
}
