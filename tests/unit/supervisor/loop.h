/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Runs an event loop until something has happened, or fails. */
#include <systemd/sd-event.h>

#include "base/units.h"
#include "tests/unit/test.h"

#define LOOP_DEADLINE (30 * USEC_PER_SEC)

#define loop_until(event, condition)                                                                         \
    do {                                                                                                     \
        usec_t deadline_ = usec_add(now_usec(CLOCK_MONOTONIC), LOOP_DEADLINE);                               \
        while (!(condition)) {                                                                               \
            if (now_usec(CLOCK_MONOTONIC) > deadline_)                                                       \
                fail_msg("in vain: %s", #condition);                                                         \
            assert_success(sd_event_run(event, USEC_PER_SEC));                                               \
        }                                                                                                    \
    } while (0)
