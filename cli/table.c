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

static void measure(const Table *t, const TableStyle *style, int *widths)
{
    int sum = 0;

    for (size_t i = 0; i < t->n_columns; i++)
        widths[i] = style->legend ? text_width(t->columns[i].title) : 0;
    for (size_t i = 0; i < t->n_cells; i++)
        widths[i % t->n_columns] = MAX(widths[i % t->n_columns], text_width(t->cells[i].text));
    for (size_t i = 0; i < t->n_columns; i++)
        sum += widths[i] + GAP;
    for (size_t i = 0; style->width > 0 && i < t->n_columns; i++) {
        int spare = t->columns[i].shrink ? widths[i] - SHORTEST : 0;
        int cut = MIN(MAX(spare, 0), MAX(sum - GAP - style->width, 0));
        widths[i] -= cut;
        sum -= cut;
    }
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

static void print_cell(const Table *t, size_t column, const char *text, Colour colour, int width,
                       bool colours, FILE *f)
{
    bool last = column == t->n_columns - 1, cut = text_width(text) > width;
    int n = cut ? bytes_within(text, width - 3) : (int)strlen(text);
    int blanks = cut ? 0 : width - text_width(text);

    if (t->columns[column].right)
        fprintf(f, "%*s", blanks, "");
    fprintf(f, "%s%.*s%s%s", colour_begin(colour, colours), n, text, cut ? "..." : "",
            colour_end(colour, colours));
    if (!last)
        fprintf(f, "%*s", GAP + (t->columns[column].right ? 0 : blanks), "");
}

int table_print(const Table *t, const TableStyle *style, FILE *f)
{
    if (t->out_of_memory)
        return -ENOMEM;
    _cleanup_(freep) int *widths = calloc(t->n_columns, sizeof *widths);
    if (!widths)
        return -ENOMEM;

    measure(t, style, widths);
    for (size_t i = 0; style->legend && i < t->n_columns; i++)
        print_cell(t, i, t->columns[i].title, COLOUR_FAINT, widths[i], style->colours, f);
    if (style->legend)
        fputc('\n', f);
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t column = i % t->n_columns;
        print_cell(t, column, t->cells[i].text, t->cells[i].colour, widths[column], style->colours, f);
        if (column == t->n_columns - 1)
            fputc('\n', f);
    }
    return ferror(f) ? -EIO : 0;
}
