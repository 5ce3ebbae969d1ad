/* SPDX-License-Identifier: Apache-2.0 */
/* podvisord's requests: one row each. */
#include "base/strings.h"
#include "runner/agent-glue.h"
#include "runner/supervisor-link.h"

/* 0, or negative errno with *ret_message. */
typedef int (*RequestHandler)(Runner *r, const void *body, int *fd, char **ret_message);

static int request_stop(Runner *r, const void *body, int *fd, char **ret_message)
{
    const RunnerStop *stop = body;
    return runner_stop(r, stop->timeout, stop->why);
}

static int request_kill(Runner *r, const void *body, int *fd, char **ret_message)
{
    return runner_kill(r, END_KILLED, NULL);
}

static int request_pause(Runner *r, const void *body, int *fd, char **ret_message)
{
    return runner_pause(r, ret_message);
}

static int request_resume(Runner *r, const void *body, int *fd, char **ret_message)
{
    return runner_resume(r, ret_message);
}

static int request_exec(Runner *r, const void *body, int *fd, char **ret_message)
{
    return agent_glue_exec(r, body, fd, ret_message);
}

static int request_file(Runner *r, const void *body, int *fd, char **ret_message)
{
    return agent_glue_file(r, body, fd);
}

static int request_limits(Runner *r, const void *body, int *fd, char **ret_message)
{
    runner_limit(r, body);
    return 0;
}

static int request_hosts(Runner *r, const void *body, int *fd, char **ret_message)
{
    return runner_name_hosts(r, body);
}

static int request_adopt(Runner *r, const void *body, int *fd, char **ret_message)
{
    return runner_adopt(r, ret_message);
}

static int request_forget(Runner *r, const void *body, int *fd, char **ret_message)
{
    return runner_forget(r, ret_message);
}

static int request_bye(Runner *r, const void *body, int *fd, char **ret_message)
{
    return runner_bye(r);
}

static const RequestHandler handlers[RUNNER_MESSAGE_MAX] = {
    [RUNNER_STOP] = request_stop,     [RUNNER_KILL] = request_kill,   [RUNNER_PAUSE] = request_pause,
    [RUNNER_RESUME] = request_resume, [RUNNER_EXEC] = request_exec,   [RUNNER_ADOPT] = request_adopt,
    [RUNNER_FORGET] = request_forget, [RUNNER_BYE] = request_bye,     [RUNNER_FILE] = request_file,
    [RUNNER_LIMITS] = request_limits, [RUNNER_HOSTS] = request_hosts,
};

/* Such a request is accepted first, and may still come to nothing. */
static const RunnerState goals[RUNNER_MESSAGE_MAX] = {
    [RUNNER_PAUSE] = RUNNER_PAUSED,
    [RUNNER_RESUME] = RUNNER_RUNNING,
};

static bool is_under_way(const Runner *r, int type)
{
    return goals[type] != 0 && r->record.report.state != goals[type];
}

void runner_request(Runner *r, SupervisorLink *l, const Message *m, int *fd)
{
    _cleanup_(freep) char *message = NULL;

    if (!handlers[m->type])
        return;
    int e = handlers[m->type](r, m->body, fd, &message);
    if (e >= 0 && is_under_way(r, m->type)) {
        supervisor_link_await(l, m->id);
        return;
    }
    supervisor_link_reply(l, m->id, e, message ?: e < 0 ? strerror(-e) : NULL);
}
