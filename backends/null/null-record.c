/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/null/null-record.h"

static const Field fields[] = {
    { F_ENUM(NullRecord, step, backend_step_table), .doc = "How far the machine has come." },
    { F_UNSIGNED(NullRecord, pid), .doc = "The machine's process." },
    { F_UNSIGNED(NullRecord, start_time), .doc = "Its start, in clock ticks after boot." },
    { F_DURATION(NullRecord, started), .doc = "Its start, by the clock on the wall." },
    { F_GROUP(NullRecord, end, backend_end_schema), .doc = "How it ended." },
};
DEFINE_SCHEMA_EXTRA(null_record_schema, NullRecord, "null machine", "What the null backend remembers.",
                    fields);

const CheckpointKind null_checkpoint = { .name = "null", .version = 1, .schema = &null_record_schema };
