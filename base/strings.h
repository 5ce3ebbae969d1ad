/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Strings and NULL-terminated vectors of strings ("strv"). A NULL strv is an empty one. All memory is malloc'ed and
 * belongs to the caller. Functions that return a pointer return NULL only when out of memory, unless said otherwise.
 */
#include <stdarg.h>
#include <string.h>

#include "base/macro.h"

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Equal, where NULL equals only NULL. */
bool streq_ptr(const char *a, const char *b);

/* NULL and "" are both empty. */
static inline bool str_empty(const char *s)
{
    return !s || !*s;
}

/* What follows prefix in s; NULL when s does not begin with it. */
const char *str_after(const char *s, const char *prefix);
bool str_ends_with(const char *s, const char *suffix);

char *strf(const char *format, ...) _printf_(1, 2);
char *strf_va(const char *format, va_list args) _printf_(1, 0);

/* *s = copy of value, the old one freed; value may be NULL. 0 or -ENOMEM (then *s is as before). */
int str_replace(char **s, const char *value);

/* How many of the bytes are well-formed UTF-8 (RFC 3629), from the first on; size when all are. */
size_t utf8_prefix(const void *data, size_t size);

/* Printable ASCII and well-formed UTF-8 stay; control bytes, broken UTF-8 and backslashes become \xNN. For all
 * text that a guest, a file or a peer wrote, before it reaches a terminal or a log. */
char *str_escape(const void *data, size_t size);

/* Well-formed UTF-8 (RFC 3629); D-Bus closes the connection of whoever sends anything else. */
bool str_is_utf8(const char *s);

/* Decimal, the whole of the string, no sign, no blanks: 0, -EINVAL, -ERANGE. */
int parse_unsigned(const char *s, uint64_t *ret);

/*
 * The candidate that word most likely meant, whatever its case, or NULL: by edit distance, of at most a third of its length
 * and of one letter in words of two to five; or else the only candidate that it is the beginning of.
 */
const char *str_suggest(const char *word, const char *const *candidates, size_t n_candidates);

#define STRV_FOREACH(s, v) for (char **s = (v); s && *s; s++)

size_t strv_length(char *const *v);
bool strv_contains(char *const *v, const char *s);
bool strv_equal(char *const *a, char *const *b);
char **strv_free(char **v);
char **strv_copy(char *const *v);
/* Appends a copy of s: 0 or -ENOMEM (then *v is as before). */
int strv_append(char ***v, const char *s);
int strv_appendf(char ***v, const char *format, ...) _printf_(2, 3);
char *strv_join(char *const *v, const char *separator);
/* Splits at each separator character; no empty elements. */
char **strv_split(const char *s, const char *separators);

DEFINE_CLEANUP(char **, strv_free)
