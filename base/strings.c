/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>

#include "base/strings.h"

bool streq_ptr(const char *a, const char *b)
{
    return a && b ? streq(a, b) : a == b;
}

const char *str_after(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && streq(s + n - m, suffix);
}

char *strf_va(const char *format, va_list args)
{
    char *s = NULL;
    return vasprintf(&s, format, args) < 0 ? NULL : s;
}

char *strf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *s = strf_va(format, args);
    va_end(args);
    return s;
}

int str_replace(char **s, const char *value)
{
    char *copy = NULL;

    if (value && !(copy = strdup(value)))
        return -ENOMEM;
    free(*s);
    *s = copy;
    return 0;
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), 0 where there is none. */
static size_t utf8_length(const uint8_t *p, size_t size)
{
    static const struct {
        uint8_t first_min, first_max, second_min, second_max, length;
    } rows[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    TABLE_FOREACH (row, rows) {
        if (p[0] < row->first_min || p[0] > row->first_max || size < row->length)
            continue;
        if (p[1] < row->second_min || p[1] > row->second_max)
            return 0;
        for (size_t i = 2; i < row->length; i++)
            if ((p[i] & 0xc0) != 0x80)
                return 0;
        return row->length;
    }
    return 0;
}

size_t utf8_prefix(const void *data, size_t size)
{
    const uint8_t *p = data;
    size_t i = 0;

    while (i < size) {
        size_t n = p[i] < 0x80 ? 1 : utf8_length(p + i, size - i);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

bool str_is_utf8(const char *s)
{
    size_t size = strlen(s);
    return utf8_prefix(s, size) == size;
}

char *str_escape(const void *data, size_t size)
{
    const uint8_t *p = data;
    char *out = malloc(size * 4 + 1), *q = out;

    if (!out)
        return NULL;
    for (size_t i = 0; i < size;) {
        bool plain = p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\';
        size_t n = plain ? 1 : utf8_length(p + i, size - i);
        /* C1 control characters are well-formed UTF-8, and terminals obey them. */
        if (n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0)
            n = 0;
        if (n > 0) {
            memcpy(q, p + i, n);
            q += n;
            i += n;
        } else
            q += snprintf(q, 5, "\\x%02x", p[i++]);
    }
    *q = 0;
    return out;
}

int parse_unsigned(const char *s, uint64_t *ret)
{
    uint64_t value = 0;

    if (!*s)
        return -EINVAL;
    for (const char *p = s; *p; p++) {
        if (!isdigit((unsigned char)*p))
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return -ERANGE;
    }
    *ret = value;
    return 0;
}

enum { WORD_MAX = 64 };

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment distance: a swap of neighbours is one mistake, as fingers make it. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    size_t d[WORD_MAX + 1][WORD_MAX + 1];

    if (n > WORD_MAX || m > WORD_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t best = d[i - 1][j - 1] + !same_letter(a[i - 1], b[j - 1]);
            best = MIN(best, MIN(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN(best, d[i - 2][j - 2] + 1);
            d[i][j] = best;
        }
    return d[n][m];
}

/* More would make words of a few letters look like each other: of "name" to "image" it is two. */
static size_t mistakes_allowed(size_t length)
{
    return length < 2 ? 0 : length < 6 ? 1 : length / 3;
}

/* "mem" for "memory". */
static bool is_beginning(const char *word, const char *of)
{
    enum { SHORTEST = 3 };
    size_t n = 0;

    while (word[n] && same_letter(word[n], of[n]))
        n++;
    return n >= SHORTEST && !word[n];
}

const char *str_suggest(const char *word, const char *const *candidates, size_t n_candidates)
{
    size_t best = mistakes_allowed(strlen(word)) + 1, n_begun = 0;
    const char *found = NULL, *begun = NULL;

    for (size_t i = 0; i < n_candidates; i++) {
        size_t distance = edit_distance(word, candidates[i]);
        if (distance < best) {
            best = distance;
            found = candidates[i];
        }
        if (is_beginning(word, candidates[i]) && n_begun++ == 0)
            begun = candidates[i];
    }
    return found ?: n_begun == 1 ? begun : NULL;
}

size_t strv_length(char *const *v)
{
    size_t n = 0;
    while (v && v[n])
        n++;
    return n;
}

bool strv_contains(char *const *v, const char *s)
{
    for (; v && *v; v++)
        if (streq(*v, s))
            return true;
    return false;
}

bool strv_equal(char *const *a, char *const *b)
{
    size_t n = strv_length(a);

    if (n != strv_length(b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!streq(a[i], b[i]))
            return false;
    return true;
}

char **strv_free(char **v)
{
    STRV_FOREACH (s, v)
        free(*s);
    free(v);
    return NULL;
}

char **strv_copy(char *const *v)
{
    size_t n = strv_length(v);
    _cleanup_(strv_freep) char **copy = calloc(n + 1, sizeof(char *));

    if (!copy)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!(copy[i] = strdup(v[i])))
            return NULL;
    return take_ptr(copy);
}

static int strv_consume(char ***v, char *s)
{
    size_t n = strv_length(*v);
    char **longer = s ? reallocarray(*v, n + 2, sizeof(char *)) : NULL;

    if (!longer) {
        free(s);
        return -ENOMEM;
    }
    longer[n] = s;
    longer[n + 1] = NULL;
    *v = longer;
    return 0;
}

int strv_append(char ***v, const char *s)
{
    return strv_consume(v, strdup(s));
}

int strv_appendf(char ***v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *s = strf_va(format, args);
    va_end(args);
    return strv_consume(v, s);
}

char *strv_join(char *const *v, const char *separator)
{
    size_t size = 1;

    for (size_t i = 0; v && v[i]; i++)
        size += strlen(v[i]) + strlen(separator);

    char *joined = malloc(size), *p = joined;
    if (!joined)
        return NULL;
    *p = 0;
    for (size_t i = 0; v && v[i]; i++) {
        if (i > 0)
            p = stpcpy(p, separator);
        p = stpcpy(p, v[i]);
    }
    return joined;
}

char **strv_split(const char *s, const char *separators)
{
    _cleanup_(strv_freep) char **v = calloc(1, sizeof(char *));

    if (!v)
        return NULL;
    for (s += strspn(s, separators); *s; s += strspn(s, separators)) {
        size_t n = strcspn(s, separators);
        if (strv_consume(&v, strndup(s, n)) < 0)
            return NULL;
        s += n;
    }
    return take_ptr(v);
}
