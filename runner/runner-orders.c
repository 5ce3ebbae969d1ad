/* SPDX-License-Identifier: Apache-2.0 */
/* What podvisord asks for. Each intent is on disk before the deed. */
#include "base/file.h"
#include "base/strings.h"
#include "runner/agent-glue.h"
#include "runner/backend-events.h"
#include "runner/runner-state.h"
#include "runner/unit.h"

static RunnerState state_of(const Runner *r)
{
    return r->record.report.state;
}

int runner_stop(Runner *r, usec_t timeout, const char *why)
{
    if (state_of(r) == RUNNER_INDETERMINATE)
        return -EBUSY;
    runner_log(r, LOG_INFO, 0, "Pod %s stops: %s", r->definition.name, why ?: "as asked");
    r->record.stop_asked = true;
    r->stop_timeout = timeout;
    runner_save(r);
    runner_dispatch(r, RUNNER_EVENT_STOP);
    return 0;
}

int runner_kill(Runner *r, EndReason reason, const char *message)
{
    if (state_of(r) == RUNNER_INDETERMINATE)
        return -EBUSY;
    runner_log(r, LOG_NOTICE, 0, "Pod %s is killed: %s", r->definition.name, message ?: "as asked");
    if (r->record.kill_reason == END_NONE) {
        r->record.kill_reason = reason;
        (void)str_replace(&r->record.kill_message, message);
        runner_save(r);
    }
    runner_dispatch(r, RUNNER_EVENT_KILL);
    return 0;
}

static int refuse(int error, char **ret_message, const char *verb, RunnerState state)
{
    *ret_message =
        strf("it cannot be %s while it is %s", verb, enum_to_string(&runner_state_table, (int)state));
    return error;
}

/* What the backend cannot even begin. */
static int order(int error, char **ret_message, const char *verb)
{
    if (error < 0)
        *ret_message =
            strf("it cannot be %s now: what runs its machine is out of reach: %s", verb, strerror(-error));
    return error;
}

int runner_pause(Runner *r, char **ret_message)
{
    if (state_of(r) == RUNNER_PAUSED)
        return 0;
    if (state_of(r) != RUNNER_RUNNING)
        return refuse(-EBUSY, ret_message, "paused", state_of(r));
    return order(r->backend->pause(r->vm), ret_message, "paused");
}

int runner_resume(Runner *r, char **ret_message)
{
    if (state_of(r) == RUNNER_RUNNING)
        return 0;
    if (state_of(r) != RUNNER_PAUSED)
        return refuse(-EBUSY, ret_message, "resumed", state_of(r));
    return order(r->backend->resume(r->vm), ret_message, "resumed");
}

int runner_adopt(Runner *r, char **ret_message)
{
    if (!runner_dispatch(r, RUNNER_EVENT_ADOPT))
        return refuse(-EINVAL, ret_message, "adopted", state_of(r));
    return 0;
}

int runner_forget(Runner *r, char **ret_message)
{
    if (state_of(r) != RUNNER_INDETERMINATE)
        return refuse(-EINVAL, ret_message, "forgotten", state_of(r));
    int e = r->backend->clean(r->vm);
    if (e == -EBUSY)
        *ret_message = strdup("a machine holds the pod's lock; adopt it, or end it by hand");
    if (e < 0)
        return e;
    runner_ended(r, END_LOST, -1, 0, "an operator dropped what was recorded of it");
    return 0;
}

int runner_bye(Runner *r)
{
    if (state_of(r) != RUNNER_ENDED)
        return -EBUSY;
    int e = r->backend->clean(r->vm);
    if (e < 0)
        runner_log(r, LOG_WARNING, e, "Pod %s: what the machine left cannot be removed", r->definition.name);
    (void)file_remove_at(r->vm_dir, "runner.msgpack");
    return sd_event_exit(r->event, unit_exit_status(r));
}

void runner_limit(Runner *r, const RunnerLimits *limits)
{
    PodDefinition *pod = &r->definition.pod;

    for (size_t i = 0; i < limits->n_containers; i++) {
        int place = pod_container_find(pod, limits->containers[i].container);
        if (place >= 0)
            pod_container(pod, (size_t)place)->limits = limits->containers[i].limits;
    }
    r->definition.generation = limits->generation;
    (void)str_replace(&r->record.report.limits_failed, NULL);
    if (r->backend->has_agent) {
        agent_glue_limits_changed(r);
        return;
    }
    r->record.report.limits_generation = limits->generation;
    runner_save(r);
    runner_report_changed(r);
}

int runner_name_hosts(Runner *r, const RunnerHosts *hosts)
{
    char **copy = strv_copy(hosts->peers);

    if (!copy && strv_length(hosts->peers) > 0)
        return -ENOMEM;
    strv_free(r->peers);
    r->peers = copy;
    r->peers_known = true;
    agent_glue_hosts_changed(r);
    return 0;
}
