/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The reason of an end: what the backend saw, in the light of what had been asked for. One table; pure. */
#include "runner/runner-record.h"

EndReason end_reason_of(const RunnerRecord *record, EndReason seen);

/* Fills the end of record's report from what was seen; message may be NULL. 0 or -ENOMEM. */
int end_fill(RunnerRecord *record, EndReason seen, int64_t exit_code, uint64_t exit_signal,
             const char *message);
