/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What an agent that is older than this runner does not know. A guest's image may be older, and an adopted machine is. */
#include "schemas/agent.h"
#include "schemas/run-definition.h"

/* The first version that does it. */
uint64_t agent_task_since(Task task);
/* What a pod asks of an agent in vain: "probes"; NULL: nothing. */
const char *agent_lacks(const PodDefinition *pod, uint64_t version);
/* The same of limits that containers are to have while they run. */
const char *agent_lacks_limits(const PodDefinition *pod, uint64_t version);
/* Of one container among all, in its report, if that says nothing else. */
void agent_explain_lack(const PodDefinition *pod, uint64_t version, size_t i, ContainerReport *c);
/* Why the agent of this welcome cannot have the pod at all; NULL: it can. files: the pod has secrets or config files. */
const char *agent_unfit(const RunDefinition *d, bool files, const AgentWelcome *w);
