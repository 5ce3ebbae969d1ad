/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/strings.h"
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

/* --- keys ------------------------------------------------------------------------------------------------------- */

typedef struct Key {
    const char *name;
    size_t size, depth;
    unsigned line;
} Key;

typedef struct Keys {
    Key *items; /* of the groups that are open */
    size_t n_items;
    const Key *first; /* of the pair that was found */
} Keys;

#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*"

/* Words where keys may stand that no = or : follows are values, and what they are called does not matter. */
static bool is_key(const Walk *w, size_t size)
{
    const char *after = w->p + size;

    after += strspn(after, " \t\r\n\f\v");
    return (w->depth == 0 || w->stack[w->depth - 1] == '{') && (*after == '=' || *after == ':');
}

static int take_key(Keys *keys, const Walk *w, size_t size)
{
    for (size_t i = 0; i < keys->n_items; i++) {
        const Key *k = &keys->items[i];
        if (k->depth == w->depth && k->size == size && memcmp(k->name, w->p, size) == 0) {
            keys->first = k;
            return 1;
        }
    }
    Key *items = reallocarray(keys->items, keys->n_items + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    keys->items = items;
    items[keys->n_items++] = (Key){ .name = w->p, .size = size, .depth = w->depth, .line = w->line };
    return 0;
}

static void forget_closed(Keys *keys, size_t depth)
{
    while (keys->n_items > 0 && keys->items[keys->n_items - 1].depth > depth)
        keys->n_items--;
}

/* 1 when the word at w is a key that its group has already. */
static int take_word(Keys *keys, Walk *w)
{
    size_t size = strspn(w->p, KEY_CHARACTERS);
    int r = size > 0 && w->depth <= DEPTH_MAX && is_key(w, size) ? take_key(keys, w, size) : 0;

    if (r != 0)
        return r;
    if (size > 0)
        walk_to(w, w->p + size);
    else if (*w->p == '"')
        walk_to(w, string_end(w->p));
    else
        take_character(w);
    forget_closed(keys, w->depth);
    return 0;
}

char *syntax_duplicate(const char *text)
{
    Walk w = { .p = text, .line = 1 };
    Keys keys = { 0 };
    char *message = NULL;
    int r = 0;

    while (r == 0 && *w.p) {
        const char *before = w.p;
        if (!skip_comment(&w))
            break;
        if (w.p == before)
            r = take_word(&keys, &w);
    }
    if (r > 0)
        message = strf("duplicate setting name: \"%.*s\" is set already in line %u; keep one of the two",
                       (int)keys.first->size, keys.first->name, keys.first->line);
    free(keys.items);
    return message;
}
