/* SPDX-License-Identifier: Apache-2.0 */
/* Other limits for containers that run. */
#include "base/strings.h"
#include "guest/agent/agent.h"

static AgentContainer *find(Agent *a, const char *name)
{
    for (size_t i = 0; name && i < a->configure.n_containers; i++)
        if (streq(a->configure.containers[i].definition.name, name))
            return &a->configure.containers[i];
    return NULL;
}

int agent_limit(Agent *a, const RunnerLimits *limits, Failure *f)
{
    if (!a->configured)
        return failure_say(f, -EAGAIN, "there are no containers yet");
    for (size_t i = 0; i < limits->n_containers; i++)
        if (!find(a, limits->containers[i].container))
            return failure_say(f, -ENOENT, "there is no container %s",
                               limits->containers[i].container ?: "without a name");
    for (size_t i = 0; i < limits->n_containers; i++)
        find(a, limits->containers[i].container)->definition.limits = limits->containers[i].limits;
    a->pids_share = agent_pids_share(a->platform, &a->configure);
    /* All of them: one that does not say how many processes it may have shares with others. */
    for (size_t i = 0; i < a->n_containers; i++)
        container_limit(&a->containers[i]);
    return 0;
}
