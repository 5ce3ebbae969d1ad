/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the null backend remembers: RUN/vm/null.msgpack. */
#include "backends/backend.h"
#include "base/process.h"

typedef struct NullRecord {
    BackendStep step;
    uint64_t pid; /* of the machine; 0: none yet */
    uint64_t start_time;
    usec_t started; /* CLOCK_REALTIME */
    BackendEnd end;
    Bytes extra;
} NullRecord;
extern const Schema null_record_schema;
extern const CheckpointKind null_checkpoint;
