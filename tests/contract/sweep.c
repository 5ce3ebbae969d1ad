/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/units.h"
#include "tests/contract/sweep.h"

uint64_t sweep_seed(void)
{
    const char *wish = getenv("PODVISOR_TEST_SEED");
    char text[32];
    uint64_t seed;

    if (wish && parse_unsigned(wish, &seed) == 0)
        return seed;
    seed = (uint64_t)time(NULL) % 1000000;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    (void)setenv("PODVISOR_TEST_SEED", text, 1);
    return seed;
}

/* Numbers of which each depends on all bits of the seed (splitmix64). */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* n places in n pieces of equal length. */
static void plan_pieces(Sweep *s, bool deed, unsigned length, size_t n, uint64_t *state)
{
    n = MIN(n, (size_t)length);
    for (size_t i = 0; i < n && s->n_points < SWEEP_POINTS_MAX; i++) {
        unsigned begin = (unsigned)(i * length / n), end = (unsigned)((i + 1) * length / n);
        s->points[s->n_points++] =
            (CutOff){ .deed = deed, .n = begin + (unsigned)(draw(state) % (end - begin)) };
    }
}

void sweep_plan(Sweep *s, const Passed *way, size_t usual)
{
    const char *wish = getenv("PODVISOR_TEST_SWEEP");
    uint64_t state = sweep_seed(), number;
    size_t n = wish && parse_unsigned(wish, &number) == 0 ? (size_t)number : usual;

    s->way = *way;
    s->n_points = 0;
    if (wish && streq(wish, "all")) {
        plan_pieces(s, false, way->stops, way->stops, &state);
        return;
    }
    plan_pieces(s, true, way->deeds, (n + 1) / 2, &state);
    plan_pieces(s, false, way->stops, n / 2, &state);
}
