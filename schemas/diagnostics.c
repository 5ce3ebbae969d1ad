/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/diagnostics.h"

void diagnostics_add(Diagnostics *d, const char *file, unsigned line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    _cleanup_(freep) char *text = strf_va(format, args);
    va_end(args);

    _cleanup_(freep) char *name = strdup(file);
    Diagnostic *items = text && name ? reallocarray(d->items, d->n_items + 1, sizeof *items) : NULL;
    if (!items) {
        d->lost = true;
        return;
    }
    items[d->n_items++] = (Diagnostic){ .file = take_ptr(name), .line = line, .text = take_ptr(text) };
    d->items = items;
}

bool diagnostics_any(const Diagnostics *d)
{
    return d->n_items > 0 || d->lost;
}

static bool comes_after(const Diagnostic *a, const Diagnostic *b)
{
    int order = strcmp(a->file, b->file);
    return order > 0 || (order == 0 && a->line > b->line);
}

void diagnostics_sort(Diagnostics *d)
{
    /* Insertion keeps the order of equals, and a file has few errors. */
    for (size_t i = 1; i < d->n_items; i++) {
        Diagnostic moving = d->items[i];
        size_t j = i;
        for (; j > 0 && comes_after(&d->items[j - 1], &moving); j--)
            d->items[j] = d->items[j - 1];
        d->items[j] = moving;
    }
}

char *diagnostic_format(const Diagnostic *d)
{
    return d->line > 0 ? strf("%s:%u: %s", d->file, d->line, d->text) : strf("%s: %s", d->file, d->text);
}

char *diagnostics_format(Diagnostics *d)
{
    _cleanup_(strv_freep) char **lines = NULL;

    diagnostics_sort(d);
    for (size_t i = 0; i < d->n_items; i++) {
        _cleanup_(freep) char *line = diagnostic_format(&d->items[i]);
        if (!line || strv_append(&lines, line) < 0)
            return NULL;
    }
    if (d->lost && strv_append(&lines, "errors were lost: out of memory") < 0)
        return NULL;
    return strv_join(lines, "\n");
}

void diagnostics_done(Diagnostics *d)
{
    for (size_t i = 0; i < d->n_items; i++) {
        free(d->items[i].file);
        free(d->items[i].text);
    }
    free(d->items);
    *d = (Diagnostics){ 0 };
}
