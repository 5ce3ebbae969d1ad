/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <time.h>

#include "guest/agent/agent.h"
#include "guest/agent/rootfs.h"

/* 0 or negative errno, with f where there is more to say; REPLY_LATER: the handler answers itself. */
enum { REPLY_LATER = AGENT_LATER };

typedef int (*Handler)(Agent *a, uint64_t id, const void *body, Failure *f);

static int on_configure(Agent *a, uint64_t id, const void *body, Failure *f)
{
    int r = agent_configure(a, id, body, f);

    /* Before the answer, so that a runner to which the pod runs knows its containers. */
    if (r == 0)
        agent_report_now(a);
    return r;
}

static int on_stop(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const AgentStop *stop = body;

    ending_stop(a, stop->timeout);
    return 0;
}

static int on_ping(Agent *a, uint64_t id, const void *body, Failure *f)
{
    return 0;
}

static int on_template(Agent *a, uint64_t id, const void *body, Failure *f)
{
    return template_begin(a, id, f);
}

/* By how much this machine's clock is to be moved. The time that it is told is as old as the message: good for who is off by more. */
static int64_t clock_step(const AgentClock *clock)
{
    int64_t off = clock->time > 0 ? (int64_t)clock->time - (int64_t)now_usec(CLOCK_REALTIME) : 0;

    return llabs(off) > (int64_t)USEC_PER_SEC ? off : clock->step;
}

static int on_clock(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const AgentClock *clock = body;
    int64_t step = clock_step(clock);
    struct timespec tick = { 0 };

    if (step != 0)
        a->platform->ops->step_clock(a->platform, step);
    /* A machine that was paused has not seen the time go by, and others have. */
    if (step > 0)
        dhcp_skip(a, (usec_t)step);
    (void)clock_getres(CLOCK_MONOTONIC, &tick);
    AgentClock answer = { .round = clock->round,
                          .time = now_usec(CLOCK_REALTIME),
                          .uptime = now_usec(CLOCK_MONOTONIC),
                          .tick = (usec_t)tick.tv_sec * USEC_PER_SEC + (usec_t)tick.tv_nsec / 1000 };
    agent_send(a, AGENT_CLOCK, 0, &answer);
    /* An answer that waits for what else there is to do says nothing of the clock. */
    port_flush(&a->port);
    return 0;
}

static int on_log_ack(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const AgentLogAck *ack = body;

    a->log_progress = loop_now(&a->loop);
    return log_ring_ack(&a->ring, ack->seq);
}

static int on_exec(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const AgentExec *exec = body;

    if (exec->request.task == TASK_ATTACH)
        return attach_start(a, exec, f);
    int r = exec_start(a, id, exec, f);
    return r < 0 ? r : REPLY_LATER;
}

static int on_file(Agent *a, uint64_t id, const void *body, Failure *f)
{
    int r = files_take(a->platform, &a->intake, body, f);

    for (size_t i = 0; r > 0 && i < a->n_containers; i++)
        r = container_files_changed(&a->containers[i], f) < 0 ? f->error : r;
    return MIN(r, 0);
}

static int on_limits(Agent *a, uint64_t id, const void *body, Failure *f)
{
    int r = agent_limit(a, body, f);

    /* Before the answer, so that whoever gets it knows what the containers made of them. */
    if (r >= 0)
        agent_report_now(a);
    return r;
}

static int on_hosts(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const RunnerHosts *hosts = body;

    if (!a->configured)
        return failure_say(f, -EAGAIN, "there are no containers yet");
    int r = rootfs_name_hosts(a->platform, &a->configure, hosts->peers);
    return r < 0 ? failure_set(f, r, "/etc/hosts could not be written") : 0;
}

static int on_signal(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const AgentStreamSignal *signal = body;
    Exec *e = exec_find(a, signal->stream);

    return e ? exec_signal(e, (int)signal->signal) : attach_signal(a, signal->stream, (int)signal->signal);
}

static int on_resize(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const AgentStreamResize *resize = body;
    unsigned rows = (unsigned)resize->rows, columns = (unsigned)resize->columns;
    Exec *e = exec_find(a, resize->stream);

    return e ? exec_resize(e, rows, columns) : attach_resize(a, resize->stream, rows, columns);
}

static int on_hangup(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const AgentStream *stream = body;
    Exec *e = exec_find(a, stream->stream);

    if (!e)
        return attach_hangup(a, stream->stream);
    exec_hangup(e);
    return 0;
}

static int on_data(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const AgentData *data = body;
    Exec *e = exec_find(a, data->stream);

    if (data->channel != STREAM_STDIN)
        return -EINVAL;
    return e ? exec_input(e, &data->data) : attach_input(a, data->stream, &data->data);
}

static int on_credit(Agent *a, uint64_t id, const void *body, Failure *f)
{
    const AgentCredit *credit = body;
    Exec *e = exec_find(a, credit->stream);

    return e ? exec_credit(e, credit->channel, credit->bytes)
             : attach_credit(a, credit->stream, credit->channel, credit->bytes);
}

/* What only the agent says is refused. A hello never comes here. */
static const Handler handlers[AGENT_MESSAGE_MAX] = {
    [AGENT_CONFIGURE] = on_configure, [AGENT_STOP] = on_stop,         [AGENT_PING] = on_ping,
    [AGENT_LOG_ACK] = on_log_ack,     [AGENT_EXEC] = on_exec,         [AGENT_SIGNAL] = on_signal,
    [AGENT_RESIZE] = on_resize,       [AGENT_HANGUP] = on_hangup,     [AGENT_DATA] = on_data,
    [AGENT_CREDIT] = on_credit,       [AGENT_CLOCK] = on_clock,       [AGENT_FILE] = on_file,
    [AGENT_LIMITS] = on_limits,       [AGENT_TEMPLATE] = on_template, [AGENT_HOSTS] = on_hosts,
};

void agent_dispatch(Agent *a, const Message *m)
{
    Failure f = { 0 };
    Handler handler = handlers[m->type];
    int r = handler ? handler(a, m->id, m->body, &f) : -EINVAL;

    if (r != REPLY_LATER)
        agent_reply(a, m->id, r, r < 0 && f.error ? f.text : NULL);
}
