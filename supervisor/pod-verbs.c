/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask of a pod. A wish is recorded, and the pod made due; what comes of it is told by the pod's properties. */
#include "base/strings.h"
#include "supervisor/bus.h"
#include "supervisor/run-path.h"
#include "supervisor/supervisor.h"

#define VERB_TIMEOUT (5 * USEC_PER_SEC)
/* The machine's own answer is waited for. */
#define PAUSE_TIMEOUT (15 * USEC_PER_SEC)
#define EXEC_TIMEOUT (10 * USEC_PER_SEC)

/* Takes message. */
static int refuse(VerbCall *call, const char *name, char *message)
{
    call->error = (VerbError){ .name = name, .message = message };
    return -EPERM;
}

static bool alive(const Pod *pod)
{
    return pod->observed.phase != MACHINE_NONE && pod->observed.phase != MACHINE_ENDED;
}

static int refuse_doubt(Pod *pod, VerbCall *call)
{
    if (pod->state != POD_INDETERMINATE)
        return 0;
    return refuse(call, "org.podvisor.Error.Indeterminate",
                  strf("It cannot be told what runs for pod \"%s\": %s. `podvisor adopt %s` takes it over if it proves to "
                       "be the pod's; `podvisor forget %s` drops what is recorded if nothing runs.",
                       pod->name, pod->doubt ?: pod->report.message ?: "its runner cannot tell", pod->name,
                       pod->name));
}

static int refuse_undefined(Pod *pod, VerbCall *call)
{
    _cleanup_(freep) char *errors = strv_join(pod->errors, "\n");

    if (!pod->wanted.declared)
        return refuse(call, "org.podvisor.Error.NoDefinition",
                      strf("The definition of pod \"%s\" is gone; the pod is being removed.", pod->name));
    if (!pod->wanted.defined)
        return refuse(
            call, "org.podvisor.Error.NoDefinition",
            strf("The definition of pod \"%s\" has never been right:\n%s", pod->name, errors ?: ""));
    return 0;
}

/* The wish counts even when it cannot be written down: then it only does not outlive podvisord. */
static int done(Pod *pod)
{
    pod->record.hold = pod->wanted.hold;
    pod->record.asked = pod->wanted.asked;
    (void)pod_save(pod);
    pod_due(pod);
    /* Whoever looks right now sees it so; told only behind the next turn, it might be as before, and they would wait for ever. */
    bus_pod_changed(pod->supervisor->bus, pod);
    return 0;
}

/* What led to it before counts no more, unless the start is under way already. */
static void mark_asked(Pod *pod)
{
    if (pod->queued || pod->in_flight.slot)
        return;
    pod->start = (StartTimes){ 0 };
    if (!alive(pod) || pod->wanted.restart)
        start_mark(&pod->start, START_ASKED);
}

static void want_started(Pod *pod)
{
    mark_asked(pod);
    pod->wanted.hold = false;
    pod->wanted.asked = true;
    pod->wanted.kill = false;
    pod_forget_failures(pod);
}

/* What it requires is started with it; what runs, or waits to be started again, is left as it is. */
static void want_required(Pod *pod)
{
    _cleanup_(strv_freep) char **names = order_required(pod->supervisor->order, pod->name);

    STRV_FOREACH (name, names) {
        Pod *other = supervisor_find(pod->supervisor, *name);
        if (!other || !other->wanted.defined ||
            !(other->wanted.hold || reconcile_failed(&other->wanted, &other->observed)))
            continue;
        want_started(other);
        (void)done(other);
    }
}

int pod_verb_start(Pod *pod, VerbCall *call)
{
    int r = refuse_doubt(pod, call);
    if (r >= 0)
        r = refuse_undefined(pod, call);
    if (r < 0)
        return r;
    want_started(pod);
    want_required(pod);
    return done(pod);
}

static int hold(Pod *pod, VerbCall *call, bool kill)
{
    int r = refuse_doubt(pod, call);
    if (r < 0)
        return r;
    pod->wanted.hold = true;
    pod->wanted.asked = false;
    pod->wanted.kill = kill && alive(pod);
    pod_log_event(pod, EVENT_HELD, 0, "%s: %s by an operator", pod->name, kill ? "killed" : "stopped");
    return done(pod);
}

int pod_verb_stop(Pod *pod, VerbCall *call)
{
    return hold(pod, call, false);
}

int pod_verb_kill(Pod *pod, VerbCall *call)
{
    return hold(pod, call, true);
}

int pod_verb_restart(Pod *pod, VerbCall *call)
{
    int r = refuse_doubt(pod, call);
    if (r >= 0)
        r = refuse_undefined(pod, call);
    if (r < 0)
        return r;
    pod->wanted.restart = alive(pod);
    want_started(pod);
    want_required(pod);
    return done(pod);
}

/* --- what the runner does ----------------------------------------------------------------------------------------- */

static int refuse_stopped(Pod *pod, VerbCall *call)
{
    if (request_possible(pod) || request_may_wait(pod))
        return 0;
    return refuse(call, "org.podvisor.Error.NotRunning",
                  strf("Pod \"%s\" is %s; this needs a running one.", pod->name,
                       enum_to_string(&pod_state_table, (int)pod->state)));
}

static int refuse_busy(const Pod *pod, int error, VerbCall *call)
{
    const char *why = error == -EBUSY ? "too many wait for its answer already" : strerror(-error);

    return refuse(call, "org.podvisor.Error.Timeout",
                  strf("The runner of pod \"%s\" takes no requests: %s.", pod->name, why));
}

static int ask_runner(Pod *pod, RunnerMessageType type, const void *body, int fd, usec_t timeout,
                      VerbCall *call)
{
    int r = runner_link_request(pod->link, type, body, fd, timeout, call->func, call->userdata);

    return r < 0 ? refuse_busy(pod, r, call) : 1;
}

/* One that is away for a moment is waited for. */
static int ask_live(Pod *pod, RunnerMessageType type, const ExecRequest *request, int fd, usec_t timeout,
                    VerbCall *call)
{
    int r = request_submit(pod, type, request, fd, timeout, call->func, call->userdata);

    return r < 0 ? refuse_busy(pod, r, call) : 1;
}

/* What is to stand still, or to go on, has to run first; an exec waits for that, since it is made for it. */
static int refuse_starting(Pod *pod, VerbCall *call)
{
    if (pod->state != POD_STARTING)
        return 0;
    return refuse(call, "org.podvisor.Error.WrongState",
                  strf("Pod \"%s\" is starting; this needs a running one.", pod->name));
}

static int ask_running(Pod *pod, RunnerMessageType type, VerbCall *call)
{
    int r = refuse_doubt(pod, call);
    if (r >= 0)
        r = refuse_stopped(pod, call);
    if (r >= 0)
        r = refuse_starting(pod, call);
    return r < 0 ? r : ask_live(pod, type, NULL, -1, PAUSE_TIMEOUT, call);
}

int pod_verb_pause(Pod *pod, VerbCall *call)
{
    return ask_running(pod, RUNNER_PAUSE, call);
}

int pod_verb_resume(Pod *pod, VerbCall *call)
{
    return ask_running(pod, RUNNER_RESUME, call);
}

/* The stream would be there, and nobody at its other end until the machine runs on. */
static int refuse_paused(Pod *pod, VerbCall *call)
{
    if (pod->state != POD_PAUSED)
        return 0;
    return refuse(
        call, "org.podvisor.Error.WrongState",
        strf("Pod \"%s\" is paused: nothing in it runs until `podvisor resume %s`.", pod->name, pod->name));
}

/* One that came before them; what adopts the machine after it is of now. */
static int refuse_old_runner(Pod *pod, Task task, VerbCall *call)
{
    if (task == TASK_PROGRAM || !pod->link || (task == TASK_ATTACH ? pod->link_attach : pod->link_tasks))
        return 0;
    return refuse(
        call, "org.podvisor.Error.Refused",
        strf("The runner of pod \"%s\" is of an older podvisor, which cannot %s; it can when process %d has "
             "been replaced, as by `podvisor restart %s`.",
             pod->name, task_table.rows[task].doc, (int)runner_link_pid(pod->link), pod->name));
}

int pod_verb_exec(Pod *pod, const ExecRequest *request, int fd, VerbCall *call)
{
    int r = refuse_doubt(pod, call);
    if (r >= 0)
        r = refuse_stopped(pod, call);
    if (r >= 0)
        r = refuse_paused(pod, call);
    if (r >= 0)
        r = refuse_old_runner(pod, request->task, call);
    if (r < 0)
        return r;
    if (task_is_of_container(request->task) && pod_container_find(&pod->running, request->container) < 0)
        return refuse(call, "org.podvisor.Error.NoSuchContainer",
                      strf("Pod \"%s\" has no container \"%s\".", pod->name, request->container));
    return ask_live(pod, RUNNER_EXEC, request, fd, EXEC_TIMEOUT, call);
}

/* --- out of doubt ------------------------------------------------------------------------------------------------- */

static int refuse_certain(Pod *pod, VerbCall *call)
{
    if (pod->state == POD_INDETERMINATE)
        return 0;
    return refuse(call, "org.podvisor.Error.WrongState",
                  strf("Pod \"%s\" is %s; this verb is for a pod that is indeterminate.", pod->name,
                       enum_to_string(&pod_state_table, (int)pod->state)));
}

/* A record as it would be, had it been kept: from the frozen definition, which has the identity and the token. */
static void record_from_frozen(Pod *pod, const RunDefinition *d)
{
    PodRecord *record = &pod->record;

    record->uuid = d->uuid;
    record->token = d->token;
    record->attempt = d->attempt;
    record->generation = MAX(record->generation, d->generation);
    pod_set_phase(pod, MACHINE_LIVE);
}

static int adopt_by_frozen(Pod *pod, VerbCall *call)
{
    Recovered r;

    int error = run_path_read(pod->supervisor->pods_dir, pod->name, &r);
    if (error < 0 || !r.has_definition) {
        char *message = strf(
            "The frozen definition of pod \"%s\" cannot be read, so nothing can prove to be its machine. "
            "End by hand what runs, then `podvisor forget %s`.",
            pod->name, pod->name);
        if (error >= 0)
            recovered_done(&r);
        return refuse(call, "org.podvisor.Error.Indeterminate", message);
    }
    record_from_frozen(pod, &r.definition);
    pod_set_doubt(pod, NULL);
    /* What runs is what was frozen; what is wanted stays. */
    if (!pod->has_running && schema_copy(&pod_schema, &r.definition.pod, &pod->running) == 0)
        pod->has_running = true;
    pod->running_generation = r.definition.generation;
    recovered_done(&r);
    return 0;
}

static int find_processes(Pod *pod, RunProcesses *ret)
{
    _cleanup_(freep) char *pods = strf("%s/" PATHS_PODS, pod->supervisor->paths->run);

    return pods ? run_processes_find(pods, ret) : -ENOMEM;
}

static void watch_found(Pod *pod)
{
    RunProcesses processes = { 0 };

    if (pod->observed.runner || find_processes(pod, &processes) < 0)
        return;
    ProcessId id = run_processes_of(&processes, pod->name, true);
    int pidfd = process_open(&id);
    if (pidfd >= 0 && pod_watch_runner(pod, &id, pidfd) < 0)
        pod_log(pod, LOG_ERR, 0, "%s: its runner cannot be watched", pod->name);
    run_processes_done(&processes);
}

int pod_verb_adopt(Pod *pod, VerbCall *call)
{
    int r = refuse_certain(pod, call);
    if (r < 0)
        return r;
    if (!pod->observed.doubt && pod->link)
        return ask_runner(pod, RUNNER_ADOPT, NULL, -1, VERB_TIMEOUT, call);
    if ((r = adopt_by_frozen(pod, call)) < 0)
        return r;
    watch_found(pod);
    pod->observed.losses = pod->observed.barren = 0;
    pod->observed.alone_since = now_usec(CLOCK_BOOTTIME);
    pod_set_state(pod, POD_EVENT_FOUND);
    pod_compare(pod);
    return done(pod);
}

static int refuse_processes(Pod *pod, VerbCall *call)
{
    RunProcesses processes = { 0 };

    int r = find_processes(pod, &processes);
    if (r < 0)
        return refuse(call, "org.podvisor.Error.Refused",
                      strf("The processes of this host cannot be looked at: %s.", strerror(-r)));
    ProcessId id = run_processes_of(&processes, pod->name, false);
    run_processes_done(&processes);
    if (id.pid == 0)
        return 0;
    return refuse(call, "org.podvisor.Error.Refused",
                  strf("Process %d belongs to the run path of pod \"%s\", so something runs. `podvisor adopt "
                       "%s`, or end it "
                       "by hand first.",
                       (int)id.pid, pod->name, pod->name));
}

int pod_verb_forget(Pod *pod, VerbCall *call)
{
    int r = refuse_certain(pod, call);
    if (r < 0)
        return r;
    if (!pod->observed.doubt && pod->link)
        return ask_runner(pod, RUNNER_FORGET, NULL, -1, VERB_TIMEOUT, call);
    if ((r = refuse_processes(pod, call)) < 0)
        return r;
    r = run_path_remove(pod->supervisor->pods_dir, pod->name);
    if (r == -EBUSY)
        return refuse(call, "org.podvisor.Error.Refused",
                      strf("The lock of pod \"%s\" is held, so something runs. `podvisor adopt %s`, or end "
                           "it by hand first.",
                           pod->name, pod->name));
    if (r < 0)
        return refuse(call, "org.podvisor.Error.Refused",
                      strf("The run path of pod \"%s\" cannot be removed: %s.", pod->name, strerror(-r)));
    pod_set_doubt(pod, NULL);
    pod_set_phase(pod, MACHINE_NONE);
    pod->record.token = (Id128){ 0 };
    pod->record.runner_pid = 0;
    schema_done(&runner_report_schema, &pod->report);
    pod_due(pod);
    return 0;
}
