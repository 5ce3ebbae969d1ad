/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/backend-description.h"
#include "schemas/schema-json.h"
#include "tests/fuzz/target.h"

void fuzz_one(const uint8_t *data, size_t size)
{
    BackendDescription d;

    int r = schema_from_json(&backend_description_schema, &d, data, size);
    assert(r == 0 || r == -EBADMSG);
    if (r == 0)
        schema_done(&backend_description_schema, &d);
}
