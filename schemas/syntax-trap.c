/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "schemas/syntax-hint.h"

enum { DEPTH_MAX = 64 };

typedef struct Walk {
    const char *p;
    unsigned line;
    char stack[DEPTH_MAX]; /* brackets that are open; deeper ones are not looked at */
    size_t depth;
    bool after_string; /* nothing but blanks and comments since the end of a string */
} Walk;

/* Advances to `to`, counting lines. */
static void walk_to(Walk *w, const char *to)
{
    for (; w->p < to; w->p++)
        w->line += *w->p == '\n';
}

static const char *string_end(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

/* Past a comment, or not at all; false when it is never closed. */
static bool skip_comment(Walk *w)
{
    if (*w->p == '#' || (w->p[0] == '/' && w->p[1] == '/')) {
        walk_to(w, w->p + strcspn(w->p, "\n"));
        return true;
    }
    if (w->p[0] != '/' || w->p[1] != '*')
        return true;
    const char *end = strstr(w->p + 2, "*/");
    if (end)
        walk_to(w, end + 2);
    return end != NULL;
}

static void take_character(Walk *w)
{
    if (strchr("([{", *w->p)) {
        if (w->depth < DEPTH_MAX)
            w->stack[w->depth] = *w->p;
        w->depth++;
    } else if (strchr(")]}", *w->p) && w->depth > 0)
        w->depth--;
    if (!isspace((unsigned char)*w->p))
        w->after_string = false;
    walk_to(w, w->p + 1);
}

static bool in_array(const Walk *w)
{
    return w->depth > 0 && w->depth <= DEPTH_MAX && strchr("[(", w->stack[w->depth - 1]);
}

const char *syntax_trap(const char *text, unsigned *ret_line)
{
    Walk w = { .p = text, .line = 1 };

    while (*w.p) {
        const char *before = w.p;
        *ret_line = w.line;
        if (!skip_comment(&w))
            return "a comment begins here with /* and is never closed with */";
        if (w.p > before)
            continue;
        if (*w.p != '"') {
            take_character(&w);
            continue;
        }
        if (w.after_string && in_array(&w))
            return "two strings with no comma between them would become one";
        walk_to(&w, string_end(w.p));
        w.after_string = true;
    }
    return NULL;
}
