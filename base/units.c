/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "base/strings.h"
#include "base/units.h"

typedef struct Unit {
    const char *name;
    uint64_t factor;
} Unit;

static const Unit size_units[] = {
    { "", 1 },
    { "B", 1 },
    { "K", UINT64_C(1) << 10 },
    { "M", UINT64_C(1) << 20 },
    { "G", UINT64_C(1) << 30 },
    { "T", UINT64_C(1) << 40 },
};

/* Largest first, so that formatting walks it once. A number alone is seconds, as systemd has it. */
static const Unit duration_units[] = {
    { "w", 7 * 24 * USEC_PER_HOUR },
    { "d", 24 * USEC_PER_HOUR },
    { "h", USEC_PER_HOUR },
    { "min", USEC_PER_MINUTE },
    { "s", USEC_PER_SEC },
    { "ms", USEC_PER_MSEC },
    { "us", 1 },
};
static const Unit duration_aliases[] = {
    { "", USEC_PER_SEC },          { "sec", USEC_PER_SEC },        { "m", USEC_PER_MINUTE },
    { "hr", USEC_PER_HOUR },       { "msec", USEC_PER_MSEC },      { "usec", 1 },
    { "day", 24 * USEC_PER_HOUR }, { "days", 24 * USEC_PER_HOUR },
};

static const Unit *unit_find(const Unit *units, size_t n, const char *name, size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(units[i].name) == length && strncmp(units[i].name, name, length) == 0)
            return &units[i];
    return NULL;
}

/* "12.5" -> 12 and 500000 millionths; returns what follows, NULL when there is no number or it is too large. */
static const char *number_parse(const char *s, uint64_t *ret_whole, uint64_t *ret_millionths)
{
    uint64_t whole = 0, millionths = 0, place = 100000;

    if (!isdigit((unsigned char)*s))
        return NULL;
    for (; isdigit((unsigned char)*s); s++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
            return NULL;
    if (*s == '.' && isdigit((unsigned char)s[1]))
        for (s++; isdigit((unsigned char)*s); s++, place /= 10)
            millionths += (uint64_t)(*s - '0') * place;
    *ret_whole = whole;
    *ret_millionths = millionths;
    return s;
}

static int scaled(uint64_t whole, uint64_t millionths, uint64_t factor, uint64_t *ret)
{
    uint64_t value, fraction = (uint64_t)((unsigned __int128)millionths * factor / 1000000);

    if (__builtin_mul_overflow(whole, factor, &value) || __builtin_add_overflow(value, fraction, &value))
        return -ERANGE;
    *ret = value;
    return 0;
}

int size_parse(const char *s, uint64_t *ret)
{
    uint64_t whole, millionths;

    if (streq(s, "infinity")) {
        *ret = SIZE_INFINITY;
        return 0;
    }
    const char *rest = number_parse(s, &whole, &millionths);
    if (!rest)
        return isdigit((unsigned char)*s) ? -ERANGE : -EINVAL;
    const Unit *unit = unit_find(size_units, ELEMENTSOF(size_units), rest, strlen(rest));
    return unit ? scaled(whole, millionths, unit->factor, ret) : -EINVAL;
}

int duration_parse(const char *s, usec_t *ret)
{
    usec_t sum = 0;

    if (streq(s, "infinity")) {
        *ret = USEC_INFINITY;
        return 0;
    }
    do {
        uint64_t whole, millionths;
        usec_t part;
        const char *unit_begin = number_parse(s, &whole, &millionths);
        if (!unit_begin)
            return isdigit((unsigned char)*s) ? -ERANGE : -EINVAL;
        unit_begin += strspn(unit_begin, " ");
        size_t n = 0;
        while (isalpha((unsigned char)unit_begin[n]))
            n++;
        const Unit *unit = unit_find(duration_units, ELEMENTSOF(duration_units), unit_begin, n);
        if (!unit)
            unit = unit_find(duration_aliases, ELEMENTSOF(duration_aliases), unit_begin, n);
        if (!unit)
            return -EINVAL;
        if (scaled(whole, millionths, unit->factor, &part) < 0 || __builtin_add_overflow(sum, part, &sum))
            return -ERANGE;
        s = unit_begin + n + strspn(unit_begin + n, " ");
    } while (*s);
    *ret = sum;
    return 0;
}

char *size_format(uint64_t size)
{
    if (size == SIZE_INFINITY)
        return strdup("infinity");
    for (const Unit *unit = size_units + ELEMENTSOF(size_units) - 1; unit->factor > 1; unit--) {
        if (size < unit->factor)
            continue;
        uint64_t hundredths = (uint64_t)((unsigned __int128)size * 100 / unit->factor);
        if ((unsigned __int128)hundredths * unit->factor != (unsigned __int128)size * 100)
            continue;
        if (hundredths % 100 == 0)
            return strf("%llu%s", (unsigned long long)(hundredths / 100), unit->name);
        return strf("%llu.%02llu%s", (unsigned long long)(hundredths / 100),
                    (unsigned long long)(hundredths % 100), unit->name);
    }
    return strf("%llu", (unsigned long long)size);
}

char *duration_format(usec_t duration)
{
    _cleanup_(freep) char *text = NULL;

    if (duration == USEC_INFINITY)
        return strdup("infinity");
    TABLE_FOREACH (unit, duration_units) {
        if (duration < unit->factor)
            continue;
        char *longer = strf("%s%s%llu%s", text ?: "", text ? " " : "",
                            (unsigned long long)(duration / unit->factor), unit->name);
        if (!longer)
            return NULL;
        free(text);
        text = longer;
        duration %= unit->factor;
    }
    return text ? take_ptr(text) : strdup("0s");
}

char *age_format(usec_t age)
{
    TABLE_FOREACH (unit, duration_units)
        if (age >= unit->factor && unit->factor >= USEC_PER_SEC)
            return strf("%llu%s ago", (unsigned long long)(age / unit->factor), unit->name);
    return strdup("now");
}

usec_t now_usec(int clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}
