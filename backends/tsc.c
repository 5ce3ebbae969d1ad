/* SPDX-License-Identifier: Apache-2.0 */
#include <x86intrin.h>

#include "backends/accelerator.h"
#include "backends/tsc.h"

bool tsc_is_steady(void)
{
    return processor_has_flag("constant_tsc") && processor_has_flag("nonstop_tsc");
}

TscSample tsc_sample(void)
{
    enum { TRIES = 8 };
    TscSample best = { 0 };
    uint64_t narrowest = UINT64_MAX;

    for (int i = 0; i < TRIES; i++) {
        struct timespec now;
        uint64_t before = __rdtsc();
        (void)clock_gettime(CLOCK_MONOTONIC_RAW, &now);
        uint64_t width = __rdtsc() - before;
        if (width >= narrowest)
            continue;
        narrowest = width;
        best.ticks = before + width / 2;
        best.nsec = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    }
    return best;
}

usec_t tsc_distance(const TscSample *a, const TscSample *b)
{
    return usec_sub(b->nsec, a->nsec) / 1000;
}

uint64_t tsc_khz(const TscSample *a, const TscSample *b)
{
    if (b->nsec <= a->nsec || b->ticks <= a->ticks)
        return 0;
    unsigned __int128 scaled = (unsigned __int128)(b->ticks - a->ticks) * 1000000;
    uint64_t nsec = b->nsec - a->nsec;
    return (uint64_t)((scaled + nsec / 2) / nsec);
}
