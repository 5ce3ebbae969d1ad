/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "supervisor/machined.h"
#include "supervisor/supervisor.h"
#include "supervisor/unit.h"

#define DESTINATION "org.freedesktop.machine1"
#define OBJECT "/org/freedesktop/machine1"
#define MANAGER DESTINATION ".Manager"
#define SERVICE "podvisor"
/* It may have to be started first. */
#define CALL_TIMEOUT (20 * USEC_PER_SEC)

#define NOBODY ((pid_t)0)
#define SOMEBODY ((pid_t)-1) /* should: whoever it is; is: it has to be looked up */

enum {
    CALLS_MAX = 8, /* for one change: more would be an endless argument */
};

typedef struct Registration {
    Machined *owner;
    Pod *pod; /* NULL: the pod is gone, and this is an orphan */
    char *name;
    Id128 uuid;
    pid_t should, is;
    pid_t asked;       /* the leader of the call that is under way */
    unsigned calls;    /* since `should` changed */
    bool blocked;      /* trying again would lead to the same */
    sd_bus_slot *slot; /* the call that is under way */
    TAILQ_ENTRY(Registration) entry;
} Registration;
TAILQ_HEAD(Registrations, Registration);

struct Machined {
    Supervisor *supervisor;
    SystemBusUser user;
    sd_bus_slot *listing;
    struct Registrations pods, orphans;
    bool absence_told, launcher_told;
};

static sd_bus *bus_of(const Machined *m)
{
    return system_bus_get(m->supervisor->system_bus);
}

static int level_of(const Machined *m)
{
    return m->supervisor->config->machined == MACHINED_YES ? LOG_WARNING : LOG_DEBUG;
}

/* --- registrations ------------------------------------------------------------------------------------------------- */

static struct Registrations *list_of(Registration *r)
{
    return r->pod ? &r->owner->pods : &r->owner->orphans;
}

/* pod: NULL makes it an orphan. */
static void registration_bind(Registration *r, Pod *pod)
{
    TAILQ_REMOVE(list_of(r), r, entry);
    if (r->pod)
        r->pod->machine = NULL;
    r->pod = pod;
    if (pod)
        pod->machine = r;
    TAILQ_INSERT_TAIL(list_of(r), r, entry);
}

static Registration *registration_free(Registration *r)
{
    registration_bind(r, NULL);
    TAILQ_REMOVE(&r->owner->orphans, r, entry);
    sd_bus_slot_unref(r->slot);
    free(r->name);
    free(r);
    return NULL;
}

/* An orphan of this name, or a new one. NULL: no memory. */
static Registration *registration_new(Machined *m, const char *name)
{
    Registration *r;

    for (r = TAILQ_FIRST(&m->orphans); r; r = TAILQ_NEXT(r, entry))
        if (streq(r->name, name))
            return r;
    r = calloc(1, sizeof *r);
    if (!r || !(r->name = strdup(name))) {
        free(r);
        return NULL;
    }
    r->owner = m;
    TAILQ_INSERT_TAIL(&m->orphans, r, entry);
    return r;
}

/* --- calls --------------------------------------------------------------------------------------------------------- */

static void settle(Registration *r);

/* What the call's answer says against it; NULL: nothing. */
static const sd_bus_error *take_answer(Registration *r, sd_bus_message *reply)
{
    r->slot = sd_bus_slot_unref(r->slot);
    return sd_bus_message_get_error(reply);
}

static const char *const absences[] = {
    SD_BUS_ERROR_SERVICE_UNKNOWN,
    SD_BUS_ERROR_NAME_HAS_NO_OWNER,
    "org.freedesktop.systemd1.NoSuchUnit",
    "org.freedesktop.systemd1.UnitMasked",
};

static bool tell_absence(Machined *m, const sd_bus_error *error)
{
    bool absent = false;

    TABLE_FOREACH (absence, absences)
        absent |= sd_bus_error_has_name(error, *absence);
    if (absent && !m->absence_told)
        log_full(
            level_of(m), 0, NULL,
            "machinectl does not show pods, since systemd-machined is not there (package systemd-container)");
    m->absence_told |= absent;
    return absent;
}

/* There is nothing more to try until something changes. */
static void give_up(Registration *r, const sd_bus_error *error)
{
    r->blocked = true;
    /* A connection that broke explains itself, and the next one begins anew. */
    if (tell_absence(r->owner, error) || sd_bus_is_open(bus_of(r->owner)) <= 0)
        return;
    log_warning("%s: machinectl does not show it as it is; systemd-machined says: %s", r->name,
                error->message ?: error->name);
}

/* Takes m. What hinders the sending is the connection's, and the next one begins anew. */
static void ask(Registration *r, sd_bus_message *m, sd_bus_message_handler_t handler)
{
    r->asked = r->should;
    r->calls++;
    if (m)
        (void)sd_bus_call_async(bus_of(r->owner), &r->slot, m, handler, r, CALL_TIMEOUT);
    sd_bus_message_unref(m);
}

static sd_bus_message *message_new(const Registration *r, const char *path, const char *interface,
                                   const char *method, const char *argument)
{
    sd_bus_message *m = NULL;

    int e = sd_bus_message_new_method_call(bus_of(r->owner), &m, DESTINATION, path, interface, method);
    if (e >= 0)
        e = sd_bus_message_append(m, "s", argument);
    return e < 0 ? sd_bus_message_unref(m) : m;
}

/* --- whose it is --------------------------------------------------------------------------------------------------- */

/* *service is borrowed from the message. */
static int read_property(sd_bus_message *m, const char **service, uint32_t *leader)
{
    const char *name;

    int r = sd_bus_message_read(m, "s", &name);
    if (r < 0)
        return r;
    if (streq(name, "Service"))
        return sd_bus_message_read(m, "v", "s", service);
    if (streq(name, "Leader"))
        return sd_bus_message_read(m, "v", "u", leader);
    return sd_bus_message_skip(m, "v");
}

static int read_properties(sd_bus_message *m, const char **service, uint32_t *leader)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = read_property(m, service, leader);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

static int on_properties(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    Registration *r = userdata;
    const sd_bus_error *error = take_answer(r, reply);
    const char *service = "";
    uint32_t leader = 0;

    r->is = NOBODY;
    if (error && !sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT)) {
        give_up(r, error);
    } else if (!error && (read_properties(reply, &service, &leader) < 0 || !streq(service, SERVICE))) {
        r->blocked = true;
        log_warning("%s: machinectl does not show it, because \"%s\" has a machine of this name", r->name,
                    service);
    } else if (!error) {
        r->is = (pid_t)leader;
    }
    settle(r);
    return 0;
}

static void look(Registration *r)
{
    _cleanup_(freep) char *path = NULL;

    if (sd_bus_path_encode(OBJECT "/machine", r->name, &path) >= 0)
        ask(r, message_new(r, path, "org.freedesktop.DBus.Properties", "GetAll", DESTINATION ".Machine"),
            on_properties);
}

/* --- in and out ---------------------------------------------------------------------------------------------------- */

static int on_registered(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    Registration *r = userdata;
    const sd_bus_error *error = take_answer(r, reply);

    if (!error)
        r->is = r->asked;
    else if (sd_bus_error_has_name(error, DESTINATION ".MachineExists"))
        r->is = SOMEBODY;
    else
        give_up(r, error);
    settle(r);
    return 0;
}

static void enter(Registration *r)
{
    sd_bus_message *m = message_new(r, OBJECT, MANAGER, "RegisterMachine", r->name);

    int e = m ? sd_bus_message_append_array(m, 'y', r->uuid.bytes, sizeof r->uuid.bytes) : -ENOMEM;
    if (e >= 0)
        e = sd_bus_message_append(m, "ssus", SERVICE, "vm", (uint32_t)r->should, "");
    ask(r, e < 0 ? sd_bus_message_unref(m) : m, on_registered);
}

static int on_unregistered(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    Registration *r = userdata;
    const sd_bus_error *error = take_answer(r, reply);

    if (error && !sd_bus_error_has_name(error, DESTINATION ".NoSuchMachine"))
        give_up(r, error);
    else
        r->is = NOBODY;
    settle(r);
    return 0;
}

static void leave(Registration *r)
{
    ask(r, message_new(r, OBJECT, MANAGER, "UnregisterMachine", r->name), on_unregistered);
}

static void argue(Registration *r)
{
    if (r->calls == CALLS_MAX) {
        log_warning("%s: machinectl does not show it as it is, because systemd-machined contradicts itself",
                    r->name);
        r->blocked = true;
    } else if (r->is == SOMEBODY)
        look(r);
    else if (r->is != NOBODY)
        leave(r);
    else
        enter(r);
}

/* Does the next step, or frees what has become needless. */
static void settle(Registration *r)
{
    bool agreed = r->should == SOMEBODY || r->should == r->is;

    if (!r->slot && !r->blocked && !agreed && bus_of(r->owner))
        argue(r);
    if (!r->slot && r->should == NOBODY && (r->is == NOBODY || (r->blocked && !r->pod)))
        registration_free(r);
}

/* --- the pods ------------------------------------------------------------------------------------------------------ */

static pid_t leader_of(const Pod *pod)
{
    const PodObserved *o = &pod->observed;

    if (o->phase == MACHINE_NONE || o->phase == MACHINE_ENDED || (o->reported && o->state == RUNNER_ENDED))
        return NOBODY;
    return o->linked && pod->record.runner_pid > 0 ? (pid_t)pod->record.runner_pid : SOMEBODY;
}

static bool in_own_unit(const char *name, pid_t pid)
{
    _cleanup_(freep) char *pod = unit_pod_of_process(pid);

    return streq_ptr(pod, name);
}

/* One in another's unit is left alone, whatever is registered. */
static void refuse_launcher(Registration *r)
{
    Machined *m = r->owner;

    r->blocked = true;
    if (!m->launcher_told)
        log_full(level_of(m), 0, NULL,
                 "machinectl does not show pods whose runners podvisord launches itself, as %s", r->name);
    m->launcher_told = true;
}

void machined_pod(Machined *m, Pod *pod)
{
    pid_t should = leader_of(pod);
    Registration *r = pod->machine;

    if (!m || (r ? r->should == should : should <= NOBODY))
        return;
    if (!r && (r = registration_new(m, pod->name)))
        registration_bind(r, pod);
    if (!r)
        return;
    r->should = should;
    r->uuid = pod->record.uuid;
    r->calls = 0;
    r->blocked = false;
    if (should > NOBODY && !in_own_unit(r->name, should))
        refuse_launcher(r);
    settle(r);
}

void machined_pod_gone(Machined *m, Pod *pod)
{
    Registration *r = pod->machine;

    if (!m || !r)
        return;
    registration_bind(r, NULL);
    r->should = NOBODY;
    r->calls = 0;
    settle(r);
}

/* --- the connection ------------------------------------------------------------------------------------------------ */

static void found(Machined *m, const char *name)
{
    Pod *pod = supervisor_find(m->supervisor, name);
    Registration *r = pod && pod->machine ? NULL : registration_new(m, name);

    if (!r)
        return;
    r->is = r->should = SOMEBODY;
    if (!pod) {
        r->should = NOBODY;
        settle(r);
        return;
    }
    registration_bind(r, pod);
    machined_pod(m, pod);
}

/* Of the machines that were registered before, those that nobody knows any more are to go. */
static int on_list(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    Machined *m = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(reply);
    const char *name, *class, *service, *path;

    m->listing = sd_bus_slot_unref(m->listing);
    if (error) {
        (void)tell_absence(m, error);
        return 0;
    }
    m->absence_told = false;
    if (sd_bus_message_enter_container(reply, 'a', "(ssso)") < 0)
        return 0;
    while (sd_bus_message_read(reply, "(ssso)", &name, &class, &service, &path) > 0)
        if (streq(service, SERVICE))
            found(m, name);
    return 0;
}

/* All that is believed is of the connection before. */
static void renew(Machined *m, Registration *r)
{
    r->blocked = false;
    r->calls = 0;
    if (r->is != NOBODY)
        r->is = SOMEBODY;
    if (!r->pod) {
        settle(r);
        return;
    }
    r->should = SOMEBODY;
    machined_pod(m, r->pod);
}

static void renew_all(Machined *m, struct Registrations *list)
{
    for (Registration *r = TAILQ_FIRST(list), *next; r; r = next) {
        next = TAILQ_NEXT(r, entry);
        renew(m, r);
    }
}

static void on_connected(void *userdata, sd_bus *bus)
{
    Machined *m = userdata;
    sd_bus_message *message = NULL;

    int r = sd_bus_message_new_method_call(bus, &message, DESTINATION, OBJECT, MANAGER, "ListMachines");
    if (r >= 0)
        (void)sd_bus_call_async(bus, &m->listing, message, on_list, m, CALL_TIMEOUT);
    sd_bus_message_unref(message);
    renew_all(m, &m->orphans);
    renew_all(m, &m->pods);
}

static void let_go(struct Registrations *list)
{
    for (Registration *r = TAILQ_FIRST(list); r; r = TAILQ_NEXT(r, entry))
        r->slot = sd_bus_slot_unref(r->slot);
}

static void on_lost(void *userdata)
{
    Machined *m = userdata;

    m->listing = sd_bus_slot_unref(m->listing);
    let_go(&m->pods);
    let_go(&m->orphans);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

int machined_new(Machined **ret, Supervisor *supervisor)
{
    Machined *m;

    if (supervisor->config->machined == MACHINED_NO || supervisor->paths->mode != PATHS_SYSTEM ||
        !supervisor->system_bus) {
        *ret = NULL;
        return 0;
    }
    if (!(m = calloc(1, sizeof *m)))
        return -ENOMEM;
    m->supervisor = supervisor;
    m->user = (SystemBusUser){ .connected = on_connected, .lost = on_lost, .userdata = m };
    TAILQ_INIT(&m->pods);
    TAILQ_INIT(&m->orphans);
    *ret = m;
    system_bus_use(supervisor->system_bus, &m->user);
    return 0;
}

Machined *machined_free(Machined *m)
{
    if (!m)
        return NULL;
    system_bus_leave(m->supervisor->system_bus, &m->user);
    sd_bus_slot_unref(m->listing);
    while (!TAILQ_EMPTY(&m->pods))
        registration_free(TAILQ_FIRST(&m->pods));
    while (!TAILQ_EMPTY(&m->orphans))
        registration_free(TAILQ_FIRST(&m->orphans));
    free(m);
    return NULL;
}
