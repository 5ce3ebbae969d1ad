/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "base/strings.h"
#include "runner/agent-client.h"
#include "runner/agent-configure.h"
#include "runner/agent-glue.h"
#include "runner/agent-version.h"
#include "runner/backend-events.h"
#include "runner/exec-streams.h"
#include "runner/guest-clock.h"
#include "runner/log-writer.h"
#include "runner/pod-files.h"
#include "runner/runner-state.h"

#define STOP_REPLY_TIMEOUT (10 * USEC_PER_SEC)
/* The guest needs some of the time to power off, after its containers have ended. */
#define STOP_MARGIN (3 * USEC_PER_SEC)
enum { TEXT_MAX = 200 };

struct AgentGlue {
    Runner *runner;
    AgentClient *client; /* NULL: between two channels */
    ExecStreams *execs;  /* as client */
    bool welcome;
    bool has_clock;     /* the agent speaks of its clock */
    bool has_files;     /* it takes secrets and config files */
    bool has_tasks;     /* it does more on a stream than to run programs */
    uint64_t version;   /* that the agent speaks */
    bool configure_due; /* when the clock has been seen to */
    bool files_due;     /* it is configured when it has got all files */
    bool
        report_due; /* it was configured by an earlier runner or session: its pod is what its first report says */
    bool stop_sent;
    bool age_told; /* that the agent is older than what the definition may ask */
    GuestClock clock;
    unsigned garbage; /* channels in a row that ended by it */
    usec_t retry_delay;
    sd_event_source *retry;
    /* An agent that was configured, and is silent: until when it may be (CLOCK_MONOTONIC; 0: it is not), and how long the next
     * connection waits for it; doubled each time, for guests that are slow. */
    usec_t return_due, patience;
    uint64_t log_safe; /* to be acknowledged, and remembered */
};

static void channel_open(AgentGlue *g);

/* --- the channel -------------------------------------------------------------------------------------------------- */

static void channel_close(AgentGlue *g, const char *why)
{
    g->execs = exec_streams_free(g->execs, why);
    g->client = agent_client_free(g->client);
    g->retry = sd_event_source_disable_unref(g->retry);
    g->welcome = g->has_clock = g->has_files = g->has_tasks = false;
    g->configure_due = g->files_due = g->report_due = false;
    g->stop_sent = false;
}

static int on_retry(sd_event_source *source, uint64_t now, void *userdata)
{
    AgentGlue *g = userdata;

    g->retry = sd_event_source_disable_unref(g->retry);
    channel_open(g);
    return 0;
}

static void channel_open_later(AgentGlue *g)
{
    Runner *r = g->runner;

    g->retry = sd_event_source_disable_unref(g->retry);
    int e = sd_event_add_time_relative(r->event, &g->retry, CLOCK_MONOTONIC, g->retry_delay,
                                       g->retry_delay / 4, on_retry, g);
    g->retry_delay = MIN(2 * g->retry_delay, AGENT_RETRY_MAX);
    if (e < 0)
        runner_log(r, LOG_ERR, e, "Pod %s: the agent's channel cannot be waited for", r->definition.name);
}

/* Which ends of a session another session would not mend. */
static const struct {
    int error;
    EndReason reason;
    const char *message;
} fatal[] = {
    { -ETIMEDOUT, END_AGENT_LOST, "the agent of the guest did not answer any more" },
    { -EACCES, END_AGENT_REFUSED, "the agent refused the runner's token" },
};

static bool kill_if_fatal(Runner *r, int error)
{
    TABLE_FOREACH (row, fatal)
        if (row->error == error) {
            (void)runner_kill(r, row->reason, row->message);
            return true;
        }
    return false;
}

static void on_lost(void *userdata, int error)
{
    AgentGlue *g = userdata;
    Runner *r = g->runner;

    /* QEMU 7.2 holds back for ever what the guest writes in the moment in which a runner goes. Another connection frees it. */
    bool again = error == -ETIMEDOUT && !g->welcome && now_usec(CLOCK_MONOTONIC) < g->return_due;

    g->garbage = error == -EBADMSG ? g->garbage + 1 : 0;
    if (again)
        runner_log(r, LOG_INFO, 0, "Pod %s: the agent does not answer; its channel is opened anew",
                   r->definition.name);
    else
        runner_log(r, LOG_WARNING, error, "Pod %s: the session with the agent ended", r->definition.name);
    channel_close(g, "the agent of the pod does not answer any more");
    if (again)
        g->patience = usec_add(g->patience, g->patience);
    else if (kill_if_fatal(r, error))
        return;
    if (g->garbage >= AGENT_GARBAGE_MAX)
        (void)runner_kill(r, END_AGENT_LOST, "the agent of the guest sent garbage again and again");
    else
        channel_open_later(g);
}

/* --- configuring -------------------------------------------------------------------------------------------------- */

static void refused(Runner *r, const char *what, const char *why)
{
    _cleanup_(freep) char *message = strf("%s: %s", what, why);

    (void)runner_kill(r, END_AGENT_REFUSED, message ?: what);
}

static void on_configured(void *userdata, int error, const char *message)
{
    AgentGlue *g = userdata;

    if (error == -ECONNRESET)
        return; /* the next session goes on from what the agent's welcome says then */
    if (error == -ESHUTDOWN && g->runner->record.power_button)
        return; /* its end follows, or start_timeout */
    if (error < 0)
        refused(g->runner, "the agent could not do what the definition asks", message ?: strerror(-error));
    else
        runner_dispatch(g->runner, RUNNER_EVENT_WORKING);
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
    int e = agent_configure_fill(&r->definition, &c);
    if (e >= 0) {
        e = agent_client_request(g->client, AGENT_CONFIGURE, &c, AGENT_CONFIGURE_TIMEOUT, on_configured, g);
        schema_done(&agent_configure_schema, &c);
    }
    if (e == -EMSGSIZE)
        refused(r, "the definition cannot be sent to the agent", "it is too long");
    else if (e < 0)
        refused(r, "the definition cannot be sent to the agent", strerror(-e));
    else
        runner_set_phase(r, "the agent's start of the containers");
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

static void files_go_on(AgentGlue *g)
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
        files_go_on(r->glue);
    return 0;
}

/* --- the clock ------------------------------------------------------------------------------------------------------- */

/* Not worth the session: a guest without the right time goes on, and says so in nothing but its own logs. */
static void clock_failed(Runner *r, int error)
{
    runner_log(r, LOG_WARNING, error, "Pod %s: the guest's clock cannot be seen to", r->definition.name);
}

/* True when the agent will answer. */
static bool clock_begin(AgentGlue *g)
{
    if (!g->has_clock)
        return false;
    int e = guest_clock_begin(&g->clock, g->client);
    if (e < 0)
        clock_failed(g->runner, e);
    return e >= 0;
}

static void on_clock(void *userdata, void *body)
{
    AgentGlue *g = userdata;

    int e = guest_clock_take(&g->clock, g->client, body);
    if (e < 0)
        clock_failed(g->runner, e);
    /* A step, if there was one to make, is on its way before the containers are. */
    if (e != 0 && g->configure_due) {
        g->configure_due = false;
        configure(g);
    }
}

/* --- stopping ----------------------------------------------------------------------------------------------------- */

static void on_stop_reply(void *userdata, int error, const char *message)
{
    AgentGlue *g = userdata;
    Runner *r = g->runner;

    if (error < 0 && error != -ECONNRESET)
        runner_log(r, LOG_WARNING, error, "Pod %s: the agent does not stop%s%s", r->definition.name,
                   message ? ": " : "", message ?: "");
}

static int stop_send(AgentGlue *g, usec_t timeout)
{
    AgentStop stop = { .timeout = MAX(usec_sub(timeout, STOP_MARGIN), timeout / 2) };

    if (!g->client || !g->welcome)
        return -ENOTCONN;
    if (g->stop_sent)
        return 0;
    int e = agent_client_request(g->client, AGENT_STOP, &stop, STOP_REPLY_TIMEOUT, on_stop_reply, g);
    g->stop_sent = e >= 0;
    return e;
}

int agent_glue_stop(Runner *r, usec_t timeout)
{
    return r->glue ? stop_send(r->glue, timeout) : -ENOTCONN;
}

/* --- what the agent says ------------------------------------------------------------------------------------------- */

static void log_ack(AgentGlue *g, uint64_t seq)
{
    if (seq > 0 && g->client)
        (void)agent_client_send(g->client, AGENT_LOG_ACK, &(AgentLogAck){ .seq = seq });
}

void agent_glue_log_safe(Runner *r, uint64_t seq)
{
    /* Files know their last number themselves; what went to the journal is remembered before the agent forgets it. */
    r->record.log_seq = seq;
    if (r->definition.log_target != LOG_TARGET_FILES)
        runner_save(r);
    if (r->glue)
        log_ack(r->glue, seq);
}

static void take_guest(Runner *r, const AgentWelcome *w)
{
    RunnerReport *report = &r->record.report;
    size_t size = w->kernel ? strnlen(w->kernel, TEXT_MAX) : 0;

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
               "no_new_privs, groups, rlimits, writable_size, cpu_weight, share_pids, shm_size and sysctls "
               "are without "
               "effect",
               r->definition.name);
}

static void on_welcome(void *userdata, void *body)
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
    g->welcome = true;
    g->return_due = 0;
    g->patience = AGENT_CHANNEL_PATIENCE;
    g->retry_delay = AGENT_RETRY_MIN;
    take_guest(r, w);
    log_ack(g, log_writer_begin(r->logs, r->record.log_seq));
    g->has_clock = w->version >= AGENT_PROTOCOL_CLOCK;
    g->has_files = w->version >= AGENT_PROTOCOL_STORAGE;
    pod_files_rewind(r->files);
    tell_age(g, w->version);
    g->has_tasks = w->version >= AGENT_PROTOCOL_TASKS;
    g->version = w->version;
    const char *beyond = w->configured ? agent_lacks(&r->definition.pod, w->version) : NULL;
    if (beyond)
        runner_log(r, LOG_WARNING, 0, "Pod %s: its agent is older than podvisor, and knows no %s: %s",
                   r->definition.name, beyond, "they have no effect until the pod is started anew");
    g->configure_due = clock_begin(g) && !w->configured;
    g->report_due = w->configured;
    if (w->configured)
        (void)files_send(g);
    if (!w->configured && !g->configure_due)
        configure(g);
    if (r->record.stop_asked && r->glue)
        (void)stop_send(g, r->stop_timeout);
}

static void text_clean(char **text)
{
    size_t size = *text ? strnlen(*text, TEXT_MAX) : 0;
    char *clean = size > 0 ? str_escape(*text, size) : NULL;

    free(*text);
    *text = clean;
}

/* The guest may claim anything: a status is what a status can be, and text is escaped and short. */
static void container_clean(ContainerReport *c)
{
    text_clean(&c->message);
    text_clean(&c->probe_failure);
    c->exit_signal = c->exit_signal < NSIG ? c->exit_signal : 0;
    c->exit_code = c->exit_code >= 0 && c->exit_code <= UINT8_MAX ? c->exit_code : -1;
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
static void on_report(void *userdata, void *body)
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
    if (report->completed && !r->record.completed) {
        r->record.completed = true;
        runner_save(r);
    }
    if (report->power_button && !r->record.power_button)
        take_power_button(r);
    runner_take_containers(r, known, n);
    if (g->report_due) {
        g->report_due = false;
        runner_dispatch(r, RUNNER_EVENT_WORKING);
    }
}

static void on_log(void *userdata, void *body)
{
    AgentGlue *g = userdata;
    log_writer_take(g->runner->logs, body);
}

static void on_batch(void *userdata)
{
    AgentGlue *g = userdata;
    log_writer_flush(g->runner->logs);
}

static void on_data(void *userdata, void *body)
{
    AgentGlue *g = userdata;
    exec_streams_on_data(g->execs, body);
}

static void on_credit(void *userdata, void *body)
{
    AgentGlue *g = userdata;
    exec_streams_on_credit(g->execs, body);
}

static void on_exit_of_program(void *userdata, void *body)
{
    AgentGlue *g = userdata;
    exec_streams_on_exit(g->execs, body);
}

static void on_room(void *userdata)
{
    AgentGlue *g = userdata;
    exec_streams_on_room(g->execs);
    files_go_on(g);
}

static const AgentCallbacks callbacks = {
    .on = {
        [AGENT_CLOCK] = on_clock,
        [AGENT_WELCOME] = on_welcome,
        [AGENT_REPORT] = on_report,
        [AGENT_LOG] = on_log,
        [AGENT_DATA] = on_data,
        [AGENT_CREDIT] = on_credit,
        [AGENT_EXIT] = on_exit_of_program,
    },
    .batch = on_batch,
    .room = on_room,
    .lost = on_lost,
};

static void channel_open(AgentGlue *g)
{
    Runner *r = g->runner;
    usec_t timeout = r->record.configured ? g->patience : USEC_INFINITY;

    if (r->record.configured && g->return_due == 0)
        g->return_due = usec_add(now_usec(CLOCK_MONOTONIC), AGENT_RETURN_TIMEOUT);
    int fd = r->backend->agent_connect(r->vm);
    int e = fd < 0 ? fd
                   : agent_client_new(r->event, fd, r->definition.agent_token, timeout, &callbacks, g,
                                      &g->client);
    if (e >= 0)
        e = exec_streams_new(r->event, g->client, &g->execs);
    if (e >= 0) {
        agent_client_set_paused(g->client, r->paused);
        return;
    }
    if (e != -EAGAIN)
        runner_log(r, LOG_WARNING, e, "Pod %s: the agent's channel cannot be opened", r->definition.name);
    channel_close(g, "the agent cannot be reached");
    channel_open_later(g);
}

/* --- for the runner ------------------------------------------------------------------------------------------------ */

void agent_glue_connect(Runner *r)
{
    if (r->glue)
        return;
    AgentGlue *g = calloc(1, sizeof *g);
    if (!g) {
        (void)runner_kill(r, END_AGENT_LOST, "the runner is out of memory");
        return;
    }
    g->runner = r;
    g->retry_delay = AGENT_RETRY_MIN;
    g->patience = AGENT_CHANNEL_PATIENCE;
    r->glue = g;
    channel_open(g);
}

/* A callback of the client may lead here, so the client sees to its own end. */
void agent_glue_drop(Runner *r)
{
    AgentGlue *g = take_ptr(r->glue);

    if (!g)
        return;
    channel_close(g, "the pod's machine has ended");
    log_writer_flush(r->logs);
    free(g);
}

void agent_glue_set_paused(Runner *r, bool paused)
{
    AgentGlue *g = r->glue;

    if (g && !paused && g->return_due > 0)
        g->return_due = usec_add(now_usec(CLOCK_MONOTONIC), AGENT_RETURN_TIMEOUT);
    if (!g || !g->client)
        return;
    agent_client_set_paused(g->client, paused);
    /* A clock stands still with its machine. */
    if (!paused)
        (void)clock_begin(g);
}

int agent_glue_exec(Runner *r, const ExecRequest *request, int *fd, char **ret_message)
{
    AgentGlue *g = r->glue;

    if (!r->backend->has_agent) {
        *ret_message = strdup("the pod's backend runs no programs");
        return -EOPNOTSUPP;
    }
    if (task_is_of_container(request->task) &&
        pod_container_find(&r->definition.pod, request->container) < 0) {
        *ret_message = strf("the pod has no container %s", request->container ?: "without a name");
        return -ENOENT;
    }
    if (!g || !g->client || !g->welcome || !r->record.configured) {
        *ret_message = strdup("the pod's agent is not there at present");
        return -EAGAIN;
    }
    if (request->task != TASK_PROGRAM && !g->has_tasks) {
        *ret_message =
            strf("the agent in the pod's machine is of an older podvisor, which cannot %s; it can when "
                 "the pod has been restarted",
                 task_table.rows[request->task].doc);
        return -EOPNOTSUPP;
    }
    return exec_streams_start(g->execs, request, fd, ret_message);
}
