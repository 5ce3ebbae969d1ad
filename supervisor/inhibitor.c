/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/strings.h"
#include "supervisor/host-sleep.h"
#include "supervisor/inhibitor.h"
#include "supervisor/supervisor.h"

#define LOGIND "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_MANAGER LOGIND ".Manager"
#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD ".Manager"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define CALL_TIMEOUT (20 * USEC_PER_SEC)
/* An end of podvisord waits for no longer to learn whether it is the host's. */
#define STATE_TIMEOUT (3 * USEC_PER_SEC)

typedef struct LockKind {
    const char *what;     /* is delayed */
    const char *signal;   /* tells of it: true before, false after */
    const char *property; /* it has begun */
    const char *why;
    void (*begins)(Inhibitor *i);
    void (*over)(Inhibitor *i);
} LockKind;

typedef struct Lock {
    Inhibitor *owner;
    const LockKind *kind; /* NULL: not wanted */
    int fd;               /* -1: not held */
    bool begun;
    sd_bus_slot *call, *match, *query;
} Lock;

enum { LOCK_SHUTDOWN, LOCK_SLEEP, LOCK_MAX };

struct Inhibitor {
    Supervisor *supervisor;
    SystemBusUser user;
    Lock locks[LOCK_MAX];
    HostSleep *sleep;
    bool ending, ended;
    bool trouble_told;
    sd_bus_slot *asking; /* systemd, how the host is */
    void (*leave)(void *userdata);
    void *leave_userdata;
};

/* --- taking and letting go ---------------------------------------------------------------------------------------- */

static void let_go(Lock *l)
{
    l->fd = safe_close(l->fd);
}

static void tell_trouble(Inhibitor *i, const char *what, const sd_bus_error *error)
{
    bool absent = sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                  sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);

    if (i->trouble_told || sd_bus_is_open(system_bus_get(i->supervisor->system_bus)) <= 0)
        return;
    i->trouble_told = true;
    log_full(absent ? LOG_INFO : LOG_WARNING, 0, NULL,
             "logind does not delay the host's %s for the pods, which are stopped with their units then: %s",
             what, error->message ?: error->name);
}

static int on_inhibited(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    Lock *l = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(reply);
    int fd;

    l->call = sd_bus_slot_unref(l->call);
    if (error) {
        /* Too late for a lock; what is known to have begun is acted on. */
        if (!sd_bus_error_has_name(error, LOGIND ".OperationInProgress"))
            tell_trouble(l->owner, l->kind->what, error);
        return 0;
    }
    if (sd_bus_message_read(reply, "h", &fd) < 0)
        return 0;
    let_go(l);
    /* The message keeps its own. */
    l->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    l->owner->trouble_told = false;
    return 0;
}

static void take(Lock *l)
{
    sd_bus *bus = system_bus_get(l->owner->supervisor->system_bus);
    sd_bus_message *m = NULL;

    if (!bus || l->call || l->fd >= 0)
        return;
    int r = sd_bus_message_new_method_call(bus, &m, LOGIND, LOGIND_PATH, LOGIND_MANAGER, "Inhibit");
    if (r >= 0)
        r = sd_bus_message_append(m, "ssss", l->kind->what, "podvisord", l->kind->why, "delay");
    if (r >= 0)
        (void)sd_bus_call_async(bus, &l->call, m, on_inhibited, l, CALL_TIMEOUT);
    sd_bus_message_unref(m);
}

static void begin(Lock *l, bool begins)
{
    if (l->begun == begins)
        return;
    l->begun = begins;
    if (begins) {
        l->kind->begins(l->owner);
        return;
    }
    l->kind->over(l->owner);
    take(l);
}

static int on_prepare(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    int begins;

    if (sd_bus_message_read(m, "b", &begins) >= 0)
        begin(userdata, begins);
    return 0;
}

/* It may have begun before anybody listened, and be over since the connection before. */
static int on_property(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    Lock *l = userdata;
    int begun;

    l->query = sd_bus_slot_unref(l->query);
    if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "v", "b", &begun) < 0)
        return 0;
    begin(l, begun);
    if (l == &l->owner->locks[LOCK_SLEEP] && !begun)
        host_sleep_over(l->owner->sleep);
    return 0;
}

static int get_property(sd_bus *bus, sd_bus_slot **slot, const char *const name[4],
                        sd_bus_message_handler_t handler, void *userdata, usec_t timeout)
{
    sd_bus_message *m = NULL;

    int r = sd_bus_message_new_method_call(bus, &m, name[0], name[1], PROPERTIES, "Get");
    if (r >= 0)
        r = sd_bus_message_append(m, "ss", name[2], name[3]);
    if (r >= 0)
        r = sd_bus_call_async(bus, slot, m, handler, userdata, timeout);
    sd_bus_message_unref(m);
    return r;
}

/* --- shutdown ------------------------------------------------------------------------------------------------------- */

static void leave_now(Inhibitor *i)
{
    void (*leave)(void *userdata) = i->leave;

    i->leave = NULL;
    if (leave)
        leave(i->leave_userdata);
}

static void on_all_ended(void *userdata)
{
    Inhibitor *i = userdata;

    log_info("All pods have ended; the host may go down");
    i->ended = true;
    let_go(&i->locks[LOCK_SHUTDOWN]);
    leave_now(i);
}

static void shutdown_begins(Inhibitor *i)
{
    if (i->ending)
        return;
    log_notice("The host shuts down: all pods are stopped");
    i->ending = true;
    notify_ending(i->supervisor->notify, true);
    supervisor_stop_all(i->supervisor, on_all_ended, i);
}

static void shutdown_over(Inhibitor *i)
{
    log_notice("The host does not shut down after all: the pods are started again");
    i->ending = i->ended = false;
    notify_ending(i->supervisor->notify, false);
    supervisor_stop_all_cancel(i->supervisor);
}

/* --- sleep ---------------------------------------------------------------------------------------------------------- */

static void on_all_paused(void *userdata)
{
    Inhibitor *i = userdata;

    let_go(&i->locks[LOCK_SLEEP]);
}

static void sleep_begins(Inhibitor *i)
{
    host_sleep_begins(i->sleep, on_all_paused, i);
}

static void sleep_over(Inhibitor *i)
{
    host_sleep_over(i->sleep);
}

static const LockKind kinds[] = {
    [LOCK_SHUTDOWN] = { "shutdown", "PrepareForShutdown", "PreparingForShutdown", "Pods are stopped first",
                        shutdown_begins, shutdown_over },
    [LOCK_SLEEP] = { "sleep", "PrepareForSleep", "PreparingForSleep", "Pods are paused first", sleep_begins,
                     sleep_over },
};
_Static_assert(ELEMENTSOF(kinds) == LOCK_MAX, "every lock has a row");

/* --- the end of podvisord ------------------------------------------------------------------------------------------- */

static int on_system_state(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    Inhibitor *i = userdata;
    const char *state = "";

    i->asking = sd_bus_slot_unref(i->asking);
    if (!sd_bus_message_is_method_error(reply, NULL))
        (void)sd_bus_message_read(reply, "v", "s", &state);
    if (streq(state, "stopping"))
        shutdown_begins(i);
    else
        leave_now(i);
    return 0;
}

static bool ask_for_state(Inhibitor *i)
{
    static const char *const name[] = { SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "SystemState" };
    sd_bus *bus = system_bus_get(i->supervisor->system_bus);

    return bus && get_property(bus, &i->asking, name, on_system_state, i, STATE_TIMEOUT) >= 0;
}

void inhibitor_leave(Inhibitor *i, void (*leave)(void *userdata), void *userdata)
{
    bool waits = i && !i->leave && (i->ending ? !i->ended : !i->supervisor->units && ask_for_state(i));

    if (!waits) {
        leave(userdata);
        return;
    }
    i->leave = leave;
    i->leave_userdata = userdata;
}

/* --- the connection ------------------------------------------------------------------------------------------------- */

static void on_connected(void *userdata, sd_bus *bus)
{
    Inhibitor *i = userdata;

    TABLE_FOREACH (l, i->locks) {
        if (!l->kind)
            continue;
        const char *name[] = { LOGIND, LOGIND_PATH, LOGIND_MANAGER, l->kind->property };
        (void)sd_bus_match_signal_async(bus, &l->match, LOGIND, LOGIND_PATH, LOGIND_MANAGER, l->kind->signal,
                                        on_prepare, NULL, l);
        take(l);
        (void)get_property(bus, &l->query, name, on_property, l, CALL_TIMEOUT);
    }
}

static void on_lost(void *userdata)
{
    Inhibitor *i = userdata;

    TABLE_FOREACH (l, i->locks) {
        l->call = sd_bus_slot_unref(l->call);
        l->match = sd_bus_slot_unref(l->match);
        l->query = sd_bus_slot_unref(l->query);
        /* One that is held counts as long as it is held, with or without a bus. */
    }
    if (i->asking) {
        i->asking = sd_bus_slot_unref(i->asking);
        leave_now(i);
    }
}

/* --- life ----------------------------------------------------------------------------------------------------------- */

int inhibitor_new(Inhibitor **ret, Supervisor *supervisor)
{
    _cleanup_(inhibitor_freep) Inhibitor *i = NULL;

    if (!supervisor->system_bus || supervisor->paths->mode == PATHS_USER) {
        *ret = NULL;
        return 0;
    }
    if (!(i = calloc(1, sizeof *i)))
        return -ENOMEM;
    i->supervisor = supervisor;
    i->user = (SystemBusUser){ .connected = on_connected, .lost = on_lost, .userdata = i };
    TABLE_FOREACH (l, i->locks)
        *l = (Lock){ .owner = i, .kind = &kinds[l - i->locks], .fd = -1 };
    if (supervisor->config->suspend == SUSPEND_IGNORE)
        i->locks[LOCK_SLEEP].kind = NULL;
    int r = host_sleep_new(&i->sleep, supervisor);
    if (r < 0)
        return r;
    system_bus_use(supervisor->system_bus, &i->user);
    *ret = take_ptr(i);
    return 0;
}

Inhibitor *inhibitor_free(Inhibitor *i)
{
    if (!i)
        return NULL;
    system_bus_leave(i->supervisor->system_bus, &i->user);
    i->leave = NULL;
    on_lost(i);
    TABLE_FOREACH (l, i->locks)
        let_go(l);
    host_sleep_free(i->sleep);
    free(i);
    return NULL;
}
