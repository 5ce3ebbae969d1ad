/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the agent's welcome to its containers: the clock, the secrets and config files, the configuration. Each step begins when the one
 * before has been answered.
 */
#include "base/strings.h"
#include "runner/agent-configure.h"
#include "runner/agent-glue-internal.h"
#include "runner/agent-version.h"
#include "runner/backend-events.h"
#include "runner/log-writer.h"
#include "runner/pod-files.h"
#include "runner/start-marks.h"

/* --- configuring -------------------------------------------------------------------------------------------------- */

static void refused(Runner *r, const char *what, const char *why)
{
    _cleanup_(freep) char *message = strf("%s: %s", what, why);

    (void)runner_kill(r, END_AGENT_REFUSED, message ?: what);
}

static void no_address(Runner *r, const char *why)
{
    _cleanup_(freep) char *what = strf("no address on the bridge %s", r->definition.link.bridge ?: "?");

    refused(r, what ?: "no address", why ?: "none was leased");
}

static void on_configured(void *userdata, int error, const char *message)
{
    AgentGlue *g = userdata;

    if (error == -ECONNRESET)
        return; /* the next session goes on from what the agent's welcome says then */
    if (error == -ESHUTDOWN && g->runner->record.power_button)
        return; /* its end follows, or start_timeout */
    if (error == -EADDRNOTAVAIL && network_is_leased(&g->runner->definition.pod.network))
        no_address(g->runner, message);
    else if (error < 0)
        refused(g->runner, "the agent could not do what the definition asks", message ?: strerror(-error));
    else {
        start_marks_add(g->runner, START_CONFIGURED);
        g->runner->record.report.limits_generation = g->limits_generation;
        runner_dispatch(g->runner, RUNNER_EVENT_WORKING);
        agent_glue_limits_begin(g);
        agent_glue_hosts_begin(g);
    }
}

static void configure_now(AgentGlue *g)
{
    Runner *r = g->runner;
    const char *beyond = agent_lacks(&r->definition.pod, g->version);
    AgentConfigure c;

    if (beyond) {
        refused(
            r,
            "the agent of this guest is older than podvisor, and does not know what the definition asks for",
            beyond);
        return;
    }
    start_marks_add(r, START_CONFIGURE);
    int e = agent_configure_fill(&r->definition, &c);
    g->limits_generation = r->definition.generation;
    if (e >= 0) {
        e = agent_client_request(g->client, AGENT_CONFIGURE, &c, AGENT_CONFIGURE_TIMEOUT, on_configured, g);
        schema_done(&agent_configure_schema, &c);
    }
    if (e == -EMSGSIZE)
        refused(r, "the definition cannot be sent to the agent", "it is too long");
    else if (e < 0)
        refused(r, "the definition cannot be sent to the agent", strerror(-e));
    else
        runner_set_phase(r, network_is_leased(&r->definition.pod.network)
                                ? "an address by DHCP, and the start of the containers"
                                : "the agent's start of the containers");
}

/* --- secrets and config files -------------------------------------------------------------------------------------- */

void agent_glue_file_refused(void *userdata, const char *kind, const char *name, int error,
                             const char *message)
{
    Runner *r = userdata;

    runner_log(r, LOG_ERR, message ? 0 : error, "Pod %s: the agent could not take the %s %s%s%s",
               r->definition.name, kind, name, message ? ": " : "", message ?: "");
}

/* True when the agent has got all that is declared. */
static bool files_send(AgentGlue *g)
{
    Runner *r = g->runner;

    if (!g->has_files)
        return true;
    int e = pod_files_pump(r->files, g->client);
    if (e < 0)
        runner_log(r, LOG_ERR, e, "Pod %s: its secrets and config files cannot be sent", r->definition.name);
    return e > 0 && pod_files_complete(r->files);
}

/* So that they are there before the first container is. */
static void configure(AgentGlue *g)
{
    g->files_due = !files_send(g);
    if (!g->files_due)
        configure_now(g);
    else
        runner_set_phase(g->runner, "its secrets and config files, which podvisord sends");
}

void agent_glue_files_go_on(AgentGlue *g)
{
    if (!files_send(g) || !g->files_due)
        return;
    g->files_due = false;
    configure_now(g);
}

int agent_glue_file(Runner *r, const RunnerFile *file, int *fd)
{
    if (file->error) {
        _cleanup_(freep) char *message =
            strf("the %s %s cannot be read: %s", enum_to_string(&pod_file_kind_table, (int)file->kind),
                 file->name ?: "?", file->error);
        /* Containers that run have what it was before. */
        return r->record.configured ? 0 : runner_kill(r, END_START_FAILED, message);
    }
    int e = pod_files_take(r->files, file, fd);
    if (e < 0)
        return runner_log(r, LOG_ERR, e, "Pod %s: what podvisord sends as its %s %s cannot be taken",
                          r->definition.name, enum_to_string(&pod_file_kind_table, (int)file->kind),
                          file->name ?: "?");
    if (r->glue && r->glue->client && r->glue->welcome)
        agent_glue_files_go_on(r->glue);
    return 0;
}

/* --- the clock ------------------------------------------------------------------------------------------------------- */

/* Not worth the session: a guest without the right time goes on, and says so in nothing but its own logs. */
static void clock_failed(Runner *r, int error)
{
    runner_log(r, LOG_WARNING, error, "Pod %s: the guest's clock cannot be seen to", r->definition.name);
}

/* True when the agent will answer. */
bool agent_glue_clock_begin(AgentGlue *g, bool tell)
{
    if (!g->has_clock)
        return false;
    int e = guest_clock_begin(&g->clock, g->client, tell);
    if (e < 0)
        clock_failed(g->runner, e);
    return e >= 0;
}

void agent_glue_on_clock(void *userdata, void *body)
{
    AgentGlue *g = userdata;
    const AgentClock *answer = body;

    if (guest_clock_awaits(&g->clock, answer))
        start_marks_clock(g->runner, g->clock.sent, now_usec(CLOCK_MONOTONIC), answer);
    int e = guest_clock_take(&g->clock, g->client, body);
    if (e < 0)
        clock_failed(g->runner, e);
    /* A step, if there was one to make, is on its way before the containers are. */
    if (e != 0 && g->configure_due) {
        g->configure_due = false;
        configure(g);
    }
}

/* --- the welcome ----------------------------------------------------------------------------------------------------- */

static void take_guest(Runner *r, const AgentWelcome *w)
{
    RunnerReport *report = &r->record.report;
    size_t size = w->kernel ? strnlen(w->kernel, AGENT_TEXT_MAX) : 0;

    if (!id128_equal(r->record.guest_boot, w->boot))
        r->record.log_seq = 0;
    r->record.guest_boot = report->guest_boot = w->boot;
    free(report->kernel);
    report->kernel = size > 0 ? str_escape(w->kernel, size) : NULL;
    runner_report_changed(r);
}

/* A machine that was started by an older podvisor goes on as it is. */
static void tell_age(AgentGlue *g, uint64_t version)
{
    Runner *r = g->runner;

    if (version >= AGENT_PROTOCOL_CONFINEMENT || g->age_told)
        return;
    g->age_told = true;
    runner_log(r, LOG_NOTICE, 0,
               "Pod %s: its agent is from before system calls were filtered: until the pod is started again, "
               "seccomp, "
               "no_new_privs, groups, rlimits, writable_size, memory_high, memory_low, cpu_weight, "
               "share_pids, shm_size and sysctls "
               "are without "
               "effect",
               r->definition.name);
}

void agent_glue_on_welcome(void *userdata, void *body)
{
    AgentGlue *g = userdata;
    Runner *r = g->runner;
    const AgentWelcome *w = body;
    char range[80];

    if (w->version < AGENT_PROTOCOL_MIN || w->version > AGENT_PROTOCOL_MAX) {
        (void)snprintf(range, sizeof range, "it speaks %llu to %llu, this runner %d to %d",
                       (unsigned long long)w->version_min, (unsigned long long)w->version_max,
                       AGENT_PROTOCOL_MIN, AGENT_PROTOCOL_MAX);
        refused(r, "the agent has no protocol version in common", range);
        return;
    }
    const char *unfit = agent_unfit(&r->definition, pod_files_any(r->files), w);
    if (unfit) {
        refused(r, "the agent is of an older podvisor", unfit);
        return;
    }
    start_marks_add(r, START_WELCOME);
    g->welcome = true;
    g->return_due = 0;
    g->patience = AGENT_CHANNEL_PATIENCE;
    g->retry_delay = AGENT_RETRY_MIN;
    take_guest(r, w);
    agent_glue_log_ack(g, log_writer_begin(r->logs, r->record.log_seq));
    g->has_clock = w->version >= AGENT_PROTOCOL_CLOCK;
    g->has_files = w->version >= AGENT_PROTOCOL_STORAGE;
    pod_files_rewind(r->files);
    tell_age(g, w->version);
    g->version = w->version;
    const char *beyond = w->configured ? agent_lacks(&r->definition.pod, w->version) : NULL;
    if (beyond)
        runner_log(r, LOG_WARNING, 0, "Pod %s: its agent is older than podvisor, and knows no %s: %s",
                   r->definition.name, beyond, "they have no effect until the pod is started anew");
    /* A copy's clock is that of its template. Told the time, it need not be waited for; rounds that make it exact go on beside its start. */
    bool tell = r->copy && !w->configured && w->version >= AGENT_PROTOCOL_TIME;
    g->configure_due = agent_glue_clock_begin(g, tell) && !w->configured && !tell;
    g->report_due = w->configured;
    if (w->configured) {
        (void)files_send(g);
        agent_glue_limits_begin(g);
        agent_glue_hosts_begin(g);
    }
    if (!w->configured && !g->configure_due)
        configure(g);
    if (r->record.stop_asked && r->glue)
        (void)agent_glue_stop_send(g, r->stop_timeout);
}
