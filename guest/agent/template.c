/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/agent.h"

#define LOOK_EVERY (100 * USEC_PER_MSEC)
#define SETTLE_TIMEOUT (5 * USEC_PER_SEC)
enum { CALM_ENOUGH = 2 };

static void answer(Agent *a)
{
    Template *t = &a->template;

    t->under_way = false;
    t->again = true;
    safe_close(a->session.boot);
    a->session.boot = id128_boot_open();
    /* Of no copy's start. */
    a->start = (StartTimes){ 0 };
    a->session.token_known = false;
    if (a->session.number == t->asker_session)
        agent_reply(a, t->asker, 0, NULL);
}

/* A kernel that does not settle is copied as it is: that costs its copies time, and nothing else. */
static void on_look(void *userdata)
{
    Agent *a = userdata;
    Template *t = &a->template;
    usec_t now = loop_now(&a->loop);

    t->calm = a->platform->ops->has_settled(a->platform) ? t->calm + 1 : 0;
    if (t->calm >= CALM_ENOUGH || now >= t->deadline)
        answer(a);
    else
        loop_timer_set(&a->loop, &t->look, usec_add(now, LOOK_EVERY));
}

void template_init(Template *t, Agent *a)
{
    *t = (Template){ .look = { .func = on_look, .userdata = a } };
}

void template_done(Template *t, Agent *a)
{
    loop_timer_clear(&a->loop, &t->look);
}

int template_begin(Agent *a, uint64_t id, Failure *f)
{
    Template *t = &a->template;

    if (a->configured || a->configuring || a->ending.phase != ENDING_NOT || t->under_way)
        return failure_say(f, -EBUSY, "something runs already");
    t->under_way = true;
    t->calm = 0;
    t->asker = id;
    t->asker_session = a->session.number;
    t->deadline = usec_add(loop_now(&a->loop), t->again ? 0 : SETTLE_TIMEOUT);
    a->platform->template = true;
    standby_end(&a->standby, &a->children);
    a->platform->ops->prepare(a->platform);
    container_prepare(a);
    loop_timer_set(&a->loop, &t->look, loop_now(&a->loop));
    return AGENT_LATER;
}
