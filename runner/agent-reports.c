/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent says of its containers: what is taken of it, and what that means for the pod. */
#include <signal.h>

#include "base/ip-address.h"
#include "base/strings.h"
#include "runner/agent-glue-internal.h"
#include "runner/agent-version.h"
#include "runner/backend-events.h"
#include "runner/start-marks.h"

static void text_clean(char **text)
{
    size_t size = *text ? strnlen(*text, AGENT_TEXT_MAX) : 0;
    char *clean = size > 0 ? str_escape(*text, size) : NULL;

    free(*text);
    *text = clean;
}

/* The guest may claim anything: a status is what a status can be, and text is escaped and short. */
static void container_clean(ContainerReport *c)
{
    text_clean(&c->message);
    text_clean(&c->probe_failure);
    text_clean(&c->limits_failed);
    c->exit_signal = c->exit_signal < NSIG ? c->exit_signal : 0;
    c->exit_code = c->exit_code >= 0 && c->exit_code <= UINT8_MAX ? c->exit_code : -1;
}

/* What is no address is none; where nothing is leased, nothing is believed to be. */
static void take_lease(Runner *r, LeaseReport *lease)
{
    LeaseReport *known = &r->record.report.lease, fresh = { 0 };
    IpAddress address;

    if (network_is_leased(&r->definition.pod.network))
        fresh = take_struct(*lease);
    char **const texts[] = { &fresh.address, &fresh.server };
    TABLE_FOREACH (text, texts)
        if (**text && ip_parse(**text, &address) < 0)
            **text = (free(**text), NULL);
    text_clean(&fresh.trouble);
    schema_done(&lease_report_schema, known);
    *known = fresh;
}

static void take_power_button(Runner *r)
{
    r->record.power_button = true;
    runner_save(r);
    runner_log(r, LOG_NOTICE, 0,
               "Pod %s: the power button of its machine was pressed; its containers are asked to end",
               r->definition.name);
    runner_set_phase(r, "the end of its containers, since the power button of the machine was pressed");
}

/* Only what is declared is believed to be there; each container once, in the order of the definition. */
void agent_glue_on_report(void *userdata, void *body)
{
    AgentGlue *g = userdata;
    Runner *r = g->runner;
    AgentReport *report = body;
    const PodDefinition *pod = &r->definition.pod;
    ContainerReport known[CONTAINERS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < pod_n_containers(pod) && i < CONTAINERS_MAX; i++) {
        char *name = pod_container(pod, i)->name;
        known[n] = (ContainerReport){ .name = name, .exit_code = -1 };
        for (size_t k = 0; k < report->n_containers; k++)
            if (streq_ptr(report->containers[k].name, name)) {
                container_clean(&report->containers[k]);
                agent_explain_lack(pod, g->version, i, &report->containers[k]);
                known[n] = report->containers[k];
                break;
            }
        n++;
    }
    g->garbage = 0;
    start_marks_take(r, &report->start);
    if (report->completed && !r->record.completed) {
        r->record.completed = true;
        runner_save(r);
    }
    if (report->power_button && !r->record.power_button)
        take_power_button(r);
    take_lease(r, &report->lease);
    runner_take_containers(r, known, n);
    if (g->report_due) {
        g->report_due = false;
        runner_dispatch(r, RUNNER_EVENT_WORKING);
    }
}
