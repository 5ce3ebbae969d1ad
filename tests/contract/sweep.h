/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where a runner is killed when it can be killed anywhere. One pass without a kill counts the stops on the way; then the way
 * is cut into as many pieces as there are to be kills, and each piece gets one, at a place that the seed chooses: half of
 * them at deeds, which lie close together around a spawn and a record, half at any system call.
 *
 *     PODVISOR_TEST_SEED=N        the places of an earlier run; it is printed with the table
 *     PODVISOR_TEST_SWEEP=N       so many kills on each way
 *     PODVISOR_TEST_SWEEP=all     one at every single stop: hours with real guests
 */
#include "tests/contract/trace.h"

enum { SWEEP_POINTS_MAX = 4096 };

typedef struct Sweep {
    Passed way; /* what lies between its two ends */
    CutOff points[SWEEP_POINTS_MAX];
    size_t n_points;
} Sweep;

/* The run's seed: the same in all of its processes. */
uint64_t sweep_seed(void);

/* The places of one sweep; `usual` is how many when nothing else is wished. */
void sweep_plan(Sweep *s, const Passed *way, size_t usual);
