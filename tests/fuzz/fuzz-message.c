/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/agent.h"
#include "tests/fuzz/target.h"

static void take(const MessageTable *table, const uint8_t *data, size_t size)
{
    Message m;
    Bytes again = { 0 };

    if (message_from_bytes(table, data, size, &m) < 0)
        return;
    /* What was accepted can be said again. */
    int r = message_to_bytes(table, m.type, m.id, m.body, &again);
    assert(r == 0 || r == -EMSGSIZE);
    bytes_done(&again);
    message_done(&m);
}

void fuzz_one(const uint8_t *data, size_t size)
{
    take(&agent_protocol, data, size);
    take(&runner_protocol, data, size);
    take(&stream_protocol, data, size);
}
