/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "runner/agent-glue.h"

void agent_glue_connect(Runner *r) {}

void agent_glue_drop(Runner *r) {}

void agent_glue_set_paused(Runner *r, bool paused) {}

int agent_glue_stop(Runner *r, usec_t timeout)
{
    return -ENOTCONN;
}

int agent_glue_exec(Runner *r, uint64_t id, const ExecRequest *request, int *fd, char **ret_message)
{
    *ret_message = strdup("the machine has no agent that could run a program");
    return -EOPNOTSUPP;
}
