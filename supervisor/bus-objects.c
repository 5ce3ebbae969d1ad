/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of the API, for whichever connection they are served on. */
#include "base/strings.h"
#include "schemas/schema-bus.h"
#include "supervisor/bus-internal.h"
#include "supervisor/networks.h"

/* --- the object of podvisord --------------------------------------------------------------------------------------- */

char *bus_pod_path(const char *name)
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
    _cleanup_(freep) char *path = bus_pod_path(name);
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

static int on_list_networks(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Bus *b = userdata;
    sd_bus_message *reply = NULL;
    NetworkList list;

    int r = networks_show(b->supervisor->networks, &list);
    if (r < 0)
        return r;
    r = sd_bus_message_new_method_return(m, &reply);
    if (r >= 0)
        r = schema_bus_append(reply, &network_list_schema, &list);
    if (r >= 0)
        r = sd_bus_message_send(reply);
    sd_bus_message_unref(reply);
    schema_done(&network_list_schema, &list);
    return r < 0 ? r : 1;
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

const sd_bus_vtable bus_manager_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("PodsTotal", "u", get_number, 0, 0),
    SD_BUS_PROPERTY("StartsInFlight", "u", get_number, 0, 0),
    SD_BUS_METHOD_WITH_ARGS("GetPod", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", pod), on_get_pod,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_reload,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ListNetworks", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", networks),
                            on_list_networks, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static const struct {
    const char *member;
    const char *doc;
} property_docs[] = {
    { "Version", "The version of podvisord." },
    { "PodsTotal", "How many pods there are, of whatever state." },
    { "StartsInFlight", "How many pods are being started." },
};

const char *bus_manager_property_doc(const char *member)
{
    TABLE_FOREACH (row, property_docs)
        if (streq(row->member, member))
            return row->doc;
    return NULL;
}

/* --- the objects of pods ------------------------------------------------------------------------------------------- */

Pod *bus_find_pod(Bus *b, const char *path)
{
    _cleanup_(freep) char *name = NULL;

    return sd_bus_path_decode(path, BUS_PODS_PATH, &name) > 0 ? supervisor_find(b->supervisor, name) : NULL;
}

static int find_pod(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                    sd_bus_error *error)
{
    Pod *pod = bus_find_pod(userdata, path);

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
        if (!(paths[i] = bus_pod_path(b->supervisor->pods[i]->name)))
            return -ENOMEM;
    *ret = take_ptr(paths);
    return 0;
}

int bus_add_objects(Bus *b, sd_bus *bus, BusObjects *ret)
{
    int r = sd_bus_add_object_vtable(bus, &ret->slots[0], BUS_PATH, BUS_NAME, bus_manager_vtable, b);
    if (r >= 0)
        r = sd_bus_add_fallback_vtable(bus, &ret->slots[1], BUS_PODS_PATH, BUS_POD_INTERFACE, b->pod_vtable,
                                       find_pod, b);
    if (r >= 0)
        r = sd_bus_add_node_enumerator(bus, &ret->slots[2], BUS_PODS_PATH, list_pods, b);
    if (r >= 0)
        r = sd_bus_add_object_manager(bus, &ret->slots[3], BUS_PATH);
    return r;
}

void bus_objects_done(BusObjects *o)
{
    TABLE_FOREACH (slot, o->slots)
        *slot = sd_bus_slot_unref(*slot);
}
