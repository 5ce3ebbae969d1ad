/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/queue.h>

#include "base/strings.h"
#include "schemas/schema-bus.h"
#include "supervisor/bus.h"
#include "supervisor/supervisor.h"

enum {
    CLIENTS_MAX = 128,
    UNREAD_MAX = 4096, /* messages that a client may leave unread */
};

typedef struct BusClient BusClient;
TAILQ_HEAD(BusClients, BusClient);

struct BusClient {
    Bus *owner;
    sd_bus *bus;
    TAILQ_ENTRY(BusClient) entry;
};

struct Bus {
    Supervisor *supervisor;
    Listener *listener;
    sd_bus_vtable *pod_vtable;
    sd_id128_t id;
    struct BusClients clients;
    unsigned n_clients;
};

static BusClient *client_free(BusClient *c)
{
    TAILQ_REMOVE(&c->owner->clients, c, entry);
    c->owner->n_clients--;
    sd_bus_close_unref(c->bus);
    free(c);
    return NULL;
}

/* --- the object of podvisord --------------------------------------------------------------------------------------- */

static char *pod_path(const char *name)
{
    char *path = NULL;

    return sd_bus_path_encode(BUS_PODS_PATH, name, &path) < 0 ? NULL : path;
}

static int on_get_pod(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Bus *b = userdata;
    const char *name;

    int r = sd_bus_message_read(m, "s", &name);
    if (r < 0)
        return r;
    if (!supervisor_find(b->supervisor, name))
        return sd_bus_error_setf(error, "org.podvisor.Error.NoSuchPod",
                                 "There is no pod \"%s\". `podvisor list` shows those there are.", name);
    _cleanup_(freep) char *path = pod_path(name);
    return path ? sd_bus_reply_method_return(m, "o", path) : -ENOMEM;
}

static int on_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Bus *b = userdata;
    _cleanup_(strv_freep) char **errors = NULL;

    int r = supervisor_reload(b->supervisor, &errors);
    if (r < 0)
        return r;
    if (strv_length(errors) == 0)
        return sd_bus_reply_method_return(m, "");
    _cleanup_(freep) char *text = strv_join(errors, "\n");
    return sd_bus_error_setf(
        error, "org.podvisor.Error.BadDefinition",
        "All definitions were read; these have errors, and what was right before goes on:\n%s", text ?: "");
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const Bus *b = userdata;
    uint32_t n = streq(property, "PodsTotal") ? (uint32_t)b->supervisor->n_pods : b->supervisor->starts;

    return sd_bus_message_append(reply, "u", n);
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    return sd_bus_message_append(reply, "s", PODVISOR_VERSION);
}

static const sd_bus_vtable manager_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("PodsTotal", "u", get_number, 0, 0),
    SD_BUS_PROPERTY("StartsInFlight", "u", get_number, 0, 0),
    SD_BUS_METHOD_WITH_ARGS("GetPod", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", pod), on_get_pod,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_reload,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* --- the objects of pods ------------------------------------------------------------------------------------------- */

static int find_pod(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                    sd_bus_error *error)
{
    Bus *b = userdata;
    _cleanup_(freep) char *name = NULL;

    int r = sd_bus_path_decode(path, BUS_PODS_PATH, &name);
    if (r <= 0)
        return r;
    Pod *pod = supervisor_find(b->supervisor, name);
    if (!pod)
        return 0;
    *ret_found = pod;
    return 1;
}

static int list_pods(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error)
{
    const Bus *b = userdata;
    _cleanup_(strv_freep) char **paths = calloc(b->supervisor->n_pods + 1, sizeof *paths);

    if (!paths)
        return -ENOMEM;
    for (size_t i = 0; i < b->supervisor->n_pods; i++)
        if (!(paths[i] = pod_path(b->supervisor->pods[i]->name)))
            return -ENOMEM;
    *ret = take_ptr(paths);
    return 0;
}

/* --- connections ---------------------------------------------------------------------------------------------------- */

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    client_free(userdata);
    return 0;
}

static int add_objects(BusClient *c)
{
    Bus *b = c->owner;

    int r = sd_bus_add_object_vtable(c->bus, NULL, BUS_PATH, BUS_NAME, manager_vtable, b);
    if (r >= 0)
        r = sd_bus_add_fallback_vtable(c->bus, NULL, BUS_PODS_PATH, BUS_POD_INTERFACE, b->pod_vtable,
                                       find_pod, b);
    if (r >= 0)
        r = sd_bus_add_node_enumerator(c->bus, NULL, BUS_PODS_PATH, list_pods, b);
    if (r >= 0)
        r = sd_bus_add_object_manager(c->bus, NULL, BUS_PATH);
    return r;
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
        r = add_objects(c);
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
    if (r < 0)
        return r;
    *ret = take_ptr(b);
    return 0;
}

Bus *bus_free(Bus *b)
{
    if (!b)
        return NULL;
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

static void emit(Bus *b, const Pod *pod, SignalFunc func, void *what)
{
    _cleanup_(freep) char *path = pod_path(pod->name);
    uint64_t unread;

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
    if (!b || TAILQ_EMPTY(&b->clients))
        return;
    _cleanup_(strv_freep) char **names = bus_pod_changes(pod);
    if (names)
        emit(b, pod, emit_changed, names);
}
