/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "supervisor/pod-live.h"
#include "supervisor/run-path.h"
#include "supervisor/supervisor.h"

static const char old_runner[] = "the pod's runner is of an older podvisor, which cannot change them; they "
                                 "change when the pod is restarted";

/* What the runner has told of its machine's agent is not this generation. One of an older podvisor knows what it has read when it began. */
static bool outstanding(const Pod *pod)
{
    uint64_t known = pod->link_limits ? pod->report.limits_generation : pod->link_generation;
    bool told = pod->report.state == RUNNER_RUNNING || pod->report.state == RUNNER_PAUSED;

    return pod->has_running && reconcile_alive(&pod->observed) && pod->observed.reported && told &&
           known != pod->running_generation;
}

void pod_live_take(Pod *pod)
{
    Supervisor *s = pod->supervisor;

    if (pod->observed.phase != MACHINE_LIVE)
        return;
    int r = run_path_change(s->pods_dir, pod->name, &pod->definition, pod->record.generation);
    if (r >= 0)
        r = schema_take_live(&pod_schema, &pod->definition, &pod->running);
    if (r < 0) {
        if (!pod->unsaved)
            pod_log(pod, LOG_ERR, r, "%s: its limits cannot be changed now: its frozen definition",
                    pod->name);
        supervisor_unsaved(s, pod, true);
        return;
    }
    pod->running_generation = pod->record.generation;
    STRV_FOREACH (line, pod->pending)
        (void)strv_append(&pod->live_changes, *line);
    pod->limits_due = true;
    pod_compare(pod);
}

void pod_live_send(Pod *pod)
{
    RunnerLimits limits;

    if (!pod->link || !pod->observed.reported || !pod->has_running || !reconcile_alive(&pod->observed))
        return;
    pod->limits_due = false;
    if (!pod->link_limits) {
        pod_live_note(pod);
        return;
    }
    if (pod->report.limits_generation == pod->running_generation)
        return;
    int r = runner_limits_fill(&pod->running, pod->running_generation, &limits);
    if (r >= 0) {
        r = runner_link_send(pod->link, RUNNER_LIMITS, &limits, -1);
        schema_done(&runner_limits_schema, &limits);
    }
    if (r >= 0)
        return;
    /* Whoever does not listen gets another connection, and is told again. */
    pod_log(pod, LOG_WARNING, r, "%s: its runner cannot be told its limits", pod->name);
    pod_drop_link(pod);
    pod->observed.alone_since = now_usec(CLOCK_BOOTTIME);
    pod_due(pod);
}

/* "web: it uses 80M, ...": of each container that has not got what is declared; NULL: all have. */
static char **refusals(const Pod *pod)
{
    char **lines = NULL;

    for (size_t i = 0; i < pod->report.n_containers; i++) {
        const ContainerReport *c = &pod->report.containers[i];
        if (c->limits_failed)
            (void)strv_appendf(&lines, "limits of container %s: %s", c->name ?: "?", c->limits_failed);
    }
    return lines;
}

/* NULL: they are on their way. */
static const char *why_not(const Pod *pod)
{
    return pod->link_limits ? pod->report.limits_failed : old_runner;
}

void pod_live_note(Pod *pod)
{
    bool late = outstanding(pod);

    if (!pod->live_changes || !pod->observed.reported || (late && !why_not(pod)))
        return;
    if (!late && pod->report.limits_generation != pod->running_generation)
        return;
    _cleanup_(strv_freep) char **failed = refusals(pod);
    if (late)
        (void)strv_append(&failed, why_not(pod));
    _cleanup_(freep) char *changes = strv_join(pod->live_changes, "; ");
    _cleanup_(freep) char *why = strv_join(failed, "; ");
    if (failed)
        pod_log_event(pod, EVENT_LIMITS_REFUSED, 0, "%s: limits of its containers stay as they were: %s",
                      pod->name, why ?: "?");
    else
        pod_log_event(pod, EVENT_LIMITS_CHANGED, 0,
                      "%s: generation %llu is in effect, and nothing was restarted: %s", pod->name,
                      (unsigned long long)pod->running_generation, changes ?: "?");
    pod->live_changes = strv_free(pod->live_changes);
}

int pod_live_show(const Pod *pod, char ***pending)
{
    _cleanup_(strv_freep) char **failed = refusals(pod);
    int r = 0;

    if (!reconcile_alive(&pod->observed) || !pod->has_running)
        return 0;
    if (outstanding(pod))
        r = strv_appendf(pending, "limits of containers: %s",
                         why_not(pod) ?: "on their way to the containers");
    STRV_FOREACH (line, failed)
        r = r < 0 ? r : strv_append(pending, *line);
    return r;
}

void pod_live_forget(Pod *pod)
{
    pod->live_changes = strv_free(pod->live_changes);
    pod->live_due = pod->limits_due = false;
}
