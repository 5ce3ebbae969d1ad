/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/checkpoint.h"
#include "schemas/run-definition.h"
#include "tests/fuzz/target.h"

static const PackLimits limits = { .size = CHECKPOINT_SIZE_MAX, .depth = 16, .count = 200000 };

/* The walkers alone: a checksum would keep every mutation from them. */
void fuzz_one(const uint8_t *data, size_t size)
{
    RunDefinition d;
    CheckpointEnvelope e;
    Bytes again = { 0 };

    if (schema_from_bytes(&run_definition_schema, &d, data, size, &limits, NULL) >= 0) {
        if (schema_to_bytes(&run_definition_schema, &d, &again) < 0)
            abort();
        bytes_done(&again);
        schema_done(&run_definition_schema, &d);
    }
    if (schema_from_bytes(&checkpoint_envelope_schema, &e, data, size, &limits, NULL) >= 0)
        schema_done(&checkpoint_envelope_schema, &e);
}
