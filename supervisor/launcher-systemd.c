/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners as units. systemd is the one that spawns; this asks for it and listens for what becomes of its jobs.
 *
 *     SetUnitProperties (limits, --runtime) ─▶ StartUnit ─▶ job ─▶ JobRemoved: done      the pod is ready
 *                                                  │                  │
 *                                                  │                  └─ failed, ... ─▶ GetAll of the unit ─▶ why
 *                                                  └─ error: masked, not found, ... ─▶ why
 *
 * Neither needs a daemon-reload. While there is no bus, launches wait for it. A connection that is lost takes systemd's answers
 * with it, and so does a systemd that is reexecuted; so what has not come by then is asked for again as soon as both are back,
 * which changes nothing where it was heard the first time.
 */
#include <sys/queue.h>

#include "base/log.h"
#include "base/strings.h"
#include "supervisor/launcher.h"
#include "supervisor/unit.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNITS SYSTEMD_PATH "/unit"
#define SYSTEMD_SERVICE "org.freedesktop.systemd1.Service"

#define CALL_TIMEOUT (10 * USEC_PER_SEC)

/* What QEMU needs beside the guest's memory: its own, and up to 1 GiB of translated code where there is no KVM. */
#define MEMORY_OVERHEAD (UINT64_C(1536) << 20)
/* One processor's half for devices and the console, beside the guest's own. */
#define CPU_OVERHEAD (USEC_PER_SEC / 2)

typedef struct SystemdLauncher SystemdLauncher;

typedef struct Job {
    SystemdLauncher *launcher;
    char *name; /* of the pod */
    char *unit;
    uint64_t memory_max; /* bytes */
    uint64_t cpu_quota;  /* microseconds a second */
    bool limited;
    bool arrived;      /* its runner has come */
    sd_bus_slot *call; /* the one under way */
    TAILQ_ENTRY(Job) entry;
} Job;

struct SystemdLauncher {
    Launcher launcher;
    SystemBus *bus;
    SystemBusUser user;
    LaunchFailed failed;
    void *userdata;
    sd_bus_slot *removed; /* JobRemoved */
    sd_bus_slot *owner;   /* NameOwnerChanged: systemd is back */
    TAILQ_HEAD(, Job) jobs;
};

static Job *job_free(Job *j)
{
    if (!j)
        return NULL;
    TAILQ_REMOVE(&j->launcher->jobs, j, entry);
    sd_bus_slot_unref(j->call);
    free(j->name);
    free(j->unit);
    free(j);
    return NULL;
}

static Job *job_find(SystemdLauncher *l, const char *unit)
{
    Job *j;

    TAILQ_FOREACH(j, &l->jobs, entry)
    if (streq(j->unit, unit))
        return j;
    return NULL;
}

static int job_new(SystemdLauncher *l, const char *name, Job **ret)
{
    Job *j = calloc(1, sizeof *j);

    if (!j)
        return -ENOMEM;
    j->launcher = l;
    TAILQ_INSERT_TAIL(&l->jobs, j, entry);
    j->name = strdup(name);
    j->unit = unit_of_pod(name);
    if (!j->name || !j->unit) {
        job_free(j);
        return -ENOMEM;
    }
    *ret = j;
    return 0;
}

/* Takes message. The job is over before anybody is told, so that the next launch of the pod may begin in there. */
static void job_fail(Job *j, int error, char *message)
{
    SystemdLauncher *l = j->launcher;
    _cleanup_(freep) char *name = take_ptr(j->name), *text = message;

    job_free(j);
    l->failed(l->userdata, name, error, text ?: strerror(-error));
}

/* --- why a job failed --------------------------------------------------------------------------------------------- */

static const struct {
    const char *result; /* of JobRemoved */
    const char *words;  /* NULL: the unit is asked */
} job_results[] = {
    { "failed", NULL },
    { "timeout", "it did not start in the time that its unit gives it" },
    { "dependency", "a unit that it requires could not be started" },
    { "skipped", "a condition of the unit does not hold" },
    { "assert", "an assertion of the unit does not hold" },
    { "unsupported", "systemd cannot run such a unit here" },
    { "once", "the unit may run only once in a boot" },
    { "canceled", "it was stopped before it was ready" },
};

static const struct {
    const char *result; /* the property Result of a service */
    const char *words;
} service_results[] = {
    { "exit-code", "its runner failed" },
    { "signal", "its runner was killed by a signal" },
    { "core-dump", "its runner crashed" },
    { "watchdog", "its runner did not answer systemd's watchdog" },
    { "timeout", "its runner did not start in the time that its unit gives it" },
    { "oom-kill", "the host's kernel killed it for want of memory" },
    { "start-limit-hit", "its unit was started too often in too short a time" },
    { "resources", "systemd could not set up what the unit asks for" },
    { "protocol", "its runner ended before it was ready" },
};

typedef struct UnitEnd {
    const char *result;
    int32_t status;
} UnitEnd;

static int on_property(sd_bus_message *m, const char *name, UnitEnd *end)
{
    if (streq(name, "Result"))
        return sd_bus_message_read(m, "v", "s", &end->result);
    if (streq(name, "ExecMainStatus"))
        return sd_bus_message_read(m, "v", "i", &end->status);
    return sd_bus_message_skip(m, "v");
}

static int read_properties(sd_bus_message *m, UnitEnd *end)
{
    const char *name;
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
            r = on_property(m, name, end);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

static char *unit_end_words(const Job *j, const UnitEnd *end)
{
    TABLE_FOREACH (row, service_results) {
        if (!end->result || !streq(row->result, end->result))
            continue;
        bool with_status = end->status != 0;
        return with_status ? strf("%s: %s (status %d)", j->unit, row->words, (int)end->status)
                           : strf("%s: %s", j->unit, row->words);
    }
    return strf("%s failed (%s); `systemctl status %s` says more", j->unit, end->result ?: "no reason given",
                j->unit);
}

static int on_unit_end(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Job *j = userdata;
    UnitEnd end = { 0 };

    if (!sd_bus_message_is_method_error(m, NULL))
        (void)read_properties(m, &end);
    job_fail(j, -EIO, unit_end_words(j, &end));
    return 0;
}

static int ask_why(Job *j, sd_bus *bus)
{
    _cleanup_(freep) char *path = NULL;
    sd_bus_message *m = NULL;

    j->call = sd_bus_slot_unref(j->call);
    int r = sd_bus_path_encode(SYSTEMD_UNITS, j->unit, &path);
    if (r >= 0)
        r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, path, "org.freedesktop.DBus.Properties",
                                           "GetAll");
    if (r >= 0)
        r = sd_bus_message_append(m, "s", SYSTEMD_SERVICE);
    if (r >= 0)
        r = sd_bus_call_async(bus, &j->call, m, on_unit_end, j, CALL_TIMEOUT);
    sd_bus_message_unref(m);
    return r;
}

/* No answer is no refusal: the question may have been heard. It is asked again when systemd is back. */
static bool is_no_answer(const sd_bus_error *e)
{
    return sd_bus_error_has_names(e, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED, SD_BUS_ERROR_TIMEOUT);
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

static void job_ended(Job *j, sd_bus *bus, const char *result)
{
    if (streq(result, "done")) {
        job_free(j);
        return;
    }
    TABLE_FOREACH (row, job_results) {
        if (!streq(row->result, result))
            continue;
        if (!row->words && ask_why(j, bus) >= 0)
            return;
        job_fail(j, streq(result, "canceled") ? -ECANCELED : -EIO,
                 strf("%s: %s", j->unit, row->words ?: "it failed"));
        return;
    }
    job_fail(j, -EIO, strf("%s: systemd's job ended as \"%s\"", j->unit, result));
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    SystemdLauncher *l = userdata;
    const char *path, *unit, *result;
    uint32_t id;

    if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0)
        return 0;
    Job *j = job_find(l, unit);
    if (j)
        job_ended(j, sd_bus_message_get_bus(m), result);
    return 0;
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Job *j = userdata;
    const sd_bus_error *e = sd_bus_message_get_error(m);

    j->call = sd_bus_slot_unref(j->call);
    if (!e || is_no_answer(e))
        return 0;
    job_fail(j, -sd_bus_error_get_errno(e),
             strf("systemd does not start %s: %s", j->unit, e->message ?: e->name));
    return 0;
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

typedef struct Limit {
    const char *property; /* of the unit, as D-Bus has it */
    const char *setting;  /* as a unit file has it */
    uint64_t value;
} Limit;

static int append_limits(sd_bus_message *m, const Job *j)
{
    const Limit limits[] = {
        { "MemoryMax", "MemoryMax", j->memory_max },
        { "CPUQuotaPerSecUSec", "CPUQuota", j->cpu_quota },
    };

    int r = sd_bus_message_open_container(m, 'a', "(sv)");
    TABLE_FOREACH (limit, limits)
        if (r >= 0 && !unit_drop_in_sets(NULL, j->name, limit->setting))
            r = sd_bus_message_append(m, "(sv)", limit->property, "t", limit->value);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* A unit that cannot be limited is started all the same, as systemd does it where a controller is missing. */
static int on_limited(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const sd_bus_error *e = sd_bus_message_get_error(m);

    if (e && !is_no_answer(e))
        log_warning("The limits of a pod could not be set on its unit: %s", e->message ?: e->name);
    return 0;
}

/* The answer may come when nobody knows the job any more; so it has no owner. */
static int set_limits(sd_bus *bus, const Job *j)
{
    sd_bus_message *m = NULL;

    int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                           "SetUnitProperties");
    if (r >= 0)
        r = sd_bus_message_append(m, "sb", j->unit, 1);
    if (r >= 0)
        r = append_limits(m, j);
    if (r >= 0)
        r = sd_bus_call_async(bus, NULL, m, on_limited, NULL, CALL_TIMEOUT);
    sd_bus_message_unref(m);
    return r;
}

/* --- the launcher --------------------------------------------------------------------------------------------------- */

static int start_unit(sd_bus *bus, Job *j)
{
    sd_bus_message *m = NULL;

    int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "StartUnit");
    if (r >= 0)
        r = sd_bus_message_append(m, "ss", j->unit, "replace");
    if (r >= 0)
        r = sd_bus_call_async(bus, &j->call, m, on_started, j, CALL_TIMEOUT);
    sd_bus_message_unref(m);
    return r;
}

static int job_begin(sd_bus *bus, Job *j)
{
    int r = j->limited ? set_limits(bus, j) : 0;

    return r < 0 ? r : start_unit(bus, j);
}

static int systemd_launch(Launcher *launcher, const LaunchRequest *request, ProcessId *ret_id, int *ret_pidfd)
{
    SystemdLauncher *l = (SystemdLauncher *)launcher;
    sd_bus *bus = system_bus_get(l->bus);
    _cleanup_(freep) char *unit = unit_of_pod(request->name);
    Job *j;

    if (!unit)
        return -ENOMEM;
    job_free(job_find(l, unit));
    int r = job_new(l, request->name, &j);
    if (r < 0)
        return r;
    if (request->definition) {
        j->limited = true;
        j->memory_max = request->definition->memory + MEMORY_OVERHEAD;
        j->cpu_quota = request->definition->cpus * USEC_PER_SEC + CPU_OVERHEAD;
    }
    r = bus ? job_begin(bus, j) : 0;
    if (r < 0)
        job_free(j);
    return MIN(r, 0);
}

static void systemd_arrived(Launcher *launcher, const char *name)
{
    _cleanup_(freep) char *unit = unit_of_pod(name);
    Job *j = unit ? job_find((SystemdLauncher *)launcher, unit) : NULL;

    if (j)
        j->arrived = true;
}

/* Its processes are systemd's children. */
static int systemd_reap(Launcher *l, int pidfd, int *ret_code, int *ret_status)
{
    return -ECHILD;
}

static void on_lost(void *userdata)
{
    SystemdLauncher *l = userdata;

    for (Job *j = TAILQ_FIRST(&l->jobs), *next; j; j = next) {
        next = TAILQ_NEXT(j, entry);
        j->call = sd_bus_slot_unref(j->call);
        if (j->arrived)
            job_free(j);
    }
    l->removed = sd_bus_slot_unref(l->removed);
    l->owner = sd_bus_slot_unref(l->owner);
}

/* systemd sends JobRemoved only while somebody is subscribed. */
static void subscribe(sd_bus *bus)
{
    int r = sd_bus_call_method_async(bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe",
                                     NULL, NULL, "");
    if (r < 0)
        log_error_errno(r, "What becomes of systemd's jobs cannot be listened to");
}

static void ask_for_all(SystemdLauncher *l, sd_bus *bus)
{
    for (Job *j = TAILQ_FIRST(&l->jobs), *next; j; j = next) {
        next = TAILQ_NEXT(j, entry);
        if (j->arrived)
            continue;
        j->call = sd_bus_slot_unref(j->call);
        int r = job_begin(bus, j);
        if (r < 0)
            job_fail(j, r, NULL);
    }
}

/* A systemd that was reexecuted has a new connection with the bus. */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const char *name, *old, *new;

    if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0 || str_empty(new))
        return 0;
    subscribe(sd_bus_message_get_bus(m));
    ask_for_all(userdata, sd_bus_message_get_bus(m));
    return 0;
}

static void on_connected(void *userdata, sd_bus *bus)
{
    SystemdLauncher *l = userdata;

    int r = sd_bus_match_signal_async(bus, &l->removed, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                      "JobRemoved", on_job_removed, NULL, l);
    if (r >= 0)
        r = sd_bus_add_match_async(bus, &l->owner,
                                   "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                   "member='NameOwnerChanged',arg0='" SYSTEMD_NAME "'",
                                   on_owner_changed, NULL, l);
    if (r < 0)
        log_error_errno(r, "What becomes of systemd's jobs cannot be listened to");
    subscribe(bus);
    ask_for_all(l, bus);
}

static Launcher *systemd_free(Launcher *launcher)
{
    SystemdLauncher *l = (SystemdLauncher *)launcher;

    system_bus_leave(l->bus, &l->user);
    while (!TAILQ_EMPTY(&l->jobs))
        job_free(TAILQ_FIRST(&l->jobs));
    sd_bus_slot_unref(l->removed);
    sd_bus_slot_unref(l->owner);
    free(l);
    return NULL;
}

static const LauncherOps systemd_ops = {
    .name = "systemd",
    .launch = systemd_launch,
    .reap = systemd_reap,
    .arrived = systemd_arrived,
    .free = systemd_free,
};

int launcher_systemd_new(Launcher **ret, SystemBus *bus, LaunchFailed failed, void *userdata)
{
    SystemdLauncher *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->launcher.ops = &systemd_ops;
    l->bus = bus;
    l->user = (SystemBusUser){ .connected = on_connected, .lost = on_lost, .userdata = l };
    l->failed = failed;
    l->userdata = userdata;
    TAILQ_INIT(&l->jobs);
    system_bus_use(bus, &l->user);
    *ret = &l->launcher;
    return 0;
}
