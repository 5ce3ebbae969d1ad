/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Runners that are killed at one system call of theirs. Every stop of every thread counts, at the entry of a call and at its
 * return; or the deeds alone: calls that change something outside of the process, where a record and what it is about part.
 */
#include <limits.h>

#include "tests/contract/harness.h"

typedef struct CutOff {
    bool deed;  /* counts deeds alone */
    unsigned n; /* killed at the n-th; UINT_MAX: never */
} CutOff;

typedef struct Passed {
    unsigned stops;
    unsigned deeds;
} Passed;

typedef bool (*Condition)(const RunnerReport *report);

/*
 * Launches the runner under ptrace. True when it was killed at the cut-off: it is as if it had died by itself. False when it
 * came to report what fulfils `until` before: then it is connected and runs on untraced. What it passed is in *ret.
 */
bool trace_launch(Harness *h, const CutOff *at, Condition until, Passed *ret);

/* The same of a runner that runs and is connected, from the moment at which it is asked to stop. */
bool trace_stop(Harness *h, const CutOff *at, Condition until, Passed *ret);
