/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/schema-bus.h"
#include "supervisor/bus-internal.h"

enum {
    CLIENTS_MAX = 128,
    UNREAD_MAX = 4096,         /* messages that a client may leave unread */
    PUBLIC_UNREAD_MAX = 32768, /* and the message bus, which has all clients */
};

struct BusClient {
    Bus *owner;
    sd_bus *bus;
    BusObjects objects;
    TAILQ_ENTRY(BusClient) entry;
};

static BusClient *client_free(BusClient *c)
{
    TAILQ_REMOVE(&c->owner->clients, c, entry);
    c->owner->n_clients--;
    bus_objects_done(&c->objects);
    sd_bus_close_unref(c->bus);
    free(c);
    return NULL;
}

/* --- connections ---------------------------------------------------------------------------------------------------- */

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    client_free(userdata);
    return 0;
}

static int client_start(BusClient *c, int fd)
{
    int r = sd_bus_set_fd(c->bus, fd, fd);
    if (r < 0) {
        safe_close(fd);
        return r;
    }
    r = sd_bus_set_server(c->bus, true, c->owner->id);
    if (r >= 0)
        r = sd_bus_set_sender(c->bus, BUS_NAME);
    if (r >= 0)
        r = sd_bus_negotiate_fds(c->bus, true);
    if (r >= 0)
        r = sd_bus_start(c->bus);
    if (r >= 0)
        r = sd_bus_match_signal_async(c->bus, NULL, "org.freedesktop.DBus.Local",
                                      "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                      "Disconnected", on_disconnected, NULL, c);
    if (r >= 0)
        r = bus_add_objects(c->owner, c->bus, &c->objects);
    return r < 0 ? r : sd_bus_attach_event(c->bus, c->owner->supervisor->event, SD_EVENT_PRIORITY_NORMAL);
}

static void on_connection(void *userdata, int fd, pid_t pid)
{
    Bus *b = userdata;
    BusClient *c = b->n_clients < CLIENTS_MAX ? calloc(1, sizeof *c) : NULL;

    if (!c || sd_bus_new(&c->bus) < 0) {
        log_warning(
            "A client of the API (process %d) was refused: too many are connected, or memory is short",
            (int)pid);
        free(c);
        safe_close(fd);
        return;
    }
    c->owner = b;
    TAILQ_INSERT_TAIL(&b->clients, c, entry);
    b->n_clients++;
    int r = client_start(c, fd);
    if (r < 0) {
        log_warning_errno(r, "A client of the API (process %d) could not be served", (int)pid);
        client_free(c);
    }
}

int bus_new(Bus **ret, Supervisor *supervisor)
{
    _cleanup_(bus_freep) Bus *b = calloc(1, sizeof *b);

    if (!b)
        return -ENOMEM;
    b->supervisor = supervisor;
    TAILQ_INIT(&b->clients);
    int r = sd_id128_randomize(&b->id);
    if (r >= 0)
        r = bus_pod_vtable(&b->pod_vtable);
    if (r >= 0)
        r = listener_new(&b->listener, supervisor->event, supervisor->run_dir, PATHS_BUS, SOCK_STREAM,
                         on_connection, b);
    if (r >= 0)
        r = bus_public_start(b);
    if (r < 0)
        return r;
    *ret = take_ptr(b);
    return 0;
}

Bus *bus_free(Bus *b)
{
    if (!b)
        return NULL;
    bus_public_stop(b);
    listener_free(b->listener);
    while (!TAILQ_EMPTY(&b->clients)) {
        BusClient *c = TAILQ_FIRST(&b->clients);
        (void)sd_bus_flush(c->bus);
        client_free(c);
    }
    schema_bus_vtable_free(b->pod_vtable);
    free(b);
    return NULL;
}

/* --- signals -------------------------------------------------------------------------------------------------------- */

typedef int (*SignalFunc)(sd_bus *bus, const char *path, void *what);

static int emit_added(sd_bus *bus, const char *path, void *what)
{
    return sd_bus_emit_object_added(bus, path);
}

static int emit_removed(sd_bus *bus, const char *path, void *what)
{
    return sd_bus_emit_interfaces_removed(bus, path, BUS_POD_INTERFACE, NULL);
}

static int emit_changed(sd_bus *bus, const char *path, void *what)
{
    return sd_bus_emit_properties_changed_strv(bus, path, BUS_POD_INTERFACE, what);
}

/* A message bus that takes nothing any more is left; who listens reads everything anew when podvisord is back there. */
static bool drowns(Bus *b, sd_bus *public)
{
    uint64_t unread;

    if (sd_bus_get_n_queued_write(public, &unread) < 0 || unread <= PUBLIC_UNREAD_MAX)
        return false;
    log_warning("The message bus takes nothing any more, and is left for now");
    system_bus_reset(b->supervisor->system_bus);
    return true;
}

static void emit(Bus *b, const Pod *pod, SignalFunc func, void *what)
{
    _cleanup_(freep) char *path = bus_pod_path(pod->name);
    sd_bus *public = bus_public_get(b);
    uint64_t unread;

    if (public && path && !drowns(b, public))
        (void)func(public, path, what);
    for (BusClient *c = TAILQ_FIRST(&b->clients), *next; c && path; c = next) {
        next = TAILQ_NEXT(c, entry);
        if (sd_bus_get_n_queued_write(c->bus, &unread) >= 0 && unread > UNREAD_MAX) {
            log_warning("A client of the API reads nothing, and is disconnected");
            client_free(c);
            continue;
        }
        (void)func(c->bus, path, what);
    }
}

void bus_pod_added(Bus *b, Pod *pod)
{
    if (b)
        emit(b, pod, emit_added, NULL);
}

void bus_pod_removed(Bus *b, Pod *pod)
{
    if (b)
        emit(b, pod, emit_removed, NULL);
}

void bus_pod_changed(Bus *b, Pod *pod)
{
    if (!b || (TAILQ_EMPTY(&b->clients) && !bus_public_get(b)))
        return;
    _cleanup_(strv_freep) char **names = bus_pod_changes(pod);
    if (names)
        emit(b, pod, emit_changed, names);
}
