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
    s.open = depth > 0 ? stack[depth - 1] : 0;
    s.open_line = depth > 0 ? lines[depth - 1] : 0;
    return s;
}

static char last_char(const char *s)
{
    return s && *s ? s[strlen(s) - 1] : 0;
}

static char first_char(const char *s)
{
    return s ? s[strspn(s, " \t")] : 0;
}

/* `key value` or `key: = value`: a word at the beginning that neither = nor : follows. */
static bool lacks_assignment(const char *line)
{
    const char *p = line + strspn(line, " \t");
    size_t word = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*");

    p += word;
    p += strspn(p, " \t");
    return word > 0 && *p && *p != '=' && *p != ':';
}

/* `key = word;`: the value is neither quoted nor a number, a boolean or an opening bracket. */
static bool lacks_quotes(const char *line)
{
    const char *p = strpbrk(line, "=:");

    if (!p)
        return false;
    p += 1 + strspn(p + 1, " \t");
    size_t word = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./");
    if (word == 0 || strspn(p, "0123456789.-xXabcdefABCDEFL") == word)
        return false;
    return !(word == 4 && strncasecmp(p, "true", 4) == 0) && !(word == 5 && strncasecmp(p, "false", 5) == 0);
}

/* A comma, then only blanks and a closing bracket, outside of strings. */
static bool has_last_comma(const char *line)
{
    bool quoted = false;

    for (const char *p = line; *p; p++) {
        if (*p == '\\' && quoted && p[1])
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (*p == ',' && !quoted && strchr("})]", p[1 + strspn(p + 1, " \t")] ?: 'x'))
            return true;
    }
    return false;
}

/* `key = ;`, or `key =` at the end of the line before. */
static bool lacks_value(const Scan *s)
{
    const char *p = s->line ? strpbrk(s->line, "=:") : NULL;

    if (p && strchr(";,})]", p[1 + strspn(p + 1, " \t")] ?: 'x'))
        return true;
    return last_char(s->previous) == '=' && (!first_char(s->line) || strchr(";,})]", first_char(s->line)));
}

/* What people write who are used to another kind of file. */
static const char *habit(const char *line)
{
    const char *p = line + strspn(line, " \t");

    if (*p == '[' && p[strcspn(p, "]")] == ']' && !p[strcspn(p, "]") + 1])
        return "syntax error: a pod file has no [sections]; groups are written key = { ... };";
    if (str_after(p, "- "))
        return "syntax error: a list is written ( { ... }, { ... } ), with no dashes";
    if (str_after(line, "\xef\xbb\xbf"))
        return "syntax error: the file begins with a byte order mark; UTF-8 needs none";
    if (*p == '=' || *p == ':')
        return "syntax error: a key stands before =, as in: key = value;";
    return NULL;
}

/* `key = 'value'`. */
static bool has_single_quotes(const char *line)
{
    const char *p = strpbrk(line, "=:");
    return p && p[1 + strspn(p + 1, " \t")] == '\'';
}

/* `"key" = value`: the end of a string, and = behind it. */
static bool has_quoted_key(const char *line)
{
    for (const char *p = strchr(line, '"'); p; p = strchr(p + 1, '"')) {
        size_t blanks = strspn(p + 1, " \t");
        if (p[1 + blanks] == '=' && p > line && !strchr("={([,; \t", p[-1]))
            return true;
    }
    return false;
}

static char *hint_for_bracket(const Scan *s)
{
    if (s->wrong_open)
        return strf("syntax error: the %c of line %u is still open where %c closes something else",
                    s->wrong_open, s->wrong_open_line, s->wrong_close);
    return strf("syntax error: %c closes nothing, since no bracket is open here", s->wrong_close);
}

static char *hint_for(const Scan *s, const char *error)
{
    if (streq(error, "memory exhausted"))
        return strf("syntax error: brackets are nested too deeply");
    if (!streq(error, "syntax error"))
        return strf("%s%s", error,
                    strstr(error, "duplicate") ? ": this key is set twice in its group; keep one of the two"
                    : strstr(error, "mismatched")
                        ? ": all elements of an array [ ] are of one type; use quotes for all of them"
                        : "");
    if (s->quote_line > 0)
        return strf("syntax error: the string that begins in line %u is not closed with \"", s->quote_line);
    if (s->wrong_close)
        return hint_for_bracket(s);
    if (s->line && habit(s->line))
        return strdup(habit(s->line));
    if ((strchr("})]", first_char(s->line) ?: 'x') && last_char(s->previous) == ',') ||
        (s->line && has_last_comma(s->line)))
        return strf("syntax error: a comma before the closing bracket; the last element has none");
    if (lacks_value(s))
        return strf("syntax error: a value is missing behind =");
    if (s->line && has_single_quotes(s->line))
        return strf("syntax error: text needs double quotes (\"), not single ones");
    if (s->line && has_quoted_key(s->line))
        return strf("syntax error: keys are written without quotes");
    if (s->line && lacks_quotes(s->line))
        return strf("syntax error: text needs double quotes: \"...\"");
    if (s->line && lacks_assignment(s->line))
        return strf("syntax error: a key is followed by =, as in: key = value;");
    if (s->open_line > 0 && !first_char(s->line))
        return strf("syntax error: the file ends, but the %c of line %u is not closed", s->open,
                    s->open_line);
    if (s->open == '(' || s->open == '[')
        return strf("syntax error: inside the %c of line %u, elements are separated by commas", s->open,
                    s->open_line);
    if (s->open_line > 0)
        return strf("syntax error: inside the %c of line %u; is it closed, and is each line before this one "
                    "complete?",
                    s->open, s->open_line);
    return strf("syntax error: expected key = value; in this line or at the end of the one before");
}

char *syntax_hint(const char *text, unsigned line, const char *error)
{
    Scan s = scan(text, line);
    char *hint = hint_for(&s, error);

    scan_done(&s);
    return hint;
}
