/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The one door to libconfig: text -> struct, by field table, with every error of the file at its line.
 *
 * Theory of operation: libconfig parses (a syntax error is the only kind that hides the others, since nothing behind it can be
 * understood); then the tree and the rows are walked together. Unknown keys, wrong types, values out of range, missing
 * keys and doubled names become Diagnostics; whatever is wrong keeps its default, so that the checks across fields
 * can still run and report. The line of every setting is kept in Locations for those checks.
 */
#include "schemas/diagnostics.h"
#include "schemas/schema.h"

typedef struct Location {
    char *path; /* "containers[0].mounts[1].volume" */
    unsigned line;
} Location;

typedef struct Locations {
    Location *items;
    size_t n_items;
} Locations;

/* The line of a path, of its nearest parent when the path itself was not given; 0 for none. */
unsigned locations_line(const Locations *l, const char *path);
/* Was exactly this path given? */
bool locations_given(const Locations *l, const char *path);
void locations_done(Locations *l);

/*
 * Reads text (size bytes) of the file called name (only for messages) into uninitialised object. 0 when the text was right;
 * 1 when diagnostics were added: the object is then valid but must not be used as a definition; -ENOMEM (then nothing needs schema_done).
 * locations: where each key stands is added to it; may be NULL.
 */
int schema_read_config(const Schema *schema, void *object, const char *name, const void *text, size_t size,
                       Diagnostics *diagnostics, Locations *locations) _warn_unused_;
