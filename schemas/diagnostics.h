/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is wrong with a file, all of it, each with its line. "web.pod:12: containers.httpd.memory: ..."
 *
 * Diagnostics collect; they are shown sorted by line. Running out of memory while collecting sets `lost`, so that a file is
 * never taken for right because its errors could not be kept.
 */
#include "base/macro.h"

typedef struct Diagnostic {
    char *file;
    unsigned line; /* 0: the file as a whole */
    char *text;
} Diagnostic;

typedef struct Diagnostics {
    Diagnostic *items;
    size_t n_items;
    bool lost;
} Diagnostics;

void diagnostics_add(Diagnostics *d, const char *file, unsigned line, const char *format, ...) _printf_(4, 5);
bool diagnostics_any(const Diagnostics *d);
/* Stable sort by file, then line. */
void diagnostics_sort(Diagnostics *d);
/* "file:line: text", without a line end; NULL when out of memory. */
char *diagnostic_format(const Diagnostic *d);
/* All, one a line (sorted first); NULL when out of memory. */
char *diagnostics_format(Diagnostics *d);
void diagnostics_done(Diagnostics *d);
