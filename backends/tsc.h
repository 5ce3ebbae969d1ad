/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The rate of this host's time stamp counter, measured between two points of a start that lie apart anyhow.
 *
 * Why: a microvm under emulation has the counter as its only clock, and its guest measures the counter against the
 * PIT just once. When the host takes the processor from QEMU in that moment the measure fails, and the guest spins for ever. Under
 * emulation the guest's counter is the host's, so the host can tell it the rate instead.
 */
#include "base/units.h"

typedef struct TscSample {
    uint64_t ticks;
    uint64_t nsec; /* CLOCK_MONOTONIC_RAW */
} TscSample;

/* Samples closer than this give too rough a rate (0.0004 % at this distance). */
#define TSC_DISTANCE_MIN (2 * USEC_PER_MSEC)

/* Is the counter's rate constant on this host, so that a measure of it means something? */
bool tsc_is_steady(void);
/* The best of a few tries. */
TscSample tsc_sample(void);
/* Microseconds from a to b. Pure. */
usec_t tsc_distance(const TscSample *a, const TscSample *b);
/* kHz between two samples; 0 when they are not in order. Pure. */
uint64_t tsc_khz(const TscSample *a, const TscSample *b);
