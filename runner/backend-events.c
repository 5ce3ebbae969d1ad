/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "runner/backend-events.h"
#include "runner/console-tail.h"
#include "runner/end.h"
#include "runner/log-writer.h"
#include "runner/runner-state.h"
#include "runner/start-marks.h"
#include "runner/supervisor-link.h"

void runner_ended(Runner *r, EndReason seen, int64_t exit_code, uint64_t exit_signal, const char *message)
{
    RunnerReport *report = &r->record.report;

    start_mark_end(&report->start);
    (void)end_fill(&r->record, seen, exit_code, exit_signal, message);
    strv_free(take_ptr(report->console_tail));
    (void)console_tail(r->vm_dir, CONSOLE_TAIL_LINES, &report->console_tail);
    runner_dispatch(r, RUNNER_EVENT_ENDED);
}

void runner_doubt(Runner *r, const char *message, int error)
{
    char *text = error ? strf("%s: %s", message, strerror(-error)) : strdup(message);

    r->begun = false;
    free(r->record.report.message);
    r->record.report.message = text;
    if (r->record.report.verdict != VERDICT_FOREIGN)
        r->record.report.verdict = VERDICT_INDETERMINATE;
    runner_dispatch(r, RUNNER_EVENT_DOUBT);
}

/* --- containers ---------------------------------------------------------------------------------------------- */

static bool all_ready(const RunnerReport *report)
{
    for (size_t i = 0; i < report->n_containers; i++)
        if (!container_does_what_it_should(&report->containers[i]))
            return false;
    return report->n_containers > 0;
}

static void ready_update(RunnerReport *report)
{
    bool ready = all_ready(report);

    if (ready && !report->ready)
        report->ready_since = now_usec(CLOCK_REALTIME);
    if (!ready)
        report->ready_since = 0;
    report->ready = ready;
}

void runner_take_containers(Runner *r, const ContainerReport *containers, size_t n)
{
    RunnerReport *report = &r->record.report;
    const Field *field = schema_field(&runner_report_schema, "containers");
    RunnerReport fresh = { 0 };

    for (size_t i = 0; i < n; i++) {
        ContainerReport *item = field_append(field, &fresh), copy;
        if (!item || schema_copy(&container_report_schema, &containers[i], &copy) < 0) {
            schema_done(&runner_report_schema, &fresh);
            return;
        }
        schema_done(&container_report_schema, item);
        *item = copy;
    }
    for (size_t i = 0; i < fresh.n_containers; i++) {
        int place = pod_container_find(&r->definition.pod, fresh.containers[i].name);
        fresh.containers[i].role =
            place < 0 ? CONTAINER_MAIN : pod_container_role(&r->definition.pod, (size_t)place);
    }
    RunnerReport old = { .containers = report->containers, .n_containers = report->n_containers };
    report->containers = fresh.containers;
    report->n_containers = fresh.n_containers;
    schema_done(&runner_report_schema, &old);
    ready_update(report);
    if (report->ready)
        start_marks_ready(r);
    runner_report_changed(r);
}

/* --- one function per event ------------------------------------------------------------------------------------ */

static void on_started(Runner *r, const BackendEvent *e)
{
    RunnerReport *report = &r->record.report;

    r->machine = true;
    r->copy = e->vmm.copy;
    start_marks_add(r, START_PROVED);
    report->vmm_pid = (uint64_t)e->vmm.pid;
    report->vmm_started = e->vmm.started;
    report->isolated = e->vmm.isolated;
    (void)str_replace(&report->accelerator, e->vmm.accelerator);
    (void)str_replace(&report->started_by, e->vmm.started_by);
    (void)str_replace(&report->network_lost, NULL);
    runner_report_changed(r);
    runner_dispatch(r, RUNNER_EVENT_STARTED);
    if (e->vmm.paused)
        runner_dispatch(r, RUNNER_EVENT_PAUSED);
}

static void on_doubtful(Runner *r, const BackendEvent *e)
{
    const char *message = e->message ?: "the machine that runs there proves nothing";

    if (!e->foreign) {
        /* A machine that is about to end has closed its door already. */
        runner_look_again(r, message, 0);
        return;
    }
    r->record.report.verdict = VERDICT_FOREIGN;
    runner_doubt(r, message, 0);
}

static void on_paused(Runner *r, const BackendEvent *e)
{
    runner_dispatch(r, RUNNER_EVENT_PAUSED);
}

static void on_resumed(Runner *r, const BackendEvent *e)
{
    runner_dispatch(r, RUNNER_EVENT_RESUMED);
}

static void on_guest_ending(Runner *r, const BackendEvent *e)
{
    runner_log(r, LOG_INFO, 0, "Pod %s: the guest ends%s%s", r->definition.name, e->message ? ": " : "",
               e->message ?: "");
    runner_set_phase(r, "the end of the machine's process");
}

static bool any_begun(const ContainerReport *containers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (containers[i].state != CONTAINER_WAITING)
            return true;
    return false;
}

static void on_containers(Runner *r, const BackendEvent *e)
{
    runner_take_containers(r, e->containers, e->n_containers);
    if (any_begun(e->containers, e->n_containers))
        runner_dispatch(r, RUNNER_EVENT_WORKING);
}

static void on_output(Runner *r, const BackendEvent *e)
{
    const OperatorEventRow *lost = &operator_events[EVENT_OUTPUT_LOST];
    LogFields f;

    if (e->output.gap) {
        log_fields_of_machine(&f, &r->definition);
        log_fields_set_event(&f, lost);
        (void)log_full(
            lost->level, 0, f.rows,
            "%s: some of what the guest's console said is lost: it came faster than it could be taken",
            r->definition.name);
    }
    log_writer_say(r->logs, e->output.stream, e->output.data, e->output.size);
}

static void on_network(Runner *r, const BackendEvent *e)
{
    RunnerReport *report = &r->record.report;

    if (e->message)
        runner_log(r, LOG_WARNING, 0, "Pod %s: its network is gone: %s", r->definition.name, e->message);
    else
        runner_log(r, LOG_NOTICE, 0, "Pod %s: its network is back", r->definition.name);
    (void)str_replace(&report->network_lost, e->message);
    runner_report_changed(r);
}

static int add_helper(RunnerReport *report, const HelperReport *helper)
{
    const Field *field = schema_field(&runner_report_schema, "helpers");

    if (helper->kind == HELPER_UPLINK)
        for (size_t i = 0; i < report->n_helpers; i++)
            if (report->helpers[i].kind == HELPER_UPLINK) {
                report->helpers[i] = *helper;
                return 0;
            }
    HelperReport *item = report->n_helpers < HELPERS_MAX ? field_append(field, report) : NULL;
    if (!item)
        return -ENOMEM;
    *item = *helper;
    return 0;
}

/* Of what comes before the machine, the report of its start tells. */
static void on_helper(Runner *r, const BackendEvent *e)
{
    if (add_helper(&r->record.report, &e->helper) < 0 || !r->machine)
        return;
    runner_save(r);
    runner_report_changed(r);
}

static void on_refused(Runner *r, const BackendEvent *e)
{
    const char *message = e->message ?: "an operation was refused";

    runner_log(r, LOG_WARNING, 0, "Pod %s: %s", r->definition.name, message);
    supervisor_link_settle(r->link, -EIO, message);
}

static void on_ended(Runner *r, const BackendEvent *e)
{
    r->machine = r->begun = false;
    log_writer_end(r->logs);
    runner_ended(r, e->end->reason, e->end->exit_code, e->end->exit_signal, e->end->message);
}

static void (*const handlers[BACKEND_EVENT_MAX])(Runner *r, const BackendEvent *e) = {
    [BACKEND_STARTED] = on_started,
    [BACKEND_DOUBTFUL] = on_doubtful,
    [BACKEND_PAUSED] = on_paused,
    [BACKEND_RESUMED] = on_resumed,
    [BACKEND_GUEST_ENDING] = on_guest_ending,
    [BACKEND_OUTPUT] = on_output,
    [BACKEND_CONTAINERS] = on_containers,
    [BACKEND_NETWORK] = on_network,
    [BACKEND_HELPER] = on_helper,
    [BACKEND_REFUSED] = on_refused,
    [BACKEND_ENDED] = on_ended,
};

void runner_on_backend_event(void *userdata, const BackendEvent *event)
{
    handlers[event->type](userdata, event);
}
