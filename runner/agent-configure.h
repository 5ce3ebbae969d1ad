/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The frozen definition, as the agent is told it. */
#include "schemas/agent.h"
#include "schemas/run-definition.h"

/* The caller empties *ret by schema_done(&agent_configure_schema, ret). 0, -ENOMEM, -ENOENT: a container without an image. */
int agent_configure_fill(const RunDefinition *d, AgentConfigure *ret);
