/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Rows and columns as text. Cells are shown as they are; whoever fills them has escaped what strangers wrote. Columns are two
 * blanks apart, and no line ends with a blank. Where the width is limited, columns are left out, those that the reader can do
 * without best first; when none is left that may be, those that may shrink are cut with "...".
 */
#include "cli/terminal.h"

typedef struct Column {
    const char *title;
    bool right;    /* numbers */
    bool shrink;   /* may be cut */
    unsigned drop; /* may be left out, 1 before 2; 0: never */
} Column;

typedef struct Table Table;

int table_new(const Column *columns, size_t n_columns, Table **ret);
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free)

/* The next cell, row by row from the left. text is taken (malloc'ed); NULL makes the table fail with -ENOMEM when printed. */
void table_add(Table *t, char *text, Colour colour);

typedef struct TableStyle {
    bool legend;
    bool colours;
    int width; /* 0: no limit */
} TableStyle;

/* Of standard output, with what the options say. */
TableStyle table_style(const Context *c);
int table_print(const Table *t, const TableStyle *style, FILE *f);
