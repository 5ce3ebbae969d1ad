/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "guest/agent/agent.h"

static void on_log_patience(void *userdata) {}

/* Nothing of the pod asks the kernel for what it has not got yet. */
static void on_settled(void *userdata)
{
    Platform *p = userdata;

    p->ops->close_kernel(p);
}

int agent_new(Agent **ret, Platform *platform, LoopClock clock)
{
    _cleanup_(agent_freep) Agent *a = calloc(1, sizeof *a);

    if (!a)
        return -ENOMEM;
    a->platform = platform;
    a->log_patience = (Timer){ .func = on_log_patience };
    a->settled = (Timer){ .func = on_settled, .userdata = platform };
    a->ending.stop_deadline = USEC_INFINITY;
    log_ring_init(&a->ring, AGENT_LOG_RING_SIZE, AGENT_LOG_WINDOW);
    port_init(&a->port, &a->loop);
    a->port.on_frame = session_on_frame;
    a->port.begins = session_begins;
    a->port.on_hangup = session_on_hangup;
    a->port.userdata = a;
    a->session.boot = -1;
    template_init(&a->template, a);
    standby_init(&a->standby);
    a->children.signals = -1;
    pid_namespace_init(&a->pids);
    a->task_cgroup = -1;
    int r = loop_init(&a->loop, clock);
    if (r >= 0)
        r = children_init(&a->children, &a->loop);
    if (r < 0)
        return r;
    *ret = take_ptr(a);
    return 0;
}

Agent *agent_free(Agent *a)
{
    if (!a)
        return NULL;
    exec_free_all(a);
    attach_free_all(a);
    dhcp_end(a);
    loop_timer_clear(&a->loop, &a->settled);
    template_done(&a->template, a);
    for (size_t i = 0; i < a->n_containers; i++)
        container_done(&a->containers[i]);
    free(a->containers);
    safe_close(a->task_cgroup);
    standby_end(&a->standby, &a->children);
    children_done(&a->children);
    port_done(&a->port);
    log_ring_done(&a->ring);
    schema_done(&agent_configure_schema, &a->configure);
    bytes_done(&a->configure_bytes);
    files_intake_done(&a->intake);
    safe_close(a->session.boot);
    loop_done(&a->loop);
    free(a);
    return NULL;
}

void agent_send(Agent *a, AgentMessageType type, uint64_t id, const void *body)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };

    if (!a->session.stands || message_to_bytes(&agent_protocol, type, id, body, &bytes) < 0)
        return;
    /* A runner that has not read for so long is no runner; the next one says hello. */
    if (port_send(&a->port, a->session.number, bytes.data, bytes.size) == -ENOBUFS)
        session_on_hangup(a);
}

void agent_reply(Agent *a, uint64_t id, int error, const char *message)
{
    RunnerReply reply = { .error = (uint64_t)-error, .message = (char *)(uintptr_t)message };

    if (error < 0 && !message)
        reply.message = strerror(-error);
    if (id != 0)
        agent_send(a, AGENT_REPLY, id, &reply);
}

void agent_report_due(Agent *a)
{
    a->report_due = true;
}

void agent_disks_changed(Agent *a)
{
    for (size_t i = 0; i < a->n_containers; i++)
        container_look(&a->containers[i]);
}

Container *agent_container(Agent *a, const char *name)
{
    for (size_t i = 0; i < a->n_containers; i++)
        if (streq(a->containers[i].config->definition.name, name))
            return &a->containers[i];
    return NULL;
}

size_t agent_log_room(Agent *a)
{
    enum { ROOM_MIN = 1024 };
    usec_t patience = usec_add(a->log_progress, AGENT_LOG_PATIENCE);
    size_t room = log_ring_room(&a->ring);

    if (room >= ROOM_MIN)
        return room;
    if (!a->session.stands || loop_now(&a->loop) >= patience)
        return SIZE_MAX;
    /* A wait with an end: then this is asked again. */
    loop_timer_set(&a->loop, &a->log_patience, patience);
    return 0;
}

static void pump_logs(Agent *a)
{
    const LogEntry *e;
    uint64_t dropped;

    while (a->session.stands && !port_busy(&a->port) && (e = log_ring_peek(&a->ring, &dropped))) {
        LogRecord record = {
            .seq = e->seq,
            .time = e->time,
            .container = (char *)(uintptr_t)e->container,
            .channel = e->channel,
            .partial = e->partial,
            .dropped = dropped,
            .data = { .data = (uint8_t *)(uintptr_t)e->data, .size = e->size },
        };
        agent_send(a, AGENT_LOG, 0, &record);
        log_ring_sent(&a->ring);
    }
}

bool agent_has_news(const Agent *a)
{
    return a->configured || a->ending.power_button;
}

void agent_report_now(Agent *a)
{
    ContainerReport reports[CONTAINERS_MAX];
    StartContainer starts[CONTAINERS_MAX];
    AgentReport report = { .completed = a->ending.completed,
                           .power_button = a->ending.power_button,
                           .containers = reports,
                           .start = a->start };

    if (!a->report_due || !agent_has_news(a) || !a->session.stands || port_busy(&a->port))
        return;
    if (dhcp_fill_report(a, &report.lease) < 0) {
        schema_done(&lease_report_schema, &report.lease);
        return;
    }
    report.n_containers = MIN(a->n_containers, ELEMENTSOF(reports));
    for (size_t i = 0; i < report.n_containers; i++) {
        container_fill_report(&a->containers[i], &reports[i]);
        starts[i] = a->containers[i].start;
    }
    report.start.containers = starts;
    report.start.n_containers = report.n_containers;
    agent_send(a, AGENT_REPORT, 0, &report);
    schema_done(&lease_report_schema, &report.lease);
    a->report_due = false;
}

bool agent_pump(Agent *a)
{
    bool more = false;

    for (size_t i = 0; i < a->n_containers; i++)
        more |= container_pump(&a->containers[i]);
    more |= exec_pump_all(a);
    attach_pump_all(a);
    more |= agent_take_turns(a);
    pump_logs(a);
    agent_report_now(a);
    bool busy = port_busy(&a->port);
    port_flush(&a->port);
    more |= busy && !port_busy(&a->port);
    more |= ending_pump(a);
    return more;
}

int agent_round(Agent *a)
{
    return loop_round(&a->loop, !agent_pump(a));
}
