/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/agent.h"
#include "guest/agent/volumes.h"

/* For what was killed to be seen dead. */
#define KILL_GRACE (5 * USEC_PER_SEC)
/* For the host to take the rest, when it listens and when it is away. */
#define FLUSH_PRESENT (5 * USEC_PER_SEC)
#define FLUSH_AWAY (30 * USEC_PER_SEC)

static void on_timer(void *userdata) {}

static void enter(Agent *a, EndingPhase phase, usec_t deadline)
{
    Ending *e = &a->ending;

    e->phase = phase;
    e->deadline = deadline;
    e->timer.func = on_timer;
    loop_timer_set(&a->loop, &e->timer, deadline);
}

static bool due(const Agent *a)
{
    return loop_now(&a->loop) >= a->ending.deadline;
}

static bool all_over(const Agent *a)
{
    for (size_t i = 0; i < a->n_containers; i++)
        if (!container_life_over(&a->containers[i].life))
            return false;
    return true;
}

void ending_stop(Agent *a, usec_t timeout)
{
    usec_t now = loop_now(&a->loop), deadline = usec_add(now, timeout);

    if (a->ending.phase > ENDING_STOPPING)
        return;
    if (a->ending.phase == ENDING_NOT || usec_add(deadline, KILL_GRACE) < a->ending.deadline)
        enter(a, ENDING_STOPPING, usec_add(deadline, KILL_GRACE));
    a->ending.stop_deadline = MIN(a->ending.stop_deadline, deadline);
    /* Sidecars have their turn when these are over. */
    for (size_t i = 0; i < a->n_containers; i++)
        if (a->containers[i].config->role != CONTAINER_SIDECAR ||
            a->containers[i].life.phase == LIFE_STOPPING)
            container_stop(&a->containers[i], deadline);
}

void ending_power_button(Agent *a)
{
    if (a->ending.phase != ENDING_NOT)
        return;
    a->ending.power_button = true;
    agent_report_due(a);
    ending_stop(a, a->configure.stop_timeout);
}

/* What is said now is heard by the runner of the session. */
static bool is_heard(const Agent *a)
{
    return a->session.stands && !port_in_doubt(&a->port);
}

/* A runner that waits for an end which it asked for is there; otherwise it may have to be started first. */
static usec_t flush_deadline(const Agent *a, bool asked)
{
    return usec_add(loop_now(&a->loop), asked || is_heard(a) ? FLUSH_PRESENT : FLUSH_AWAY);
}

static void pump_not(Agent *a)
{
    if (!a->configured || !all_over(a))
        return;
    a->ending.completed = true;
    agent_report_due(a);
    enter(a, ENDING_FLUSHING, flush_deadline(a, false));
}

static void pump_stopping(Agent *a)
{
    if (all_over(a) || due(a))
        enter(a, ENDING_FLUSHING, flush_deadline(a, !a->configured || !a->ending.power_button));
}

static void pump_flushing(Agent *a)
{
    bool flushed =
        is_heard(a) && !a->report_due && log_ring_empty(&a->ring) && !a->execs && port_idle(&a->port);

    if (!flushed && !due(a))
        return;
    enter(a, ENDING_OFF, USEC_INFINITY);
    dhcp_release(a);
    volumes_end(a->platform, &a->configure);
    a->platform->ops->power_off(a->platform);
}

static void (*const pumps[])(Agent *a) = {
    [ENDING_NOT] = pump_not,
    [ENDING_STOPPING] = pump_stopping,
    [ENDING_FLUSHING] = pump_flushing,
    [ENDING_OFF] = NULL,
};
_Static_assert(ELEMENTSOF(pumps) == ENDING_PHASE_MAX, "every phase has a row");

bool ending_pump(Agent *a)
{
    EndingPhase before = a->ending.phase;

    if (pumps[before])
        pumps[before](a);
    return a->ending.phase != before;
}
