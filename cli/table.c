/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "cli/table.h"
#include "cli/text.h"

enum { GAP = 2, SHORTEST = 6 };

typedef struct Cell {
    char *text;
    Colour colour;
} Cell;

struct Table {
    const Column *columns;
    size_t n_columns;
    Cell *cells;
    size_t n_cells;
    bool out_of_memory;
};

int table_new(const Column *columns, size_t n_columns, Table **ret)
{
    Table *t = calloc(1, sizeof *t);

    if (!t)
        return -ENOMEM;
    *t = (Table){ .columns = columns, .n_columns = n_columns };
    *ret = t;
    return 0;
}

Table *table_free(Table *t)
{
    for (size_t i = 0; t && i < t->n_cells; i++)
        free(t->cells[i].text);
    if (t)
        free(t->cells);
    free(t);
    return NULL;
}

void table_add(Table *t, char *text, Colour colour)
{
    Cell *cells = text ? reallocarray(t->cells, t->n_cells + 1, sizeof *cells) : NULL;

    if (!cells) {
        free(text);
        t->out_of_memory = true;
        return;
    }
    cells[t->n_cells++] = (Cell){ .text = text, .colour = colour };
    t->cells = cells;
}

TableStyle table_style(const Context *c)
{
    return (TableStyle){
        .legend = !option_given(c, OPTION_NO_LEGEND),
        .colours = terminal_has_colours(STDOUT_FILENO),
        .width = terminal_width(STDOUT_FILENO),
    };
}

/* What it takes to print these columns, of which those that are left out are negative. */
static int sum_of(const int *widths, size_t n)
{
    int sum = -GAP;

    for (size_t i = 0; i < n; i++)
        sum += widths[i] < 0 ? 0 : widths[i] + GAP;
    return sum;
}

/* The column that can be done without best; n_columns when there is none. */
static size_t next_to_drop(const Table *t, const int *widths)
{
    size_t found = t->n_columns;

    for (size_t i = 0; i < t->n_columns; i++)
        if (widths[i] >= 0 && t->columns[i].drop > 0 &&
            (found == t->n_columns || t->columns[i].drop < t->columns[found].drop))
            found = i;
    return found;
}

static void fit(const Table *t, int *widths, int limit)
{
    size_t drop;

    while (sum_of(widths, t->n_columns) > limit && (drop = next_to_drop(t, widths)) < t->n_columns)
        widths[drop] = -1;
    for (size_t i = 0; i < t->n_columns; i++) {
        int spare = t->columns[i].shrink ? widths[i] - SHORTEST : 0;
        widths[i] -= MIN(MAX(spare, 0), MAX(sum_of(widths, t->n_columns) - limit, 0));
    }
}

/* A column that is left out has the width -1. */
static void measure(const Table *t, const TableStyle *style, int *widths)
{
    for (size_t i = 0; i < t->n_columns; i++)
        widths[i] = style->legend ? text_width(t->columns[i].title) : 0;
    for (size_t i = 0; i < t->n_cells; i++)
        widths[i % t->n_columns] = MAX(widths[i % t->n_columns], text_width(t->cells[i].text));
    if (style->width > 0)
        fit(t, widths, style->width);
}

/* Of a text that is wider than its column, as many characters as leave room for the dots. */
static int bytes_within(const char *text, int width)
{
    int n = 0;

    for (int next = 0; text[next];) {
        next++;
        while ((text[next] & 0xc0) == 0x80)
            next++;
        _cleanup_(freep) char *part = strndup(text, (size_t)next);
        if (!part || text_width(part) > width)
            break;
        n = next;
    }
    return n;
}

typedef struct Print {
    const Table *table;
    const int *widths;
    size_t last; /* column that is not left out */
    bool colours;
    FILE *f;
} Print;

static void print_cell(const Print *p, size_t column, const char *text, Colour colour)
{
    int width = p->widths[column];
    bool right = p->table->columns[column].right, cut = text_width(text) > width;
    int n = cut ? bytes_within(text, width - 3) : (int)strlen(text);
    int blanks = cut ? 0 : width - text_width(text);

    if (width < 0)
        return;
    if (right)
        fprintf(p->f, "%*s", blanks, "");
    fprintf(p->f, "%s%.*s%s%s", colour_begin(colour, p->colours), n, text, cut ? "..." : "",
            colour_end(colour, p->colours));
    if (column != p->last)
        fprintf(p->f, "%*s", GAP + (right ? 0 : blanks), "");
}

int table_print(const Table *t, const TableStyle *style, FILE *f)
{
    if (t->out_of_memory)
        return -ENOMEM;
    _cleanup_(freep) int *widths = calloc(t->n_columns, sizeof *widths);
    if (!widths)
        return -ENOMEM;

    measure(t, style, widths);
    Print p = { .table = t, .widths = widths, .colours = style->colours, .f = f };
    for (size_t i = 0; i < t->n_columns; i++)
        p.last = widths[i] >= 0 ? i : p.last;
    for (size_t i = 0; style->legend && i < t->n_columns; i++)
        print_cell(&p, i, t->columns[i].title, COLOUR_FAINT);
    if (style->legend)
        fputc('\n', f);
    for (size_t i = 0; i < t->n_cells; i++) {
        print_cell(&p, i % t->n_columns, t->cells[i].text, t->cells[i].colour);
        if (i % t->n_columns == t->n_columns - 1)
            fputc('\n', f);
    }
    return ferror(f) ? -EIO : 0;
}
