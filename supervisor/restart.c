/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/restart.h"

uint64_t restart_failures(const RestartSettings *settings, uint64_t failures, usec_t ran)
{
    return ran >= settings->reset_after ? 1 : failures + 1;
}

usec_t restart_delay(const RestartSettings *settings, uint64_t failures, uint32_t random)
{
    usec_t delay = settings->delay;

    /* Doubling ends at the limit, before it could overflow. */
    for (uint64_t i = 1; i < failures && delay < settings->max_delay; i++)
        delay = delay > settings->max_delay / 2 ? settings->max_delay : delay * 2;
    delay = MIN(delay, settings->max_delay);

    usec_t tenth = delay / 10;
    return delay - tenth + (usec_t)((unsigned __int128)tenth * random / UINT32_MAX);
}
