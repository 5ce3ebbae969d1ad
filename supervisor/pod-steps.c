/* SPDX-License-Identifier: Apache-2.0 */
/* The deeds of a pod: one function for each step that reconcile() can decide. */
#include <signal.h>
#include <sys/random.h>

#include "base/file.h"
#include "base/strings.h"
#include "supervisor/networks.h"
#include "supervisor/pod-files.h"
#include "supervisor/pod-live.h"
#include "supervisor/pod-images.h"
#include "supervisor/pod-launch.h"
#include "supervisor/pod-network.h"
#include "supervisor/restart.h"
#include "supervisor/run-path.h"
#include "supervisor/supervisor.h"
#include "supervisor/volume-make.h"
#include "supervisor/volume-sweep.h"

#define REQUEST_TIMEOUT (5 * USEC_PER_SEC)

static usec_t now(void)
{
    return now_usec(CLOCK_BOOTTIME);
}

static void begin(Pod *pod, Operation operation, usec_t timeout)
{
    pod->in_flight.operation = operation;
    pod->in_flight.deadline = usec_add(now(), timeout);
    pod->in_flight.told = true;
}

int pod_save(Pod *pod)
{
    /* What cannot be understood is kept for whoever can. */
    if (pod->observed.doubt)
        return 0;
    int r = run_path_write_record(pod->supervisor->pods_dir, &pod->record);
    if (r < 0 && pod->record_error == 0)
        pod_log_event(pod, EVENT_DEGRADED, r, "%s: what must be remembered of it cannot be written",
                      pod->name);
    if (r != pod->record_error)
        pod->status_built = false;
    pod->record_error = r;
    supervisor_unsaved(pod->supervisor, pod, r < 0);
    return r;
}

/* --- the end of a machine ------------------------------------------------------------------------------------------ */

static void plan_next_start(Pod *pod)
{
    PodRecord *record = &pod->record;
    usec_t ran = record->running_since ? usec_sub(now(), record->running_since) : 0;
    uint32_t random = 0;

    if (record->as_asked) {
        record->next_start = 0;
        return;
    }
    /* Without randomness all wait the shortest time; that is no reason to fail. */
    (void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
    record->failures = restart_failures(&pod->definition.restart, record->failures, ran);
    record->next_start = usec_add(now(), restart_delay(&pod->definition.restart, record->failures, random));
}

static void log_end(const Pod *pod)
{
    const PodRecord *r = &pod->record;
    bool fine = r->as_asked || r->succeeded;
    const char *meaning = r->reason < END_REASON_MAX ? end_reason_table.rows[r->reason].doc : "?";
    const char *cause = rule_words(r->end_rule);

    pod_log_event(pod, fine ? EVENT_ENDED : EVENT_FAILED, 0, "%s: its machine ended: %s%s%s%s%s", pod->name,
                  cause ?: "", cause ? "; " : "", meaning, r->message ? ": " : "", r->message ?: "");
}

/* A machine has ended, or could not be launched: what is remembered of it. Takes nothing. */
static void record_end(Pod *pod, bool as_asked)
{
    PodRecord *record = &pod->record;
    const RunnerReport *report = &pod->report;

    /* What has led to another machine in place of this one is where the start of that one began. */
    if (!pod->wanted.replace && !pod->wanted.restart)
        pod->start = (StartTimes){ 0 };
    pod_record_take_start(record, report);
    record->as_asked = as_asked;
    free(record->end_rule);
    record->end_rule = take_ptr(record->stop_rule);
    record->succeeded = runner_report_succeeded(report);
    record->reason = report->reason;
    record->exit_code = report->exit_code;
    record->exit_signal = report->exit_signal;
    (void)str_replace(&record->message, report->message);
    strv_free(record->console_tail);
    record->console_tail = strv_copy(report->console_tail);
    pod_record_take_containers(record, report);
    record->unwoken = !as_asked && record->running_since == 0 && runner_report_copied(report);
    plan_next_start(pod);
    record->running_since = 0;
    pod_files_forget(pod);
    pod_live_forget(pod);
    volume_sweep(pod);
    networks_leave(pod);
    pod->observed.as_asked = as_asked;
    pod->observed.succeeded = record->succeeded;
    pod->observed.next_start = record->next_start;
    pod->wanted.restart = false;
    pod->wanted.kill = false;
    supervisor_unqueue(pod->supervisor, pod);
    pod_set_phase(pod, MACHINE_ENDED);
    pod_compare(pod);
    log_end(pod);
}

/* Takes message. Nothing was spawned. */
static void launch_failed(Pod *pod, int error, char *message)
{
    StartTimes start = take_struct(pod->report.start);

    start_mark_end(&start);
    schema_done(&runner_report_schema, &pod->report);
    pod->report = (RunnerReport){
        .state = RUNNER_ENDED,
        .reason = END_START_FAILED,
        .exit_code = -1,
        .start = start,
        .message = message ?: strdup(strerror(-error)),
    };
    pod->in_flight.operation = OPERATION_NONE;
    record_end(pod, false);
    (void)pod_save(pod);
}

/* Somebody stopped the pod's unit: that is a wish, as `podvisor stop` is. */
static void hold_by_host(Pod *pod)
{
    /* Units that are stopped because the host goes down say nothing of what is wanted when it comes up. */
    if (pod->wanted.hold || pod->wanted.all_end)
        return;
    pod->wanted.hold = pod->record.hold = true;
    pod->wanted.asked = pod->record.asked = false;
    pod_log_event(pod, EVENT_HELD, 0, "%s: its unit was stopped, so the pod is held", pod->name);
}

/* No machine runs, and no runner can come to tell how the last one ended. */
static void ended_unseen(Pod *pod, const char *why)
{
    bool asked = pod->observed.phase == MACHINE_STOPPING || pod->wanted.hold;
    StartTimes start = take_struct(pod->report.start);

    start_mark_end(&start);
    schema_done(&runner_report_schema, &pod->report);
    pod->report = (RunnerReport){
        .state = RUNNER_ENDED,
        .start = start,
        .reason = asked ? END_STOPPED : END_LOST,
        .exit_code = -1,
        .message = strf("how is not known, since no runner comes: %s", why),
    };
    record_end(pod, asked);
    (void)pod_save(pod);
}

void pod_launch_failed(Pod *pod, int error, const char *message)
{
    PodObserved *o = &pod->observed;

    /* A runner that has come tells its end by itself. */
    if (!o->launching)
        return;
    o->launching = false;
    o->alone_since = now();
    pod_due(pod);
    if (error == -ECANCELED)
        hold_by_host(pod);
    if (pod->fresh)
        launch_failed(pod, error, strdup(message));
    else if (run_path_check_locks(pod->supervisor->pods_dir, pod->name) == 0)
        ended_unseen(pod, message);
    else
        pod_log(pod, ++o->losses == 1 ? LOG_WARNING : LOG_DEBUG, 0,
                "%s: its machine runs, and no runner comes to look after it: %s", pod->name, message);
}

static StepOutcome step_record_end(Pod *pod, Rule rule)
{
    bool asked = pod->observed.phase == MACHINE_STOPPING || pod->report.by_host;

    /* A kill after a start that took too long is a failure to start, whatever the runner was told. */
    if (!asked && pod->report.reason == END_KILLED)
        pod->report.reason = END_BOOT_TIMEOUT;
    if (pod->report.by_host)
        hold_by_host(pod);
    record_end(pod, asked);
    (void)pod_save(pod);
    if (pod->link)
        (void)runner_link_send(pod->link, RUNNER_BYE, NULL, -1);
    begin(pod, OPERATION_LEAVE, RUNNER_LEAVE_TIMEOUT);
    pod_set_state(pod, POD_EVENT_ENDING);
    return STEP_AGAIN;
}

/* --- launching ----------------------------------------------------------------------------------------------------- */

static StepOutcome step_queue(Pod *pod, Rule rule)
{
    if (!pod->queued && !pod->in_flight.slot) {
        start_mark(&pod->start, START_DECIDED);
        pod->start.at[START_TURN] = 0;
    }
    supervisor_queue(pod->supervisor, pod);
    if (pod->in_flight.slot)
        return STEP_AGAIN;
    pod_set_state(pod, POD_EVENT_QUEUED);
    return STEP_DONE;
}

/* The identity of the next machine, recorded before anything of it is there. */
static int record_intent(Pod *pod, char **ret_error)
{
    PodRecord *record = &pod->record;

    int r = id128_random(&record->uuid);
    if (r >= 0)
        r = id128_random(&record->token);
    if (r < 0)
        return r;
    if (record->phase == MACHINE_ENDED && !record->as_asked)
        record->restarts++;
    record->attempt++;
    record->backend = pod->definition.backend;
    if ((r = pod_network_record(pod, ret_error)) < 0)
        return r;
    networks_join(pod);
    record->running_since = 0;
    record->runner_pid = 0;
    record->stop_rule = (free(record->stop_rule), NULL);
    pod_set_phase(pod, MACHINE_LAUNCHING);
    return pod_save(pod);
}

static void take_running(Pod *pod, RunDefinition *d)
{
    if (pod->has_running)
        pod_definition_done(&pod->running);
    pod->running = take_struct(d->pod);
    pod->has_running = true;
    pod->running_generation = d->generation;
    pod_live_forget(pod);
}

static void forget_last_run(Pod *pod)
{
    pod_drop_link(pod);
    schema_done(&runner_report_schema, &pod->report);
    pod->observed.losses = pod->observed.barren = 0;
    pod->observed.as_asked = pod->observed.succeeded = false;
    pod_set_doubt(pod, NULL);
}

static StepOutcome step_launch(Pod *pod, Rule rule)
{
    RunDefinition d;
    char *error = NULL;

    start_mark_once(&pod->start, START_TURN);
    if (image_wait_look(pod))
        return STEP_AGAIN;
    int making = volume_make_look(pod, &error);
    if (making > 0)
        return STEP_AGAIN;
    pod->copied = strv_free(pod->copied);
    image_wait_started(pod);
    forget_last_run(pod);
    pod->fresh = true;
    int r = schema_init(&run_definition_schema, &d);
    if (r < 0) {
        launch_failed(pod, r, NULL);
        return STEP_AGAIN;
    }
    r = record_intent(pod, &error);
    if (r >= 0 && making < 0)
        r = making;
    else if (r < 0 && !error)
        error = strf("its run path cannot be written: %s", strerror(-r));
    if (r >= 0)
        r = pod_launch(pod, &d, &error);
    pod->report.start = pod->start; /* until the runner tells, or if none comes */
    pod->start = (StartTimes){ 0 };
    if (r >= 0) {
        take_running(pod, &d);
        pod_set_phase(pod, MACHINE_LIVE);
        (void)pod_save(pod);
        begin(pod, OPERATION_START, usec_add(pod->definition.start_timeout, RUNNER_GRACE));
        pod_compare(pod);
        pod_set_state(pod, POD_EVENT_LAUNCHED);
        pod_log_event(pod, EVENT_STARTED, 0, "%s: a machine is started (attempt %llu, generation %llu)",
                      pod->name, (unsigned long long)pod->record.attempt,
                      (unsigned long long)pod->record.generation);
    } else {
        launch_failed(pod, r, error);
    }
    schema_done(&run_definition_schema, &d);
    return STEP_AGAIN;
}

static StepOutcome step_relaunch(Pod *pod, Rule rule)
{
    PodObserved *o = &pod->observed;

    pod_drop_link(pod);
    int r = pod->has_running ? pod_spawn_runner(pod, &pod->running) : -ENOENT;
    if (r >= 0) {
        (void)pod_save(pod);
        return STEP_AGAIN;
    }
    /* A lack of the host's is no sign that the machine is in doubt. */
    o->barren += r != -EMFILE && r != -ENFILE && r != -EAGAIN && r != -ENOMEM && r != -ENOTCONN;
    o->losses++;
    o->alone_since = now();
    return STEP_AGAIN;
}

/* --- ending ------------------------------------------------------------------------------------------------------- */

/* A runner that does not answer is replaced; the next one is told again. */
static void on_told(void *userdata, int error, const char *message)
{
    Pod *pod = userdata;

    if (error == 0 || error == -ECONNRESET)
        return;
    pod_log(pod, LOG_WARNING, error, "%s: its runner did not do as told%s%s", pod->name, message ? ": " : "",
            message ?: "");
    if (error == -ETIMEDOUT && pod->runner_pidfd >= 0)
        (void)process_signal(pod->runner_pidfd, SIGKILL);
}

/* Tells the runner; one that cannot even be told loses its link, and its time to say hello runs. */
static bool order(Pod *pod, RunnerMessageType type, const void *body)
{
    int r = runner_link_request(pod->link, type, body, -1, REQUEST_TIMEOUT, on_told, pod);

    if (r >= 0)
        return true;
    pod_log(pod, LOG_WARNING, r, "%s: its runner cannot be told anything", pod->name);
    pod_drop_link(pod);
    pod->observed.alone_since = now();
    return false;
}

/* The first reason counts; a kill is one of its own. */
static void intend_to_stop(Pod *pod, Rule rule)
{
    PodRecord *record = &pod->record;
    bool begun = pod->observed.phase == MACHINE_STOPPING;

    if (begun && (rule != RULE_KILL_ASKED || pod->in_flight.operation == OPERATION_KILL))
        return;
    (void)str_replace(&record->stop_rule, enum_to_string(&rule_table, (int)rule));
    pod_set_phase(pod, MACHINE_STOPPING);
    (void)pod_save(pod);
}

static StepOutcome step_stop(Pod *pod, Rule rule)
{
    usec_t timeout = pod->wanted.defined ? pod->definition.stop_timeout : 0;
    usec_t left = usec_sub(pod->in_flight.deadline, usec_add(now(), RUNNER_GRACE));

    intend_to_stop(pod, rule);
    if (pod->in_flight.operation == OPERATION_STOP)
        timeout = MIN(timeout, left);
    RunnerStop stop = { .timeout = timeout, .why = (char *)(uintptr_t)rule_table.rows[rule].doc };
    if (!order(pod, RUNNER_STOP, &stop))
        return STEP_AGAIN;
    begin(pod, OPERATION_STOP, usec_add(timeout, RUNNER_GRACE));
    pod_set_state(pod, POD_EVENT_ENDING);
    return STEP_AGAIN;
}

static StepOutcome step_kill(Pod *pod, Rule rule)
{
    pod_log(pod, LOG_NOTICE, 0, "%s: its machine is killed: %s", pod->name, rule_table.rows[rule].doc);
    /* A machine that is killed because it does not start has failed; all others end as was asked for. */
    if (rule != RULE_START_DEADLINE)
        intend_to_stop(pod, rule);
    if (!order(pod, RUNNER_KILL, NULL))
        return STEP_AGAIN;
    begin(pod, OPERATION_KILL, RUNNER_KILL_TIMEOUT);
    pod_set_state(pod, POD_EVENT_ENDING);
    return STEP_AGAIN;
}

static StepOutcome step_kill_runner(Pod *pod, Rule rule)
{
    int r = pod->runner_pidfd >= 0 ? process_signal(pod->runner_pidfd, SIGKILL) : -ESRCH;

    pod_log(pod, LOG_WARNING, r, "%s: its runner is killed: %s", pod->name, rule_table.rows[rule].doc);
    /* Its end is told by its pidfd; until then, the next look is a while off. */
    pod->observed.alone_since = now();
    pod->in_flight.deadline = usec_add(now(), RUNNER_KILL_TIMEOUT);
    return STEP_DONE;
}

static StepOutcome step_forget(Pod *pod, Rule rule)
{
    Supervisor *s = pod->supervisor;
    int r = run_path_remove(s->pods_dir, pod->name);

    if (r == -EBUSY) {
        pod_set_doubt(
            pod,
            "its machine has ended, as its runner said, but something still holds the lock of a machine");
        return STEP_AGAIN;
    }
    if (r < 0) {
        pod_log(pod, LOG_ERR, r, "%s: its run path cannot be removed now", pod->name);
        supervisor_unsaved(s, pod, true);
        return STEP_DONE;
    }
    volume_sweep(pod);
    pod_log_event(pod, EVENT_REMOVED, 0, "%s: its definition is gone, and so is the pod", pod->name);
    supervisor_remove(s, pod);
    return STEP_GONE;
}

static StepOutcome step_doubt(Pod *pod, Rule rule)
{
    supervisor_unqueue(pod->supervisor, pod);
    pod_set_doubt(pod, rule_table.rows[rule].doc);
    return STEP_AGAIN;
}

static StepOutcome step_rest(Pod *pod, Rule rule)
{
    return STEP_DONE;
}

typedef StepOutcome (*StepFunc)(Pod *pod, Rule rule);

static const StepFunc steps[] = {
    [STEP_REST] = step_rest,
    [STEP_QUEUE] = step_queue,
    [STEP_LAUNCH] = step_launch,
    [STEP_RELAUNCH] = step_relaunch,
    [STEP_STOP] = step_stop,
    [STEP_KILL] = step_kill,
    [STEP_KILL_RUNNER] = step_kill_runner,
    [STEP_RECORD_END] = step_record_end,
    [STEP_FORGET] = step_forget,
    [STEP_DOUBT] = step_doubt,
};
_Static_assert(ELEMENTSOF(steps) == STEP_MAX, "every step has its deed");

StepOutcome pod_step(Pod *pod, Decision decision)
{
    pod_log(pod, LOG_DEBUG, 0, "%s: %s: %s", pod->name, enum_to_string(&step_table, (int)decision.step),
            rule_table.rows[decision.rule].doc);
    return steps[decision.step](pod, decision.rule);
}
