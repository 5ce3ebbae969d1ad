/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/strings.h"
#include "guest/agent/agent.h"

static void tell(Probe *p, ProbeEvent event);

static const ProbeMethod *method_of(const ProbeDefinition *d)
{
    return d->exec ? &probe_exec : d->tcp ? &probe_tcp : d->http ? &probe_http : NULL;
}

static void note_failure(Probe *p, const Failure *failure)
{
    Container *c = p->container;

    c->probe_failed = now_usec(CLOCK_REALTIME);
    failure_say(&c->probe_failure, failure->error, "%s probe failed: %s",
                enum_to_string(&probe_kind_table, (int)p->life.kind), failure->text);
    agent_report_due(c->agent);
}

static void try_now(Probe *p)
{
    Failure f = { 0 };

    p->n_input = 0;
    if (p->method->begin(p, &f) < 0)
        probe_result(p, &f);
}

/* What the tries so far mean for the container. This may be its end, so nothing follows. */
static void judge(Probe *p)
{
    Container *c = p->container;

    if (p->life.kind == PROBE_STARTUP && p->life.passing) {
        tell(&c->probes[PROBE_READY], PROBE_BEGIN);
        tell(&c->probes[PROBE_ALIVE], PROBE_BEGIN);
    }
    container_readiness_changed(c);
    if (p->life.kind != PROBE_READY && p->life.failing)
        container_give_up(c);
}

static void tell(Probe *p, ProbeEvent event)
{
    Loop *l = &p->container->agent->loop;
    ProbeAction action = probe_life_tell(&p->life, event, loop_now(l));

    loop_timer_set(l, &p->timer, p->life.deadline);
    if (action == PROBE_ABORT)
        p->method->end(p);
    if (action == PROBE_TRY)
        try_now(p);
}

static void on_timer(void *userdata)
{
    Probe *p = userdata;
    bool hung = p->life.phase == PROBE_TRYING;
    Failure f = { 0 };

    if (hung) {
        _cleanup_(freep) char *timeout = duration_format(p->life.definition->timeout);
        failure_say(&f, -ETIMEDOUT, "no answer within %s", timeout ?: "its time");
        note_failure(p, &f);
    }
    tell(p, PROBE_TIMEOUT);
    if (hung)
        judge(p);
}

void probe_result(Probe *p, const Failure *failure)
{
    p->method->end(p);
    if (failure)
        note_failure(p, failure);
    tell(p, failure ? PROBE_FAILED : PROBE_PASSED);
    judge(p);
}

void probes_init(Container *c)
{
    for (ProbeKind kind = 0; kind < PROBE_KIND_MAX; kind++) {
        const ProbeDefinition *d = container_probe(&c->config->definition, kind);
        Probe *p = &c->probes[kind];
        *p = (Probe){ .container = c, .method = method_of(d), .fd = -1, .launch_status = -1 };
        p->timer = (Timer){ .func = on_timer, .userdata = p };
        p->child = (Child){ .pidfd = -1 };
        probe_life_init(&p->life, kind, d);
    }
}

void probes_done(Container *c)
{
    for (ProbeKind kind = 0; kind < PROBE_KIND_MAX; kind++) {
        Probe *p = &c->probes[kind];
        if (p->method)
            p->method->end(p);
        children_forget(&c->agent->children, &p->child);
        loop_timer_clear(&c->agent->loop, &p->timer);
        bytes_done(&p->request);
    }
}

void probes_begin(Container *c)
{
    if (c->probes[PROBE_STARTUP].method) {
        tell(&c->probes[PROBE_STARTUP], PROBE_BEGIN);
        return;
    }
    tell(&c->probes[PROBE_READY], PROBE_BEGIN);
    tell(&c->probes[PROBE_ALIVE], PROBE_BEGIN);
}

void probes_end(Container *c)
{
    for (ProbeKind kind = 0; kind < PROBE_KIND_MAX; kind++)
        tell(&c->probes[kind], PROBE_END);
}

bool probes_ready(const Container *c)
{
    static const ProbeKind kinds[] = { PROBE_STARTUP, PROBE_READY };

    TABLE_FOREACH (kind, kinds)
        if (c->probes[*kind].method && !c->probes[*kind].life.passing)
            return false;
    return true;
}
