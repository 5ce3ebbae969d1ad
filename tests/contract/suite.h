/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The run of the whole table: which cells there are, what came of each, and who works on them.
 *
 * Theory of operation
 * -------------------
 * A job is what one process does in a row: one cell, or some that share a machine. Workers, forked before the first job, take
 * one job after the other from a list in shared memory, and fork a child for each; so a cell that dies takes nothing with it.
 * Null machines cost no processor time: they have workers of their own. What a cell says goes into a file, shown when it failed.
 */
#include "tests/contract/matrix.h"

enum { SUITE_ROWS_MAX = 128, SUITE_NOTE_MAX = 160 };

typedef enum CellState {
    CELL_EXEMPT,  /* not for this backend, or not asked for */
    CELL_WAITING, /* nobody has begun it */
    CELL_BEGUN,
    CELL_OK,
    CELL_FAILED,
} CellState;

typedef struct Cell {
    CellState state;
    unsigned msec;
    char note[SUITE_NOTE_MAX]; /* what is worth to be said of it even if all is well */
} Cell;

typedef struct Suite {
    Cell cells[SUITE_ROWS_MAX][BACKEND_KIND_MAX];
    char *programs[BACKEND_KIND_MAX];              /* the runner of each backend; NULL: it is not here, */
    char absent[BACKEND_KIND_MAX][SUITE_NOTE_MAX]; /* and why */
    TestDir dir;                                   /* what the cells say: BACKEND.ROW */
} Suite;

/* In memory that all processes share, since it is made before them. */
Suite *suite_new(void);
/* Proves all cells that wait, with so many workers for real guests. */
void suite_run(Suite *s, unsigned n_workers);
/* The number of those that failed, or were never proved. */
unsigned suite_failures(const Suite *s);

/* A sentence about the cell that runs. */
void suite_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
