/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which obligation is for which backend: one row for each obligation of backends/backend.h, one column for each backend.
 * What a row does not say is for all. A cell that is not for its backend names the reason.
 */
#include "tests/contract/obligations.h"

/* Why an obligation is not for a backend: one word in the table, explained below it. */
typedef enum Exempt {
    EXEMPT_NOT,
    EXEMPT_PLAYED,
    EXEMPT_GUESTLESS,
    EXEMPT_DAEMONLESS,
    EXEMPT_UNREAPED,
    EXEMPT_MAX,
} Exempt;
extern const EnumTable exempt_table; /* the word, and the footnote */

typedef struct Obligation {
    const char *name; /* a sentence, with underscores */
    void (*prove)(Harness *h);
    Exempt exempt[BACKEND_KIND_MAX];
    bool shares;   /* it leaves a ready machine as it found it: the next of its kind takes that one */
    bool long_one; /* begun first, so that nobody waits for it in the end */
} Obligation;

extern const Obligation obligations[];
extern const size_t n_obligations;

/* The backends in the order of their columns. */
extern const BackendKind matrix_columns[BACKEND_KIND_MAX];
