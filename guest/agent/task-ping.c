/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers: the whole way through the channel, the loop and a new process works. */
#include <sys/utsname.h>

#include "base/file.h"
#include "guest/agent/agent.h"
#include "guest/agent/task.h"
#include "schemas/statistics.h"

int task_ping(void *work)
{
    _cleanup_(bytes_done) Bytes packed = { 0 };
    struct utsname name = { 0 };
    AgentPong pong = {
        .version = (char *)(uintptr_t)PODVISOR_VERSION,
        .protocol = AGENT_PROTOCOL_MAX,
        .kernel = name.release,
        .time = now_usec(CLOCK_REALTIME),
        .uptime = now_usec(CLOCK_BOOTTIME),
    };

    (void)uname(&name);
    (void)id128_boot(&pong.boot);
    if (schema_to_bytes(&agent_pong_schema, &pong, &packed) < 0)
        return EXIT_FAILURE;
    return write_all(STDOUT_FILENO, packed.data, packed.size) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
