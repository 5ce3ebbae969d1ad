/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of containers that have changed while they run. What the agent knows stands in the report by the generation of its
 * definition, and so in the runner's record: whoever finds an older one there tells the agent, and telling it twice does no harm.
 */
#include "base/strings.h"
#include "runner/agent-glue-internal.h"
#include "runner/agent-version.h"

#define LIMITS_TIMEOUT (30 * USEC_PER_SEC)

static void tell(AgentGlue *g);

static void failed(Runner *r, int error, const char *message)
{
    RunnerReport *report = &r->record.report;
    size_t size = message ? strnlen(message, AGENT_TEXT_MAX) : 0;

    free(report->limits_failed);
    report->limits_failed = size > 0 ? strndup(message, size) : strdup(strerror(-error));
    runner_log(r, LOG_WARNING, 0, "Pod %s: its containers keep their limits: %s", r->definition.name,
               report->limits_failed ?: "?");
    runner_save(r);
    runner_report_changed(r);
}

static void on_answer(void *userdata, int error, const char *message)
{
    AgentGlue *g = userdata;
    Runner *r = g->runner;

    if (error == -ECONNRESET)
        return; /* the next session begins anew */
    g->limits_asked = false;
    if (g->limits_generation != r->definition.generation) {
        tell(g);
        return;
    }
    if (error < 0) {
        failed(r, error, message);
        return;
    }
    r->record.report.limits_generation = g->limits_generation;
    (void)str_replace(&r->record.report.limits_failed, NULL);
    runner_save(r);
    runner_report_changed(r);
}

static int ask(AgentGlue *g)
{
    Runner *r = g->runner;
    RunnerLimits limits;

    int e = runner_limits_fill(&r->definition.pod, r->definition.generation, &limits);
    if (e < 0)
        return e;
    g->limits_generation = r->definition.generation;
    e = agent_client_request(g->client, AGENT_LIMITS, &limits, LIMITS_TIMEOUT, on_answer, g);
    schema_done(&runner_limits_schema, &limits);
    g->limits_asked = e >= 0;
    return e;
}

static void tell(AgentGlue *g)
{
    if (g->version < AGENT_PROTOCOL_LIMITS) {
        failed(
            g->runner, -EOPNOTSUPP,
            "the agent in the pod's machine is of an older podvisor, which cannot change them; they change "
            "when the pod is restarted");
        return;
    }
    const char *lacks = agent_lacks_limits(&g->runner->definition.pod, g->version);
    _cleanup_(freep) char *why =
        lacks ? strf("the agent in the pod's machine is of an older podvisor, and knows no %s; they change "
                     "when the pod is restarted",
                     lacks)
              : NULL;
    if (lacks) {
        failed(g->runner, -EOPNOTSUPP, why);
        return;
    }
    int e = g->limits_asked ? 0 : ask(g);
    if (e < 0)
        failed(g->runner, e, NULL);
}

void agent_glue_limits_begin(AgentGlue *g)
{
    Runner *r = g->runner;
    /* Where both agent and runner were of an older podvisor, nothing was ever told but the definition. */
    uint64_t before = g->version < AGENT_PROTOCOL_LIMITS ? r->record_generation : 0;
    uint64_t known = r->record.report.limits_generation ?: before;

    g->configured = true;
    if (known != r->definition.generation)
        tell(g);
}

void agent_glue_limits_changed(Runner *r)
{
    AgentGlue *g = r->glue;

    if (g && g->client && g->welcome && g->configured)
        tell(g);
}
