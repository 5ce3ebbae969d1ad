/* SPDX-License-Identifier: Apache-2.0 */
/* The facts about a pod: how they come in. */
#include "base/strings.h"
#include "supervisor/introduction.h"
#include "supervisor/networks.h"
#include "supervisor/pod-files.h"
#include "supervisor/pod-live.h"
#include "supervisor/pod-order.h"
#include "supervisor/supervisor.h"
#include "supervisor/volume-make.h"

/* A runner that was linked for so long did not die of what the one before it died of. */
#define RUNNER_STABLE_AFTER (10 * USEC_PER_SEC)

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
    pod_due(userdata);
    return 0;
}

int pod_new(Pod **ret, Supervisor *supervisor, const char *name)
{
    _cleanup_(pod_freep) Pod *pod = calloc(1, sizeof *pod);

    if (!pod)
        return -ENOMEM;
    pod->supervisor = supervisor;
    pod->runner_pidfd = -1;
    TAILQ_INIT(&pod->requests);
    pod->rule = RULE_MAX;
    pod->wanted.all_end = supervisor->all_end;
    int r = schema_init(&pod_record_schema, &pod->record);
    if (r < 0)
        return r;
    if (!(pod->name = strdup(name)) || !(pod->record.name = strdup(name)))
        return -ENOMEM;
    pod->record.since = now_usec(CLOCK_REALTIME);
    r = sd_event_add_time(supervisor->event, &pod->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_timer, pod);
    if (r < 0)
        return r;
    (void)sd_event_source_set_enabled(pod->timer, SD_EVENT_OFF);
    (void)sd_event_source_set_description(pod->timer, "pod-wake");
    *ret = take_ptr(pod);
    return 0;
}

Pod *pod_free(Pod *pod)
{
    if (!pod)
        return NULL;
    image_wait_forget(pod);
    volume_make_forget(pod);
    pod_files_forget(pod);
    strv_free(pod->copied);
    request_queue_fail(pod, -ENOTCONN, "The pod is gone.");
    pod_drop_visitor(pod);
    pod_drop_link(pod);
    sd_event_source_disable_unref(pod->timer);
    sd_event_source_disable_unref(pod->runner_source);
    safe_close(pod->runner_pidfd);
    schema_done(&pod_record_schema, &pod->record);
    schema_done(&runner_report_schema, &pod->report);
    schema_done(&pod_status_schema, &pod->status);
    if (pod->wanted.defined)
        pod_definition_done(&pod->definition);
    if (pod->has_running)
        pod_definition_done(&pod->running);
    strv_free(pod->errors);
    strv_free(pod->pending);
    strv_free(pod->live_changes);
    free(pod->doubt);
    free(pod->told);
    free(pod->name);
    free(pod);
    return NULL;
}

void pod_due(Pod *pod)
{
    pod->status_built = false;
    supervisor_due(pod->supervisor, pod);
    pod_order_update(pod);
}

void pod_set_phase(Pod *pod, MachinePhase phase)
{
    pod->record.phase = phase;
    pod->observed.phase = phase;
}

void pod_set_doubt(Pod *pod, const char *why)
{
    pod->observed.doubt = why != NULL;
    (void)str_replace(&pod->doubt, why);
}

/* --- the definition ----------------------------------------------------------------------------------------------- */

static void add_pending(void *userdata, const char *path, const Field *field, const char *before,
                        const char *after)
{
    Pod *pod = userdata;

    if (field->impact > IMPACT_NONE)
        (void)strv_appendf(&pod->pending, "%s %s -> %s", path, before ?: "(none)", after ?: "(none)");
}

void pod_compare(Pod *pod)
{
    bool alive = reconcile_alive(&pod->observed);
    int impact = IMPACT_NONE;

    pod->pending = strv_free(pod->pending);
    if (alive && pod->has_running && pod->wanted.defined)
        impact = schema_diff(&pod_schema, &pod->running, &pod->definition, add_pending, pod, NULL);
    pod->wanted.replace = impact > IMPACT_LIVE;
    pod->live_due = impact == IMPACT_LIVE;
}

/* Whether a new definition is a reason to try again what has ended or failed. */
static bool worth_a_start(const Pod *pod, const PodDefinition *definition)
{
    return pod->wanted.defined &&
           schema_diff(&pod_schema, &pod->definition, definition, NULL, NULL, NULL) > IMPACT_NONE;
}

void pod_forget_failures(Pod *pod)
{
    pod->record.failures = 0;
    pod->record.restarts = 0;
    pod->record.next_start = 0;
    pod->observed.next_start = 0;
    pod->volume_error = (free(pod->volume_error), NULL);
    image_wait_hurry(pod);
    if (pod->observed.phase == MACHINE_ENDED)
        pod_set_phase(pod, MACHINE_NONE);
}

/* The policy and what else is about the definition alone. */
static void take_settings(Pod *pod)
{
    pod->wanted.autostart = pod->definition.autostart;
    pod->wanted.policy = pod->definition.restart.policy;
}

static int take_definition(Pod *pod, const Definition *d)
{
    PodDefinition copy;
    bool again = worth_a_start(pod, &d->pod), known = streq_ptr(pod->record.definition, d->digest);

    int r = schema_copy(&pod_schema, &d->pod, &copy);
    if (r < 0)
        return r;
    if (pod->wanted.defined)
        pod_definition_done(&pod->definition);
    pod->definition = copy;
    pod->wanted.defined = true;
    memcpy(pod->digest, d->digest, sizeof pod->digest);
    take_settings(pod);
    if (known)
        return 0;
    pod->record.generation++;
    pod->start = (StartTimes){ .at[START_SEEN] = pod->supervisor->definitions_heard };
    start_mark(&pod->start, START_READ);
    if (again)
        pod_forget_failures(pod);
    /* What was made for a start was made as the one before had it. */
    volume_make_forget(pod);
    pod->copied = strv_free(pod->copied);
    (void)str_replace(&pod->record.definition, d->digest);
    pod_log_event(pod, EVENT_DEFINITION_CHANGED, 0, "%s: generation %llu of its definition is taken over",
                  pod->name, (unsigned long long)pod->record.generation);
    /* A pod that nothing was remembered of needs no run path for this. */
    return pod->record.attempt > 0 || pod->record.hold ? pod_save(pod) : 0;
}

static void take_errors(Pod *pod, char **errors)
{
    if (strv_equal(pod->errors, errors))
        return;
    strv_free(pod->errors);
    pod->errors = strv_copy(errors);
    STRV_FOREACH (error, pod->errors)
        pod_log_event(pod, EVENT_DEFINITION_BAD, 0, "%s: %s", pod->name, *error);
}

void pod_set_definition(Pod *pod, const Definition *d)
{
    pod->wanted.declared = d->declared;
    (void)str_replace(&pod->record.file, d->file);
    take_errors(pod, d->errors);
    if (d->declared && d->defined && (!pod->wanted.defined || !streq(pod->digest, d->digest))) {
        int r = take_definition(pod, d);
        if (r == -ENOMEM)
            pod_log(pod, LOG_ERR, r, "%s: its definition could not be taken over", pod->name);
    }
    if (d->declared && d->defined)
        pod_order_say(pod, &d->pod, d->lines);
    pod_compare(pod);
    pod_due(pod);
}

/* --- the runner's process ----------------------------------------------------------------------------------------- */

static void log_runner_end(Pod *pod, int code, int status, int error)
{
    static const char format[] = "%s: its runner %s %d";

    if (error < 0)
        pod_log(pod, LOG_DEBUG, 0, "%s: its runner ended", pod->name);
    else
        pod_log(pod, code == CLD_EXITED && status == 0 ? LOG_DEBUG : LOG_WARNING, 0, format, pod->name,
                code == CLD_EXITED ? "exited with status" : "was killed by signal", status);
}

static void count_loss(Pod *pod)
{
    PodObserved *o = &pod->observed;
    usec_t now = now_usec(CLOCK_BOOTTIME);

    if (pod->link && usec_sub(now, pod->linked_since) >= RUNNER_STABLE_AFTER)
        o->losses = 0;
    o->losses++;
    o->barren = o->reported && o->state != RUNNER_ADOPTING ? 0 : o->barren + 1;
    o->alone_since = now;
}

static int on_runner_end(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
    Pod *pod = userdata;
    int code = 0, status = 0;
    bool alive = reconcile_alive(&pod->observed);

    int r = pod->supervisor->launcher->ops->reap(pod->supervisor->launcher, fd, &code, &status);
    log_runner_end(pod, code, status, r);
    pod->runner_source = sd_event_source_disable_unref(pod->runner_source);
    pod->runner_pidfd = safe_close(pod->runner_pidfd);
    pod->observed.runner = false;
    /* Its last words may still be unread: the link tells them, and its end, by itself. */
    if (alive && !(pod->observed.reported && pod->observed.state == RUNNER_ENDED)) {
        count_loss(pod);
        pod_log_event(pod, EVENT_RUNNER_LOST, 0, "%s: its runner is gone, its machine may live", pod->name);
    }
    pod->record.runner_pid = 0;
    pod_due(pod);
    return 0;
}

int pod_watch_runner(Pod *pod, const ProcessId *id, int pidfd)
{
    pod->runner_source = sd_event_source_disable_unref(pod->runner_source);
    safe_close(pod->runner_pidfd);
    pod->runner_pidfd = pidfd;
    pod->observed.runner = true;
    pod->observed.launching = pod->fresh = false;
    pod->record.runner_pid = (uint64_t)id->pid;
    pod->record.runner_start_time = id->start_time;
    int r = sd_event_add_io(pod->supervisor->event, &pod->runner_source, pidfd, EPOLLIN, on_runner_end, pod);
    if (r >= 0)
        (void)sd_event_source_set_description(pod->runner_source, "runner-process");
    return r;
}

/* --- the link ------------------------------------------------------------------------------------------------------ */

void pod_drop_link(Pod *pod)
{
    RunnerLink *link = take_ptr(pod->link);

    pod->observed.linked = false;
    pod->observed.reported = false;
    pod->in_flight.told = false;
    runner_link_free(link);
}

static const char *check_hello(Pod *pod, RunnerLink *link, const RunnerHello *hello)
{
    const PodRecord *record = &pod->record;

    if (pod->observed.phase == MACHINE_NONE || hello->attempt != record->attempt ||
        !id128_equal(hello->uuid, record->uuid))
        return "its machine is not the pod's present one";
    if (id128_is_null(record->token) || !id128_equal(hello->token, record->token))
        return "its token is wrong";
    if (pod->link && !runner_link_hung_up(pod->link) && runner_link_pid(pod->link) != runner_link_pid(link))
        return "the pod has another runner";
    return NULL;
}

/* A runner whose number is not recorded: podvisord ended between launching it and recording that. */
static int identify_runner(Pod *pod, RunnerLink *link)
{
    ProcessId id;

    if (pod->observed.runner)
        return 0;
    int r = process_identify(runner_link_pid(link), &id);
    int pidfd = r < 0 ? r : process_open(&id);
    return pidfd < 0 ? pidfd : pod_watch_runner(pod, &id, pidfd);
}

/* NULL and it is taken, or why not. */
static const char *take_runner(Pod *pod, RunnerLink *link, const RunnerHello *hello)
{
    const char *why = check_hello(pod, link, hello);

    if (why)
        return why;
    if (identify_runner(pod, link) < 0)
        return "its process cannot be watched";
    pod_drop_link(pod);
    runner_link_bind(link, pod);
    pod->link = link;
    pod->linked_since = now_usec(CLOCK_BOOTTIME);
    pod->link_tasks = hello->tasks;
    pod->link_attach = hello->attach;
    pod->link_limits = hello->limits;
    pod->link_hosts = hello->hosts;
    pod->link_generation = hello->generation;
    pod->observed.linked = true;
    pod->observed.alone_since = pod->linked_since;
    /* podvisord had ended between launching the runner and recording that. */
    if (pod->observed.phase == MACHINE_LAUNCHING) {
        pod_set_phase(pod, MACHINE_LIVE);
        (void)pod_save(pod);
    }
    /* Of an ended machine: its runner had not heard that this is recorded. */
    if (pod->observed.phase == MACHINE_ENDED)
        (void)runner_link_send(link, RUNNER_BYE, NULL, -1);
    pod_due(pod);
    return NULL;
}

static const char *on_hello(void *userdata, RunnerLink *link, const RunnerHello *hello)
{
    Pod *pod = hello->name ? supervisor_find(userdata, hello->name) : NULL;

    return pod ? take_runner(pod, link, hello) : "there is no such pod";
}

static const char *on_introduction(void *userdata, RunnerLink *link, const RunnerIntroduction *introduction)
{
    Pod *pod = introduction->name ? supervisor_find(userdata, introduction->name) : NULL;

    return pod ? pod_introduce(pod, link)
               : "no pod of this name is declared (`podvisor list` shows those that are)";
}

static void on_report(void *owner, RunnerReport *report)
{
    Pod *pod = owner;
    bool first = !pod->observed.reported;

    if (pod->observed.phase == MACHINE_ENDED || pod->observed.phase == MACHINE_NONE)
        return;
    pod->observed.reported = true;
    pod->observed.state = report->state;
    pod_due(pod);
    /* One that has yet to look knows less than what the one before it said. */
    if (report->state == RUNNER_ADOPTING && pod->report.vmm_pid > 0)
        return;
    if (!first)
        pod_tell_oom(pod, &pod->report, report);
    schema_done(&runner_report_schema, &pod->report);
    pod->report = take_struct(*report);
    pod->record.verdict = pod->report.verdict;
    pod->wanted.restart |= pod->report.restart_asked;
    if (pod->report.state != RUNNER_ADOPTING)
        pod->observed.barren = 0;
    pod->files_due |= first;
    pod->limits_due |= first;
    pod->hosts_due |= first && pod->network;
    pod_live_note(pod);
    if (first && pod->state == POD_RECOVERING)
        pod_log_event(pod, EVENT_ADOPTED, 0, "%s: its runner is back: %s", pod->name,
                      enum_to_string(&runner_state_table, (int)pod->report.state));
}

static void on_lost(void *owner, RunnerLink *link, int error)
{
    Pod *pod = owner;

    if (link == pod->visitor) {
        pod_visitor_lost(pod);
        return;
    }
    pod_log(pod, LOG_DEBUG, error, "%s: the link to its runner ended", pod->name);
    /* The link frees itself after this. */
    pod->link = NULL;
    pod->observed.alone_since = now_usec(CLOCK_BOOTTIME);
    pod_drop_link(pod);
    pod_due(pod);
}

const RunnerLinkOps pod_link_ops = {
    .hello = on_hello,
    .introduce = on_introduction,
    .report = on_report,
    .lost = on_lost,
};

/* --- after a restart of podvisord --------------------------------------------------------------------------------- */

static void recover_record(Pod *pod, Recovered *r)
{
    if (!r->has_record)
        return;
    schema_done(&pod_record_schema, &pod->record);
    pod->record = r->record;
    r->has_record = false;
    (void)str_replace(&pod->record.name, pod->name);
    pod_set_phase(pod, pod->record.phase);
    pod->wanted.hold = pod->record.hold;
    pod->wanted.asked = pod->record.asked;
    pod->observed.as_asked = pod->record.as_asked;
    pod->observed.succeeded = pod->record.succeeded;
    pod->observed.next_start = pod->record.next_start;
}

static void recover_definition(Pod *pod, Recovered *r)
{
    if (!r->has_definition)
        return;
    if (schema_copy(&pod_schema, &r->definition.pod, &pod->running) == 0)
        pod->has_running = true;
    pod->running_generation = r->definition.generation;
    if (schema_copy(&pod_schema, &r->definition.pod, &pod->definition) < 0)
        return;
    pod->wanted.defined = true;
    (void)definition_digest(&pod->definition, pod->digest);
    take_settings(pod);
    pod_order_say(pod, &pod->definition, (PodLines){ 0 });
}

/* The recorded process, or the one that was found: podvisord may have ended before it recorded that. */
static void recover_runner(Pod *pod, const ProcessId *found)
{
    ProcessId id = { .pid = (pid_t)pod->record.runner_pid, .start_time = pod->record.runner_start_time };

    int pidfd = id128_boot(&id.boot) < 0 ? -ESRCH : process_open(&id);
    if (pidfd < 0) {
        id = *found;
        pidfd = process_open(&id);
    }
    pod->record.runner_pid = 0;
    if (pidfd >= 0 && pod_watch_runner(pod, &id, pidfd) < 0)
        pod_log(pod, LOG_ERR, 0, "%s: its runner cannot be watched", pod->name);
}

void pod_recover(Pod *pod, Recovered *r, const ProcessId *runner)
{
    recover_record(pod, r);
    recover_definition(pod, r);
    pod->observed.alone_since = now_usec(CLOCK_BOOTTIME);
    if (r->verdict == RUN_PATH_DOUBT) {
        pod_set_doubt(pod, r->why);
        return;
    }
    if (r->verdict == RUN_PATH_NOT_STARTED)
        pod_set_phase(pod, MACHINE_NONE);
    if (r->verdict == RUN_PATH_ALIVE)
        pod_set_state(pod, POD_EVENT_FOUND);
    if (reconcile_alive(&pod->observed))
        networks_join(pod);
    if (pod->observed.phase != MACHINE_NONE)
        recover_runner(pod, runner);
    if (pod->observed.phase == MACHINE_ENDED && pod->observed.runner)
        pod->in_flight =
            (PodInFlight){ .operation = OPERATION_LEAVE,
                           .deadline = usec_add(pod->observed.alone_since, RUNNER_LEAVE_TIMEOUT) };
}
