/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/pod-definition.h"
#include "tests/fuzz/target.h"

void fuzz_one(const uint8_t *data, size_t size)
{
    PodDefinition pod;
    Diagnostics d = { 0 };

    int r = pod_definition_read(&pod, "x.pod", data, size, &d, NULL);
    assert(r >= 0 && (r == 1) == diagnostics_any(&d));
    pod_definition_done(&pod);
    char *text = diagnostics_format(&d);
    assert(text);
    free(text);
    diagnostics_done(&d);
}
