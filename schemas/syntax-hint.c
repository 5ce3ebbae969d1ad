/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "base/strings.h"
#include "schemas/syntax-hint.h"

/* What the text is like up to and with the line where the parser gave up. */
typedef struct Scan {
    char *line;         /* the line itself, without its comment */
    char *previous;     /* the last line before it that is not blank, without its comment */
    unsigned open_line; /* of the innermost bracket that is open at the end; 0: none */
    char open;
    char wrong_close;         /* the first closing bracket that did not fit; 0: none */
    char wrong_open;          /* what was open there; 0: nothing */
    unsigned wrong_open_line; /* of that */
    unsigned quote_line;      /* of a string that its line does not end; 0: none */
    bool array_of_groups;     /* { or ( right inside of [ */
} Scan;

enum { NESTING_MAX = 64 };

static void scan_done(Scan *s)
{
    free(s->line);
    free(s->previous);
}

static size_t code_length(const char *line, size_t n)
{
    bool quoted = false;

    for (size_t i = 0; i < n; i++) {
        if (line[i] == '\\' && quoted)
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
        else if (!quoted && (line[i] == '#' || (line[i] == '/' && i + 1 < n && line[i + 1] == '/')))
            n = i;
    }
    while (n > 0 && isspace((unsigned char)line[n - 1]))
        n--;
    return n;
}

static bool ends_quoted(const char *line, size_t n)
{
    bool quoted = false;

    for (size_t i = 0; i < n; i++) {
        if (line[i] == '\\' && quoted)
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
    }
    return quoted;
}

static void scan_brackets(Scan *s, const char *line, size_t n, unsigned number, char *stack, unsigned *lines,
                          size_t *depth)
{
    static const char opening[] = "{([", closing[] = "})]";
    bool quoted = false;

    for (size_t i = 0; i < n; i++) {
        if (line[i] == '\\' && quoted)
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
        if (quoted || !line[i])
            continue;
        const char *close = strchr(closing, line[i]);
        if (strchr(opening, line[i]) && *depth < NESTING_MAX) {
            s->array_of_groups |= line[i] != '[' && *depth > 0 && stack[*depth - 1] == '[';
            stack[*depth] = line[i];
            lines[(*depth)++] = number;
        } else if (close && *depth > 0 && stack[*depth - 1] == opening[close - closing])
            --*depth;
        else if (close && !s->wrong_close) {
            s->wrong_close = line[i];
            s->wrong_open = *depth > 0 ? stack[*depth - 1] : 0;
            s->wrong_open_line = *depth > 0 ? lines[*depth - 1] : 0;
        }
    }
}

static Scan scan(const char *text, unsigned until)
{
    Scan s = { 0 };
    char stack[NESTING_MAX];
    unsigned lines[NESTING_MAX];
    size_t depth = 0;

    for (unsigned number = 1; number <= until && *text; number++) {
        size_t whole = strcspn(text, "\n"), n = code_length(text, whole);
        if (s.quote_line == 0 && ends_quoted(text, n))
            s.quote_line = number;
        scan_brackets(&s, text, n, number, stack, lines, &depth);
        if (number == until)
            s.line = strndup(text, n);
        else if (n > 0) {
            free(s.previous);
            s.previous = strndup(text, n);
        }
        text += whole + (text[whole] == '\n');
    }
    if (!s.line)
        s.line = strdup("");
    s.open = depth > 0 ? stack[depth - 1] : 0;
    s.open_line = depth > 0 ? lines[depth - 1] : 0;
    return s;
}

static char last_char(const char *s)
{
    return s && *s ? s[strlen(s) - 1] : 0;
}

/* The first character that is no blank; 'x' where there is none, which is none that is looked for. */
static char first_char(const char *s)
{
    char c = s[strspn(s, " \t")];
    return c ? c : 'x';
}

static const char *after_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

/* What follows the first = or : of the line; NULL when it has neither. */
static const char *value_of(const char *line)
{
    const char *p = strpbrk(line, "=:");
    return p ? after_blanks(p + 1) : NULL;
}

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* --- mistakes, each by how it looks ----------------------------------------------------------------------------- */

static bool has_section(const Scan *s)
{
    const char *p = after_blanks(s->line), *end = *p == '[' ? strchr(p, ']') : NULL;
    return end && !end[1];
}

static bool has_array_of_groups(const Scan *s)
{
    return s->array_of_groups;
}

static bool has_dash(const Scan *s)
{
    return str_after(after_blanks(s->line), "- ") != NULL;
}

static bool has_byte_order_mark(const Scan *s)
{
    return str_after(s->line, "\xef\xbb\xbf") != NULL;
}

static bool lacks_key(const Scan *s)
{
    return strchr("=:", first_char(s->line)) != NULL;
}

/* A comma, then only blanks and a closing bracket, outside of strings; or on the line before and on this one. */
static bool has_last_comma(const Scan *s)
{
    bool quoted = false;

    if (strchr("})]", first_char(s->line)) && last_char(s->previous) == ',')
        return true;
    for (const char *p = s->line; *p; p++) {
        if (*p == '\\' && quoted && p[1])
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (*p == ',' && !quoted && strchr("})]", first_char(p + 1)))
            return true;
    }
    return false;
}

/* `key = ;`, or `key =` at the end of the line before. */
static bool lacks_value(const Scan *s)
{
    const char *value = value_of(s->line);

    if (value && strchr(";,})]", *value ? *value : 'x'))
        return true;
    return last_char(s->previous) == '=' && (!*after_blanks(s->line) || strchr(";,})]", first_char(s->line)));
}

static bool has_single_quotes(const Scan *s)
{
    const char *value = value_of(s->line);
    return value && *value == '\'';
}

/* `"key" = value`: the end of a string, and = behind it. */
static bool has_quoted_key(const Scan *s)
{
    for (const char *p = strchr(s->line, '"'); p; p = strchr(p + 1, '"'))
        if (*after_blanks(p + 1) == '=' && p > s->line && !strchr("={([,; \t", p[-1]))
            return true;
    return false;
}

/* `key = word;`: the value is neither quoted nor a number, a boolean or an opening bracket. */
static bool lacks_quotes(const Scan *s)
{
    const char *value = value_of(s->line);
    size_t word = value ? strspn(value, WORD "./") : 0;

    if (word == 0 || strspn(value, "0123456789.-xXabcdefABCDEFL") == word)
        return false;
    return !(word == 4 && strncasecmp(value, "true", 4) == 0) &&
           !(word == 5 && strncasecmp(value, "false", 5) == 0);
}

/* `key value`: a word at the beginning that neither = nor : follows. */
static bool lacks_assignment(const Scan *s)
{
    const char *p = after_blanks(s->line);
    size_t word = strspn(p, WORD "*");

    p = after_blanks(p + word);
    return word > 0 && *p && *p != '=' && *p != ':';
}

/* The first that fits is told; so what is certain stands before what is only likely. */
static const struct {
    bool (*made)(const Scan *s);
    const char *hint;
} mistakes[] = {
    { has_byte_order_mark, "the file begins with a byte order mark; UTF-8 needs none" },
    { has_section, "a pod file has no [sections]; groups are written key = { ... };" },
    { has_array_of_groups, "an array [ ] holds only strings, numbers and booleans; a list of groups is "
                           "written ( { ... }, { ... } )" },
    { has_dash, "a list is written ( { ... }, { ... } ), with no dashes" },
    { lacks_key, "a key stands before =, as in: key = value;" },
    { has_last_comma, "a comma before the closing bracket; the last element has none" },
    { lacks_value, "a value is missing behind =" },
    { has_single_quotes, "text needs double quotes (\"), not single ones" },
    { has_quoted_key, "keys are written without quotes" },
    { lacks_quotes, "text needs double quotes: \"...\"" },
    { lacks_assignment, "a key is followed by =, as in: key = value;" },
};

/* Errors that libconfig names itself, by a word of its name. */
static const struct {
    const char *word, *hint;
} named_errors[] = {
    { "duplicate", "duplicate setting name: a key is set twice in its group; keep one of the two" },
    { "mismatched", "mismatched element type in array: all elements of an array [ ] are of one type; use "
                    "quotes for all of them" },
    { "memory exhausted", "syntax error: brackets are nested too deeply" },
};

static char *hint_for_named(const char *error)
{
    TABLE_FOREACH (row, named_errors)
        if (strstr(error, row->word))
            return strdup(row->hint);
    return strdup(error);
}

static char *hint_for_close(const Scan *s)
{
    if (s->wrong_open)
        return strf("syntax error: the %c of line %u is still open where %c closes something else",
                    s->wrong_open, s->wrong_open_line, s->wrong_close);
    return strf("syntax error: %c closes nothing, since no bracket is open here", s->wrong_close);
}

static char *hint_for_open(const Scan *s)
{
    if (s->open_line == 0)
        return strf("syntax error: expected key = value; in this line or at the end of the one before");
    if (!*after_blanks(s->line))
        return strf("syntax error: the file ends, but the %c of line %u is not closed", s->open,
                    s->open_line);
    return strf("syntax error: inside the %c of line %u%s", s->open, s->open_line,
                s->open == '{' ? "; is it closed, and is each line before this one complete?"
                               : ", elements are separated by commas");
}

static char *hint_for(const Scan *s, const char *error)
{
    if (!streq(error, "syntax error"))
        return hint_for_named(error);
    if (s->quote_line > 0)
        return strf("syntax error: the string that begins in line %u is not closed with \"", s->quote_line);
    if (s->wrong_close)
        return hint_for_close(s);
    TABLE_FOREACH (row, mistakes)
        if (row->made(s))
            return strf("syntax error: %s", row->hint);
    return hint_for_open(s);
}

char *syntax_hint(const char *text, unsigned line, const char *error)
{
    char *twice = strstr(error, "duplicate") ? syntax_duplicate(text) : NULL;
    if (twice)
        return twice;

    Scan s = scan(text, line);
    char *hint = s.line ? hint_for(&s, error) : NULL;

    scan_done(&s);
    return hint;
}
