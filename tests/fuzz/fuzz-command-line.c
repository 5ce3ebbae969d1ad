/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments, each ended by a NUL byte. */
#include "base/strings.h"
#include "cli/command-line.h"
#include "tests/fuzz/target.h"

void fuzz_one(const uint8_t *data, size_t size)
{
    _cleanup_(strv_freep) char **argv = NULL;
    _cleanup_(freep) char *complaint = NULL;
    Context c;

    assert(strv_append(&argv, "podvisor") >= 0);
    for (size_t i = 0; i < size && strv_length(argv) < 64;) {
        size_t n = strnlen((const char *)data + i, size - i);
        assert(strv_appendf(&argv, "%.*s", (int)n, (const char *)data + i) >= 0);
        i += n + 1;
    }
    int r = command_line_parse((int)strv_length(argv), argv, &c, &complaint);
    assert((r < 0) == (complaint != NULL));
    if (r < 0)
        return;
    assert(r == 1 || c.verb);
    context_done(&c);
}
