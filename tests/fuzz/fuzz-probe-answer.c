/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/probe-http.h"
#include "tests/fuzz/target.h"

/* Whatever a container's server answers: once the first line is there, more of it changes nothing. */
void fuzz_one(const uint8_t *data, size_t size)
{
    unsigned status = 0, again = 0;
    int first = 0;

    for (size_t n = 0; n <= size; n++) {
        int r = http_status_parse((const char *)data, n, &again);
        assert(r == 0 || r == 1 || r == -EBADMSG);
        assert(r <= 0 || again <= 999);
        assert(first == 0 || (r == first && again == status));
        first = r;
        status = again;
        /* The agent looks at no more than this. */
        if (n == 512)
            break;
    }
}
