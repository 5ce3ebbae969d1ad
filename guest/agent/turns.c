/* SPDX-License-Identifier: Apache-2.0 */
/* What container-order.h says, carried out. */
#include "guest/agent/agent.h"
#include "guest/agent/container-order.h"

static bool take_start(Agent *a, const OrderFacts *facts, size_t n, size_t i)
{
    Container *c = &a->containers[i];
    size_t other = i;

    if (c->life.phase != LIFE_QUEUED)
        return false;
    Turn turn = container_order_start(facts, n, i, &other);
    if (turn == TURN_LATER) {
        container_wait_for(c, &a->containers[other]);
        return false;
    }
    if (turn == TURN_NOW)
        container_begin(c);
    else
        container_refuse(c, &a->containers[other]);
    return true;
}

static bool take_end(Agent *a, size_t i)
{
    Container *c = &a->containers[i];
    bool asked = c->life.phase == LIFE_STOPPING || c->life.phase == LIFE_KILLING;

    if (c->config->role != CONTAINER_SIDECAR || asked || container_life_over(&c->life))
        return false;
    container_stop(c, a->ending.stop_deadline);
    return true;
}

bool agent_take_turns(Agent *a)
{
    OrderFacts facts[CONTAINERS_MAX] = { 0 };
    size_t n = MIN(a->n_containers, ELEMENTSOF(facts));
    bool taken = false;

    for (size_t i = 0; i < n; i++)
        facts[i] = (OrderFacts){ .role = a->containers[i].config->role,
                                 .over = container_life_over(&a->containers[i].life),
                                 .through = container_through(&a->containers[i]) };
    bool end = container_order_end(facts, n);
    for (size_t i = 0; i < n; i++)
        taken |= end ? take_end(a, i) : take_start(a, facts, n, i);
    return taken;
}
