/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that had to wait for their permission. sd-bus looks for a call's object and method at once or never, so those that
 * come later are found here, by the same vtables.
 */
#include "base/strings.h"
#include "supervisor/bus-internal.h"

#define PEER "org.freedesktop.DBus.Peer"
#define INTROSPECTABLE "org.freedesktop.DBus.Introspectable"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

/* An object with its interface. */
typedef struct Object {
    const char *path;
    const char *interface;
    const sd_bus_vtable *vtable;
    void *userdata;
} Object;

static Object pod_object(Bus *b, const char *path, Pod *pod)
{
    return (Object){ path, BUS_POD_INTERFACE, b->pod_vtable, pod };
}

/* 0, or -ENOENT with the error set: no such object, or not with this interface ("" is any). */
static int find_object(Bus *b, sd_bus_message *m, const char *interface, Object *ret, sd_bus_error *error)
{
    const char *path = sd_bus_message_get_path(m);
    Pod *pod = bus_find_pod(b, path);
    Object object = pod ? pod_object(b, path, pod) : (Object){ path, BUS_NAME, bus_manager_vtable, b };

    if (!pod && !streq(path, BUS_PATH)) {
        sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "There is no object %s.", path);
        return -ENOENT;
    }
    if (*interface && !streq(interface, object.interface)) {
        sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_INTERFACE, "The object %s has no interface %s.", path,
                          interface);
        return -ENOENT;
    }
    *ret = object;
    return 0;
}

/* --- methods of ours ------------------------------------------------------------------------------------------------ */

static int call_vtable(Bus *b, sd_bus_message *m, sd_bus_error *error)
{
    Object object;

    int r = find_object(b, m, sd_bus_message_get_interface(m), &object, error);
    if (r < 0)
        return r;
    VTABLE_FOREACH (row, object.vtable)
        if (row->type == _SD_BUS_VTABLE_METHOD && streq(row->x.method.member, sd_bus_message_get_member(m)))
            return row->x.method.handler(m, object.userdata, error);
    return -ENOSYS;
}

/* --- properties ----------------------------------------------------------------------------------------------------- */

static int append_value(sd_bus_message *reply, const Object *o, const sd_bus_vtable *row, sd_bus_error *error)
{
    int r = sd_bus_message_open_container(reply, 'v', row->x.property.signature);
    if (r >= 0)
        r = row->x.property.get(sd_bus_message_get_bus(reply), o->path, o->interface, row->x.property.member,
                                reply, o->userdata, error);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_properties(sd_bus_message *reply, const Object *o, sd_bus_error *error)
{
    int r = sd_bus_message_open_container(reply, 'a', "{sv}");

    VTABLE_FOREACH (row, o->vtable) {
        if (r < 0 || row->type != _SD_BUS_VTABLE_PROPERTY)
            continue;
        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
            r = sd_bus_message_append(reply, "s", row->x.property.member);
        if (r >= 0)
            r = append_value(reply, o, row, error);
        if (r >= 0)
            r = sd_bus_message_close_container(reply);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Takes reply. */
static int send_reply(int r, sd_bus_message *reply)
{
    if (r >= 0)
        r = sd_bus_message_send(reply);
    sd_bus_message_unref(reply);
    return r;
}

static int call_get(Bus *b, sd_bus_message *m, sd_bus_error *error)
{
    const char *interface, *name;
    sd_bus_message *reply = NULL;
    Object object;

    int r = sd_bus_message_read(m, "ss", &interface, &name);
    if (r >= 0)
        r = find_object(b, m, interface, &object, error);
    if (r < 0)
        return r;
    VTABLE_FOREACH (row, object.vtable) {
        if (row->type != _SD_BUS_VTABLE_PROPERTY || !streq(row->x.property.member, name))
            continue;
        r = sd_bus_message_new_method_return(m, &reply);
        return send_reply(r < 0 ? r : append_value(reply, &object, row, error), reply);
    }
    return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_PROPERTY, "%s has no property %s.", object.interface,
                             name);
}

static int call_get_all(Bus *b, sd_bus_message *m, sd_bus_error *error)
{
    sd_bus_message *reply = NULL;
    const char *interface;
    Object object;

    int r = sd_bus_message_read(m, "s", &interface);
    if (r >= 0)
        r = find_object(b, m, interface, &object, error);
    if (r >= 0)
        r = sd_bus_message_new_method_return(m, &reply);
    return send_reply(r < 0 ? r : append_properties(reply, &object, error), reply);
}

/* --- all objects ---------------------------------------------------------------------------------------------------- */

static int append_object(sd_bus_message *reply, const Object *o, sd_bus_error *error)
{
    int r = sd_bus_message_open_container(reply, 'e', "oa{sa{sv}}");
    if (r >= 0)
        r = sd_bus_message_append(reply, "o", o->path);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "{sa{sv}}");
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'e', "sa{sv}");
    if (r >= 0)
        r = sd_bus_message_append(reply, "s", o->interface);
    if (r >= 0)
        r = append_properties(reply, o, error);
    for (int i = 0; r >= 0 && i < 3; i++)
        r = sd_bus_message_close_container(reply);
    return r;
}

static int append_objects(Bus *b, sd_bus_message *reply, sd_bus_error *error)
{
    int r = sd_bus_message_open_container(reply, 'a', "{oa{sa{sv}}}");

    for (size_t i = 0; r >= 0 && i < b->supervisor->n_pods; i++) {
        Pod *pod = b->supervisor->pods[i];
        _cleanup_(freep) char *path = bus_pod_path(pod->name);
        Object object = pod_object(b, path, pod);
        r = path ? append_object(reply, &object, error) : -ENOMEM;
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int call_managed_objects(Bus *b, sd_bus_message *m, sd_bus_error *error)
{
    sd_bus_message *reply = NULL;
    Object object;

    int r = find_object(b, m, BUS_NAME, &object, error);
    if (r >= 0)
        r = sd_bus_message_new_method_return(m, &reply);
    return send_reply(r < 0 ? r : append_objects(b, reply, error), reply);
}

/* --- which there are ------------------------------------------------------------------------------------------------ */

const BusMethod bus_methods[] = {
    { PEER, "Ping", EFFECT_MAX },
    { PEER, "GetMachineId", EFFECT_MAX },
    { INTROSPECTABLE, "Introspect", EFFECT_MAX },
    { PROPERTIES, "Get", EFFECT_READ, "ss", call_get },
    { PROPERTIES, "GetAll", EFFECT_READ, "s", call_get_all },
    { OBJECT_MANAGER, "GetManagedObjects", EFFECT_READ, "", call_managed_objects },
    { BUS_NAME, "GetPod", EFFECT_READ, "s", call_vtable, "The object of the pod with this name." },
    { BUS_NAME, "Reload", EFFECT_MANAGE, "", call_vtable,
      "Reads all definitions again, at once. Without it, a change takes effect soon after the file is "
      "written." },
    { BUS_NAME, "ListNetworks", EFFECT_READ, "", call_vtable,
      "The networks that podvisord manages, which podvisor network list shows: \"Networks\", an array of "
      "dictionaries, with the pods that have an address on each." },
    { BUS_POD_INTERFACE, "Start", EFFECT_MANAGE, "", call_vtable,
      "Lifts a hold and starts the pod; a back-off is over." },
    { BUS_POD_INTERFACE, "Stop", EFFECT_MANAGE, "", call_vtable, "Stops the pod and holds it." },
    { BUS_POD_INTERFACE, "Restart", EFFECT_MANAGE, "", call_vtable,
      "Stops the pod and starts it again; lifts a hold." },
    { BUS_POD_INTERFACE, "Kill", EFFECT_MANAGE, "", call_vtable, "Kills the machine and holds the pod." },
    { BUS_POD_INTERFACE, "Pause", EFFECT_MANAGE, "", call_vtable, "Halts the machine where it is." },
    { BUS_POD_INTERFACE, "Resume", EFFECT_MANAGE, "", call_vtable, "Lets a paused machine go on." },
    { BUS_POD_INTERFACE, "Adopt", EFFECT_MANAGE, "", call_vtable,
      "Of an indeterminate pod: takes the machine over if it proves its identity." },
    { BUS_POD_INTERFACE, "Forget", EFFECT_MANAGE, "", call_vtable,
      "Of an indeterminate pod: drops what is recorded, if nothing runs." },
    { BUS_POD_INTERFACE, "Exec", EFFECT_EXEC, "sasasssbuu", call_vtable,
      "Runs a program in a container. An empty working_dir or user is the container's; rows and columns "
      "count with a terminal. The descriptor is a socket that carries the program's streams and its end, as "
      "podvisor exec uses it." },
    { BUS_POD_INTERFACE, "Attach", EFFECT_EXEC, "suu", call_vtable,
      "Attaches to a container's own program, with a terminal of rows and columns, or 0 for none. The "
      "descriptor carries what the program writes from now on and how it ends, and to it what it reads, if "
      "input says that it can be given any; with terminal, its streams are one. Closing it ends nothing." },
    { BUS_POD_INTERFACE, "CopyIn", EFFECT_EXEC, "sayb", call_vtable,
      "Unpacks a tar archive in a container, below path, which has to be a directory that is there if "
      "directory says so. The descriptor carries the archive as standard input, and complaints, each ended "
      "by "
      "a NUL, as standard error; it is used as that of Exec." },
    { BUS_POD_INTERFACE, "CopyOut", EFFECT_EXEC, "say", call_vtable,
      "Packs a file or directory of a container. The archive comes as standard output." },
    { BUS_POD_INTERFACE, "Processes", EFFECT_EXEC, "s", call_vtable,
      "The processes of a container, which podvisor top shows: as msgpack, on standard output." },
    { BUS_POD_INTERFACE, "Statistics", EFFECT_READ, "", call_vtable,
      "What the containers of the pod have used, which podvisor stats shows: as msgpack, on standard "
      "output." },
    { BUS_POD_INTERFACE, "PingAgent", EFFECT_MANAGE, "", call_vtable,
      "Asks the agent in the machine for an answer, which podvisor agent shows: as msgpack, on standard "
      "output." },
};
const size_t n_bus_methods = ELEMENTSOF(bus_methods);

const BusMethod *bus_find_method(const char *interface, const char *member)
{
    TABLE_FOREACH (row, bus_methods)
        if (interface && streq(row->interface, interface) && streq(row->member, member))
            return row;
    return NULL;
}

/* --- calling -------------------------------------------------------------------------------------------------------- */

static int measure_text(sd_bus_message *m, size_t limit, size_t *weight)
{
    const char *text;
    int r;

    while (*weight <= limit && (r = sd_bus_message_read_basic(m, 's', &text)) > 0)
        *weight += strlen(text) + sizeof text;
    return *weight > limit ? -E2BIG : r;
}

static int measure_array(sd_bus_message *m, char type, size_t limit, size_t *weight)
{
    const void *data;
    size_t size;

    if (type == 'y') {
        int e = sd_bus_message_read_array(m, 'y', &data, &size);
        if (e < 0)
            return e;
        *weight += size;
        return *weight > limit ? -E2BIG : 0;
    }
    int r = sd_bus_message_enter_container(m, 'a', "s");
    if (r >= 0)
        r = measure_text(m, limit, weight);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int measure_basic(sd_bus_message *m, char type, size_t limit, size_t *weight)
{
    union {
        uint32_t number;
        const char *text;
    } value;

    int r = sd_bus_message_read_basic(m, type, &value);
    if (r < 0)
        return r;
    *weight += type == 's' ? strlen(value.text) + sizeof value : sizeof value;
    return *weight > limit ? -E2BIG : 0;
}

int bus_measure(sd_bus_message *m, const char *signature, size_t limit, size_t *ret)
{
    size_t weight = 0;
    int r = 0;

    for (const char *p = signature; r >= 0 && *p; p += *p == 'a' ? 2 : 1)
        r = *p == 'a' ? measure_array(m, p[1], limit, &weight) : measure_basic(m, *p, limit, &weight);
    if (r >= 0)
        r = sd_bus_message_rewind(m, true);
    if (r < 0)
        return r;
    *ret = weight;
    return 0;
}

void bus_dispatch(Bus *b, const BusMethod *method, sd_bus_message *m)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;

    int r = method->call(b, m, &error);
    if (sd_bus_error_is_set(&error))
        (void)sd_bus_reply_method_error(m, &error);
    else if (r < 0)
        (void)sd_bus_reply_method_errno(m, r, NULL);
    sd_bus_error_free(&error);
}
