/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* When a pod that has ended is started again: exponential back-off with jitter, forgotten after a stable run. Pure. */
#include "schemas/pod-definition.h"

/* A machine that ran for `ran` (0: never came so far) has ended unasked: the failures to count from now on. */
uint64_t restart_failures(const RestartSettings *settings, uint64_t failures, usec_t ran);

/*
 * The wait before the next start: delay after the first failure, doubled with each further one up to max_delay; the last
 * tenth of it is scaled by random (the whole range of uint32_t), so that many pods do not come back at once.
 */
usec_t restart_delay(const RestartSettings *settings, uint64_t failures, uint32_t random);
