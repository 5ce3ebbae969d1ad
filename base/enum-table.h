/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Enum <-> string, written once per enum as a table of designated rows.
 *
 * Invariants: every value from 0 to n - 1 has a row (the unit test of the tables walks them all); names are unique
 * within a table; the rows are static and never freed.
 */
#include "base/macro.h"

typedef struct EnumRow {
    const char *name; /* the word that files, messages and people use */
    const char *doc;  /* what it means, one sentence, for `explain` and the manual */
} EnumRow;

typedef struct EnumTable {
    const char *what; /* "restart policy": for messages */
    const EnumRow *rows;
    int n;
} EnumTable;

/* DEFINE_ENUM_TABLE(restart_policy, "restart policy", RESTART_MAX, [RESTART_ALWAYS] = { "always", "..." }, ...) */
#define DEFINE_ENUM_TABLE(id, what_, max, ...)                                                               \
    static const EnumRow id##_rows[] = { __VA_ARGS__ };                                                      \
    _Static_assert(ELEMENTSOF(id##_rows) == (max), "a row is missing in the table of " what_);               \
    const EnumTable id##_table = { .what = what_, .rows = id##_rows, .n = (max) }

/* The word of value; "invalid" for a value outside of the table, so that it can stand in any message. */
const char *enum_to_string(const EnumTable *table, int value);

/* The value of a word; -EINVAL when it is none of the table's. */
int enum_from_string(const EnumTable *table, const char *word);

/* "always, on-failure or never", for messages; NULL when out of memory. The caller frees. */
char *enum_list(const EnumTable *table);
