/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * This machine is to be copied, and what a copy goes on from should be as near to its first container as is possible without knowing
 * anything of it. An emulated processor has none of the kernel's code at hand when a copy wakes, so whatever runs there for the first time
 * costs many times of what it costs later; what has been done before, and what the kernel does only in its first seconds, costs nothing.
 *
 *     prepare   what the agent would do for each first container is done (platform.h, container_prepare())
 *     settle    the kernel has done what it does by itself after a boot; that is looked at a few times a second, as nothing tells of it
 *     answer    whoever asked may save the machine now
 */
#include "guest/agent/failure.h"
#include "guest/agent/loop.h"

typedef struct Agent Agent;

typedef struct Template {
    bool under_way;
    uint64_t asker;
    uint32_t asker_session;
    Timer look;
    usec_t deadline;
    bool again;    /* it has answered before: what was waited for then has come, or will not */
    unsigned calm; /* how often in a row the kernel was found to have settled */
} Template;

void template_init(Template *t, Agent *a);
void template_done(Template *t, Agent *a);
/*
 * Whoever says hello next, in a copy, is the first again. A copy may be asked once more: what its processor has run it then has at hand.
 * AGENT_LATER, or negative errno with f: -EBUSY: something runs already.
 */
int template_begin(Agent *a, uint64_t id, Failure *f);
