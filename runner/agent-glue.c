/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "runner/agent-glue-internal.h"
#include "runner/agent-version.h"
#include "runner/log-writer.h"
#include "runner/start-marks.h"

#define STOP_REPLY_TIMEOUT (10 * USEC_PER_SEC)
/* The guest needs some of the time to power off, after its containers have ended. */
#define STOP_MARGIN (3 * USEC_PER_SEC)

static void channel_open(AgentGlue *g);

/* --- the channel -------------------------------------------------------------------------------------------------- */

static void channel_close(AgentGlue *g, const char *why)
{
    g->execs = exec_streams_free(g->execs, why);
    g->client = agent_client_free(g->client);
    g->retry = sd_event_source_disable_unref(g->retry);
    g->welcome = g->has_clock = g->has_files = false;
    g->configured = g->limits_asked = g->hosts_asked = false;
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

/* Its next start is a boot (supervisor/templates.h). */
static bool kill_if_asleep(Runner *r, int error)
{
    if (error != -ETIMEDOUT || r->record.configured || !r->copy)
        return false;
    _cleanup_(freep) char *message =
        strf("its machine is a copy of a template, and its agent has said nothing for %llu s",
             (unsigned long long)(AGENT_WAKE_TIMEOUT / USEC_PER_SEC));
    (void)runner_kill(r, END_NOT_WOKEN, message);
    return true;
}

static bool kill_if_fatal(Runner *r, int error)
{
    if (kill_if_asleep(r, error))
        return true;
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

/* --- stopping ----------------------------------------------------------------------------------------------------- */

static void on_stop_reply(void *userdata, int error, const char *message)
{
    AgentGlue *g = userdata;
    Runner *r = g->runner;

    if (error < 0 && error != -ECONNRESET)
        runner_log(r, LOG_WARNING, error, "Pod %s: the agent does not stop%s%s", r->definition.name,
                   message ? ": " : "", message ?: "");
}

int agent_glue_stop_send(AgentGlue *g, usec_t timeout)
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
    return r->glue ? agent_glue_stop_send(r->glue, timeout) : -ENOTCONN;
}

/* --- what the agent says ------------------------------------------------------------------------------------------- */

void agent_glue_log_ack(AgentGlue *g, uint64_t seq)
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
        agent_glue_log_ack(r->glue, seq);
}

static void on_log(void *userdata, void *body)
{
    AgentGlue *g = userdata;
    const LogRecord *record = body;

    start_marks_output(g->runner, record->container);
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
    agent_glue_files_go_on(g);
}

static const AgentCallbacks callbacks = {
    .on = {
        [AGENT_CLOCK] = agent_glue_on_clock,
        [AGENT_WELCOME] = agent_glue_on_welcome,
        [AGENT_REPORT] = agent_glue_on_report,
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
    usec_t timeout = r->record.configured ? g->patience : r->copy ? AGENT_WAKE_TIMEOUT : USEC_INFINITY;

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
        (void)agent_glue_clock_begin(g, false);
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
    if (g->version < agent_task_since(request->task)) {
        *ret_message =
            strf("the agent in the pod's machine is of an older podvisor, which cannot %s; it can when "
                 "the pod has been restarted",
                 task_table.rows[request->task].doc);
        return -EOPNOTSUPP;
    }
    return exec_streams_start(g->execs, request, fd, ret_message);
}
