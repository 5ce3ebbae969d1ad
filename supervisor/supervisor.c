/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/strings.h"
#include "schemas/bus-address.h"
#include "supervisor/bus.h"
#include "supervisor/introduction.h"
#include "supervisor/networks.h"
#include "supervisor/pod-order.h"
#include "supervisor/run-path.h"
#include "supervisor/supervisor.h"
#include "supervisor/templates.h"
#include "supervisor/unit.h"
#include "supervisor/volume-sweep.h"

#define UNSAVED_RETRY (1 * USEC_PER_SEC)
#define LOCK_PATIENCE (2 * USEC_PER_SEC)

/* --- pods by name ------------------------------------------------------------------------------------------------- */

static size_t position(const Supervisor *s, const char *name, bool *ret_found)
{
    size_t low = 0, high = s->n_pods;

    *ret_found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, s->pods[middle]->name);
        if (order == 0)
            *ret_found = true;
        if (order <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

Pod *supervisor_find(Supervisor *s, const char *name)
{
    bool found;
    size_t i = position(s, name, &found);
    return found ? s->pods[i] : NULL;
}

/* The pod of this name, made if need be; NULL: no memory. */
static Pod *get_pod(Supervisor *s, const char *name)
{
    bool found;
    size_t i = position(s, name, &found);
    Pod *pod;

    if (found)
        return s->pods[i];
    Pod **longer = reallocarray(s->pods, s->n_pods + 1, sizeof *longer);
    if (!longer)
        return NULL;
    s->pods = longer;
    if (pod_new(&pod, s, name) < 0)
        return NULL;
    memmove(s->pods + i + 1, s->pods + i, (s->n_pods - i) * sizeof *s->pods);
    s->n_pods++;
    s->pods[i] = pod;
    notify_pod(s->notify, pod);
    bus_pod_added(s->bus, pod);
    return pod;
}

void supervisor_remove(Supervisor *s, Pod *pod)
{
    bool found;
    size_t i = position(s, pod->name, &found);

    assert(found && s->pods[i] == pod);
    pod_order_forget(pod);
    supervisor_unqueue(s, pod);
    supervisor_unsaved(s, pod, false);
    if (pod->due)
        TAILQ_REMOVE(&s->due, pod, due_entry);
    memmove(s->pods + i, s->pods + i + 1, (s->n_pods - i - 1) * sizeof *s->pods);
    s->n_pods--;
    notify_pod_gone(s->notify, pod);
    machined_pod_gone(s->machined, pod);
    bus_pod_removed(s->bus, pod);
    networks_leave(pod);
    networks_forget(s->networks, pod->name);
    pod_free(pod);
}

/* --- turns -------------------------------------------------------------------------------------------------------- */

void supervisor_due(Supervisor *s, Pod *pod)
{
    if (pod->due)
        return;
    pod->due = true;
    TAILQ_INSERT_TAIL(&s->due, pod, due_entry);
    (void)sd_event_source_set_enabled(s->due_source, SD_EVENT_ON);
}

/* One pod a turn, behind all that comes from outside, so that a thousand due pods keep nobody waiting. */
static int on_due(sd_event_source *source, void *userdata)
{
    Supervisor *s = userdata;
    Pod *pod = TAILQ_FIRST(&s->due);

    if (!pod) {
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        supervisor_look_for_end(s);
        return 0;
    }
    TAILQ_REMOVE(&s->due, pod, due_entry);
    pod->due = false;
    if (pod_reconcile(pod)) {
        notify_pod(s->notify, pod);
        machined_pod(s->machined, pod);
        bus_pod_changed(s->bus, pod);
    }
    return 0;
}

static void grant_turns(Supervisor *s)
{
    Pod *pod;

    while (s->starts < s->max_starts && (pod = TAILQ_FIRST(&s->queue))) {
        TAILQ_REMOVE(&s->queue, pod, queue_entry);
        pod->queued = false;
        pod->in_flight.slot = true;
        s->starts++;
        pod_due(pod);
    }
}

void supervisor_queue(Supervisor *s, Pod *pod)
{
    if (pod->queued || pod->in_flight.slot)
        return;
    pod->queued = true;
    TAILQ_INSERT_TAIL(&s->queue, pod, queue_entry);
    grant_turns(s);
}

void supervisor_unqueue(Supervisor *s, Pod *pod)
{
    if (pod->queued)
        TAILQ_REMOVE(&s->queue, pod, queue_entry);
    if (pod->in_flight.slot)
        s->starts--;
    pod->queued = pod->in_flight.slot = false;
    grant_turns(s);
}

/* --- records that could not be written ---------------------------------------------------------------------------- */

void supervisor_unsaved(Supervisor *s, Pod *pod, bool unsaved)
{
    if (pod->unsaved == unsaved)
        return;
    pod->unsaved = unsaved;
    if (!unsaved) {
        TAILQ_REMOVE(&s->unsaved, pod, unsaved_entry);
        return;
    }
    if (TAILQ_EMPTY(&s->unsaved)) {
        (void)sd_event_source_set_time_relative(s->unsaved_timer, UNSAVED_RETRY);
        (void)sd_event_source_set_enabled(s->unsaved_timer, SD_EVENT_ONESHOT);
    }
    TAILQ_INSERT_TAIL(&s->unsaved, pod, unsaved_entry);
}

static int on_unsaved(sd_event_source *source, uint64_t usec, void *userdata)
{
    Supervisor *s = userdata;
    Pod *pod;

    while ((pod = TAILQ_FIRST(&s->unsaved))) {
        if (pod_save(pod) < 0)
            break;
        pod_due(pod);
    }
    if (pod) {
        (void)sd_event_source_set_time_relative(source, UNSAVED_RETRY);
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    }
    return 0;
}

/* --- definitions --------------------------------------------------------------------------------------------------- */

static void on_definition(void *userdata, const Definition *definition)
{
    Pod *pod = get_pod(userdata, definition->name);

    if (pod)
        pod_set_definition(pod, definition);
    else
        log_error("%s: its definition is lost: out of memory", definition->name);
}

static void on_watch(void *userdata, const char *name)
{
    Supervisor *s = userdata;

    s->definitions_heard = watch_heard(s->watch);
    /* Networks first: a pod may come with one. */
    int r = name ? networks_scan_file(s->networks, name) : networks_scan(s->networks);
    if (r >= 0)
        r = name ? definitions_scan_file(s->definitions, name) : definitions_scan(s->definitions);
    if (r < 0)
        log_error_errno(r, "The definitions cannot be read");
}

int supervisor_reload(Supervisor *s, char ***ret_errors)
{
    s->definitions_heard = now_usec(CLOCK_MONOTONIC);
    int r = networks_scan(s->networks);
    if (r >= 0)
        r = definitions_scan(s->definitions);
    if (r < 0)
        return r;
    *ret_errors = definitions_errors(s->definitions);
    _cleanup_(strv_freep) char **networks = networks_errors(s->networks);
    STRV_FOREACH (error, networks)
        if ((r = strv_append(ret_errors, *error)) < 0)
            return r;
    return 0;
}

static int definitions_start(Supervisor *s)
{
    int r = definitions_new(&s->definitions, DEFINITION_POD, s->paths->definitions,
                            s->paths->mode == PATHS_SYSTEM, on_definition, s);
    if (r >= 0)
        definitions_allow(s->definitions, (AbilitySettings){ .libvirt_xml = s->config->libvirt_xml });
    for (size_t i = 0; r >= 0 && i < s->n_pods; i++) {
        Pod *pod = s->pods[i];
        r = definitions_know(s->definitions, pod->name, pod->record.file,
                             pod->wanted.defined ? &pod->definition : NULL);
    }
    if (r >= 0)
        r = image_wait_new(&s->image_wait, s);
    if (r >= 0)
        r = file_watch_new(&s->file_watch, s);
    if (r >= 0)
        r = image_pulls_new(&s->image_pulls, s);
    /* Watched first and read then, so that nothing falls between. */
    if (r >= 0)
        r = watch_new(&s->watch, s->event, s->paths->definitions, on_watch, s);
    s->definitions_heard = now_usec(CLOCK_MONOTONIC);
    if (r >= 0)
        r = definitions_scan(s->definitions);
    if (r >= 0)
        r = networks_start(s->networks);
    if (r < 0)
        return r;
    _cleanup_(strv_freep) char **errors = definitions_errors(s->definitions);
    STRV_FOREACH (error, errors)
        log_error("%s", *error);
    return 0;
}

/* --- what an earlier podvisord left -------------------------------------------------------------------------------- */

static int recover(Supervisor *s, const char *name, const RunProcesses *processes)
{
    Recovered recovered;

    int r = run_path_read(s->pods_dir, name, &recovered);
    if (r < 0)
        return r;
    if (recovered.verdict == RUN_PATH_NOTHING || recovered.verdict == RUN_PATH_STALE) {
        log_debug("The run path of \"%s\" is removed: %s", name, recovered.why);
        r = run_path_remove(s->pods_dir, name);
        if (r < 0)
            log_error_errno(r, "The run path of \"%s\", which nothing can need any more, cannot be removed",
                            name);
    } else {
        Pod *pod = get_pod(s, name);
        ProcessId runner = run_processes_of(processes, name, true);
        if (pod) {
            pod_recover(pod, &recovered, &runner);
            notify_pod(s->notify, pod);
        }
        r = pod ? 0 : -ENOMEM;
    }
    recovered_done(&recovered);
    return r;
}

static int recover_all(Supervisor *s)
{
    _cleanup_(freep) char *path = strf("%s/" PATHS_PODS, s->paths->run);
    _cleanup_(closedirp) DIR *d = path ? opendir(path) : NULL;
    RunProcesses processes = { 0 };

    if (!d)
        return path ? -errno : -ENOMEM;
    int r = run_processes_find(path, &processes);
    for (struct dirent *e; r >= 0 && (e = readdir(d));) {
        _cleanup_(freep) char *file = strf("%s.pod", e->d_name);
        _cleanup_(freep) char *name = file ? pod_name_from_file(file) : NULL;
        if (name && recover(s, name, &processes) == -ENOMEM)
            r = -ENOMEM;
    }
    run_processes_done(&processes);
    return r;
}

/* --- start --------------------------------------------------------------------------------------------------------- */

static int open_directory(const char *path)
{
    int r = dir_make_path(path, 0700);
    return r < 0 ? r : dir_open_at(AT_FDCWD, path);
}

static int open_directories(Supervisor *s)
{
    if ((s->run_dir = open_directory(s->paths->run)) < 0)
        return log_error_errno(s->run_dir, "The run directory %s cannot be used", s->paths->run);
    if ((s->pods_dir = dir_make_at(s->run_dir, PATHS_PODS, 0700)) < 0)
        return log_error_errno(s->pods_dir, "%s/" PATHS_PODS " cannot be used", s->paths->run);
    if ((s->state_dir = open_directory(s->paths->state)) < 0)
        return log_error_errno(s->state_dir, "The state directory %s cannot be used", s->paths->state);
    _cleanup_(closep) int log = dir_make_at(s->state_dir, PATHS_LOG, 0700);
    return log < 0 ? log_error_errno(log, "%s/" PATHS_LOG " cannot be used", s->paths->state) : 0;
}

/*
 * One that was just killed holds its lock until the kernel has taken it apart, which a restart at once would meet; so a lock
 * that is held is waited for, for a moment. Nothing else is going on yet that this could hold up.
 */
static int take_lock(Supervisor *s)
{
    s->lock = file_open_at(s->run_dir, PATHS_LOCK, O_RDWR | O_CREAT, 0600);
    if (s->lock < 0)
        return log_error_errno(s->lock, "%s/" PATHS_LOCK " cannot be opened", s->paths->run);
    int r = file_lock(s->lock, LOCK_EX, LOCK_PATIENCE);
    if (r == -EWOULDBLOCK) {
        log_error("Another podvisord already works in %s", s->paths->run);
        return -EBUSY;
    }
    return r < 0 ? log_error_errno(r, "%s/" PATHS_LOCK " cannot be locked", s->paths->run) : 0;
}

static void on_runner(void *userdata, int fd, pid_t pid)
{
    Supervisor *s = userdata;
    int r = runner_link_new(s->event, fd, pid, &pod_link_ops, s);

    if (r < 0)
        log_error_errno(r, "A runner's connection could not be taken");
}

static int add_sources(Supervisor *s)
{
    int r = sd_event_add_defer(s->event, &s->due_source, on_due, s);
    if (r >= 0)
        r = sd_event_source_set_priority(s->due_source, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->due_source, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_time(s->event, &s->unsaved_timer, CLOCK_MONOTONIC, 0, 0, on_unsaved, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->unsaved_timer, SD_EVENT_OFF);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(s->due_source, "due-pods");
    (void)sd_event_source_set_description(s->unsaved_timer, "unsaved-records");
    return 0;
}

static int connect_bus(Supervisor *s)
{
    _cleanup_(freep) char *address = NULL;

    int r = bus_address(s->paths, s->config, &address);
    return r < 0 ? r : system_bus_new(&s->system_bus, s->event, address);
}

static void on_launch_failed(void *userdata, const char *name, int error, const char *message)
{
    Pod *pod = supervisor_find(userdata, name);

    if (pod)
        pod_launch_failed(pod, error, message);
}

static bool launches_units(const Supervisor *s)
{
    if (s->config->launcher != LAUNCHER_AUTO)
        return s->config->launcher == LAUNCHER_SYSTEMD;
    return s->paths->mode == PATHS_SYSTEM && s->system_bus && sd_booted() > 0;
}

/* systemd starts such units all the same, and does not say that it cannot hold them to their limits. */
static void tell_missing_controllers(void)
{
    static const struct {
        const char *controller, *limits;
    } rows[] = {
        { "memory", "the memory that a pod takes is not limited by its unit (MemoryMax=)" },
        { "cpu", "the processors that a pod takes are not limited by its unit (CPUQuota=)" },
    };

    TABLE_FOREACH (row, rows)
        if (!unit_has_controller("/sys/fs/cgroup", row->controller))
            log_warning("This host's control groups have no controller \"%s\": %s", row->controller,
                        row->limits);
}

static int launcher_start(Supervisor *s)
{
    s->units = launches_units(s);
    templates_check(s);
    if (!s->units)
        return launcher_direct_new(&s->launcher);
    if (s->paths->mode != PATHS_SYSTEM || !s->system_bus)
        return log_full(LOG_ERR, -EINVAL, NULL,
                        "launcher = \"systemd\" is for the system's own podvisord, with its message bus");
    /* Each pod's user gets through to its own run path, and sees no other; runners watch for the socket of a new podvisord. */
    if (fchmod(s->run_dir, 0755) < 0 || fchmod(s->pods_dir, 0711) < 0)
        return log_error_errno(-errno, "%s cannot be opened to the pods' users", s->paths->run);
    tell_missing_controllers();
    return launcher_systemd_new(&s->launcher, s->system_bus, on_launch_failed, s);
}

static int listen_to_runners(Supervisor *s)
{
    int r = listener_new(&s->runners, s->event, s->run_dir, PATHS_RUNNERS, SOCK_SEQPACKET, on_runner, s);

    return r < 0 || !s->units ? r : listener_open(s->runners, s->run_dir, PATHS_RUNNERS, peer_is_of_a_pod);
}

/* Without it podvisord works all the same. */
static void open_events(Supervisor *s)
{
    _cleanup_(freep) char *path = strf("%s/" PATHS_EVENTS, s->paths->state);

    if (s->log_target == LOG_TARGET_JOURNAL)
        return;
    _cleanup_(closep) int dir = dir_make_at(s->state_dir, PATHS_EVENTS, 0700);
    int r = dir < 0 ? dir : path ? log_file_open(path, EVENTS_FILE, EVENTS_SIZE, &s->events) : -ENOMEM;
    if (r < 0)
        log_warning_errno(r, "%s/" PATHS_EVENTS " cannot be used: events are in podvisord's messages only",
                          s->paths->state);
}

static int settle(Supervisor *s)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    s->max_starts =
        s->config->max_starts > 0 ? (unsigned)s->config->max_starts : (unsigned)MAX(processors, 1);
    s->log_target = log_target_choose(s->config->log_target, s->paths->mode, journal_is_there());
    open_events(s);
    s->runners_path = strf("%s/" PATHS_RUNNERS, s->paths->run);
    s->log_dir = strf("%s/" PATHS_LOG, s->paths->state);
    return s->runners_path && s->log_dir ? launcher_start(s) : -ENOMEM;
}

static bool exists(const char *directory)
{
    return access(directory, F_OK) == 0;
}

/* What this podvisord works on, and with how much. */
static void log_start(const Supervisor *s)
{
    _cleanup_(freep) char *definitions = strv_join(s->paths->definitions, ", ");
    size_t declared = 0, alive = 0;
    bool any = false;

    for (size_t i = 0; i < s->n_pods; i++) {
        declared += s->pods[i]->wanted.declared;
        alive += reconcile_alive(&s->pods[i]->observed);
    }
    STRV_FOREACH (directory, s->paths->definitions)
        any |= exists(*directory);
    log_info("podvisord " PODVISOR_VERSION
             ": %zu declared in %s; %zu that may run adopted from %s; images and logs in %s",
             declared, definitions ?: "?", alive, s->paths->run, s->paths->state);
    if (!any)
        log_notice("There is no directory of definitions: pods are declared once there is %s",
                   definitions ?: "one");
}

int supervisor_new(Supervisor **ret, sd_event *event, const Paths *paths, const DaemonConfig *config)
{
    _cleanup_(supervisor_freep) Supervisor *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    *s = (Supervisor){ .paths = paths,
                       .config = config,
                       .event = sd_event_ref(event),
                       .run_dir = -1,
                       .pods_dir = -1,
                       .state_dir = -1,
                       .lock = -1 };
    TAILQ_INIT(&s->due);
    TAILQ_INIT(&s->queue);
    TAILQ_INIT(&s->unsaved);
    int r = notify_new(&s->notify, event);
    if (r >= 0)
        r = order_new(&s->order, pod_order_cycle, s);
    if (r >= 0)
        r = open_directories(s);
    if (r >= 0)
        r = take_lock(s);
    if (r >= 0)
        r = connect_bus(s);
    if (r >= 0)
        r = settle(s);
    if (r >= 0)
        r = add_sources(s);
    if (r >= 0)
        r = machined_new(&s->machined, s);
    if (r >= 0)
        r = networks_new(&s->networks, s);
    if (r >= 0)
        r = recover_all(s);
    if (r >= 0)
        volume_sweep_all(s);
    if (r >= 0)
        r = definitions_start(s);
    if (r >= 0)
        r = listen_to_runners(s);
    if (r >= 0)
        r = bus_new(&s->bus, s);
    if (r >= 0)
        r = inhibitor_new(&s->inhibitor, s);
    if (r < 0)
        return r;
    log_start(s);
    *ret = take_ptr(s);
    return 0;
}

Supervisor *supervisor_free(Supervisor *s)
{
    if (!s)
        return NULL;
    s->bus = bus_free(s->bus);
    s->machined = machined_free(s->machined);
    for (size_t i = 0; i < s->n_pods; i++)
        pod_free(s->pods[i]);
    free(s->pods);
    networks_free(s->networks);
    order_free(s->order);
    inhibitor_free(s->inhibitor);
    listener_free(s->runners);
    image_wait_free(s->image_wait);
    file_watch_free(s->file_watch);
    image_pulls_free(s->image_pulls);
    watch_free(s->watch);
    definitions_free(s->definitions);
    launcher_free(s->launcher);
    system_bus_free(s->system_bus);
    notify_free(s->notify);
    sd_event_source_disable_unref(s->due_source);
    sd_event_source_disable_unref(s->unsaved_timer);
    free(s->runners_path);
    free(s->log_dir);
    log_file_free(s->events);
    safe_close(s->lock);
    safe_close(s->state_dir);
    safe_close(s->pods_dir);
    safe_close(s->run_dir);
    sd_event_unref(s->event);
    free(s);
    return NULL;
}
