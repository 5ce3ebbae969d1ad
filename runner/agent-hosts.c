/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other pods of the pod's network, by name, which come and go while its containers run. podvisord says all of them, to each runner anew;
 * so nothing of it is recorded, and telling it twice does no harm.
 */
#include "base/strings.h"
#include "runner/agent-glue-internal.h"

#define HOSTS_TIMEOUT (30 * USEC_PER_SEC)

static void tell(AgentGlue *g);

/* why NULL: the containers have the names. */
static void note(Runner *r, const char *why)
{
    RunnerReport *report = &r->record.report;

    if (streq_ptr(report->hosts_failed, why) || str_replace(&report->hosts_failed, why) < 0)
        return;
    if (why)
        runner_log(r, LOG_WARNING, 0, "Pod %s: its containers keep the names of other pods as they were: %s",
                   r->definition.name, why);
    runner_save(r);
    runner_report_changed(r);
}

static void on_answer(void *userdata, int error, const char *message)
{
    AgentGlue *g = userdata;
    size_t size = message ? strnlen(message, AGENT_TEXT_MAX) : 0;

    if (error == -ECONNRESET)
        return; /* the next session begins anew */
    g->hosts_asked = false;
    if (g->hosts_again) {
        tell(g);
        return;
    }
    _cleanup_(freep) char *why = error >= 0 ? NULL
                                 : size > 0 ? strndup(message, size)
                                            : strdup(strerror(-error));
    note(g->runner, why);
}

static void tell(AgentGlue *g)
{
    const RunnerHosts body = { .peers = g->runner->peers };

    g->hosts_again = g->hosts_asked;
    if (g->hosts_asked)
        return;
    if (g->version < AGENT_PROTOCOL_HOSTS) {
        note(g->runner,
             "the agent in the pod's machine is of an older podvisor, which cannot change them; they "
             "change when the pod is restarted");
        return;
    }
    int e = agent_client_request(g->client, AGENT_HOSTS, &body, HOSTS_TIMEOUT, on_answer, g);
    g->hosts_asked = e >= 0;
    if (e < 0)
        note(g->runner, strerror(-e));
}

void agent_glue_hosts_begin(AgentGlue *g)
{
    if (g->runner->peers_known)
        tell(g);
}

void agent_glue_hosts_changed(Runner *r)
{
    AgentGlue *g = r->glue;

    if (g && g->client && g->welcome && g->configured)
        agent_glue_hosts_begin(g);
}
