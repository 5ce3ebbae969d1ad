/* SPDX-License-Identifier: Apache-2.0 */
/* Pods through the API: reading them, and telling them to do something. */
#include <fcntl.h>

#include "base/strings.h"
#include "cli/client-internal.h"
#include "cli/exit-status.h"
#include "cli/password-agent.h"
#include "schemas/schema-bus.h"

#define BUS_POD_PREFIX BUS_PATH "/pod"
#define HUMAN_TIMEOUT (6 * 60 * USEC_PER_SEC) /* podvisord gives up before */

/* --- reading pods ----------------------------------------------------------------------------------------------- */

typedef struct Reply {
    sd_bus_message *message;
    sd_bus_error error;
} Reply;

static void reply_done(Reply *r)
{
    sd_bus_message_unref(r->message);
    sd_bus_error_free(&r->error);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const PodStatus *)a)->name ?: "", ((const PodStatus *)b)->name ?: "");
}

static int list_append(PodList *list, PodStatus *status)
{
    PodStatus *items = reallocarray(list->items, list->n_items + 1, sizeof *items);

    if (!items)
        return -ENOMEM;
    list->items = items;
    items[list->n_items++] = *status;
    return 0;
}

/* At a{sv} of a pod's properties. */
static int read_pod(sd_bus_message *m, PodList *list)
{
    PodStatus status;

    int r = schema_init(&pod_status_schema, &status);
    if (r < 0)
        return r;
    r = schema_bus_read(m, &pod_status_schema, &status);
    if (r >= 0)
        r = list_append(list, &status);
    if (r < 0)
        schema_done(&pod_status_schema, &status);
    return r;
}

/* At a{sa{sv}}: the interfaces of one object, of which a pod's is wanted. */
static int read_object(sd_bus_message *m, PodList *list)
{
    const char *interface;

    int r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
        if ((r = sd_bus_message_read_basic(m, 's', &interface)) < 0)
            return r;
        r = streq(interface, BUS_POD_INTERFACE) ? read_pod(m, list) : sd_bus_message_skip(m, "a{sv}");
        if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_objects(sd_bus_message *m, PodList *list)
{
    const char *path;

    int r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0) {
        if ((r = sd_bus_message_read_basic(m, 'o', &path)) < 0 || (r = read_object(m, list)) < 0 ||
            (r = sd_bus_message_exit_container(m)) < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

int client_list(Client *client, PodList *ret)
{
    _cleanup_(reply_done) Reply reply = { 0 };
    PodList list = { 0 };

    int r =
        sd_bus_call_method(client->bus, client->destination, BUS_PATH, "org.freedesktop.DBus.ObjectManager",
                           "GetManagedObjects", &reply.error, &reply.message, "");
    if (r < 0)
        return client_complain(client, NULL, &reply.error, r);
    r = read_objects(reply.message, &list);
    if (r < 0) {
        pod_list_done(&list);
        return client_complain_reading(r);
    }
    if (list.n_items > 0)
        qsort(list.items, list.n_items, sizeof *list.items, by_name);
    *ret = list;
    return STATUS_OK;
}

void pod_list_done(PodList *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        schema_done(&pod_status_schema, &list->items[i]);
    free(list->items);
    *list = (PodList){ 0 };
}

static char *pod_path(const char *pod)
{
    char *path = NULL;
    return sd_bus_path_encode(BUS_POD_PREFIX, pod, &path) < 0 ? NULL : path;
}

int client_get(Client *client, const char *pod, PodStatus *ret, bool *ret_absent)
{
    _cleanup_(freep) char *path = pod_path(pod);
    _cleanup_(reply_done) Reply reply = { 0 };
    PodList list = { 0 };

    if (ret_absent)
        *ret_absent = false;
    int r =
        path ? sd_bus_call_method(client->bus, client->destination, path, "org.freedesktop.DBus.Properties",
                                  "GetAll", &reply.error, &reply.message, "s", BUS_POD_INTERFACE)
             : -ENOMEM;
    if (r < 0 && ret_absent && sd_bus_error_has_name(&reply.error, SD_BUS_ERROR_UNKNOWN_OBJECT)) {
        *ret_absent = true;
        return STATUS_OK;
    }
    if (r < 0)
        return client_complain(client, pod, &reply.error, r);
    r = read_pod(reply.message, &list);
    if (r < 0)
        return client_complain_reading(r);
    *ret = list.items[0];
    free(list.items);
    return STATUS_OK;
}

int client_networks(Client *client, NetworkList *ret)
{
    _cleanup_(reply_done) Reply reply = { 0 };
    NetworkList list = { 0 };

    int r = sd_bus_call_method(client->bus, client->destination, BUS_PATH, BUS_INTERFACE, "ListNetworks",
                               &reply.error, &reply.message, "");
    if (r < 0)
        return client_complain(client, NULL, &reply.error, r);
    r = schema_bus_read(reply.message, &network_list_schema, &list);
    if (r < 0) {
        schema_done(&network_list_schema, &list);
        return client_complain_reading(r);
    }
    *ret = list;
    return STATUS_OK;
}

/* --- acting ----------------------------------------------------------------------------------------------------- */

/* The same call once more, for which a human may be asked, who takes his time. */
static int call_again_with_password(Client *client, sd_bus_message *m, Reply *reply)
{
    sd_bus_message *again = NULL;
    pid_t agent = 0;

    reply_done(reply);
    *reply = (Reply){ 0 };
    int r = sd_bus_message_new_method_call(client->bus, &again, sd_bus_message_get_destination(m),
                                           sd_bus_message_get_path(m), sd_bus_message_get_interface(m),
                                           sd_bus_message_get_member(m));
    if (r >= 0)
        r = sd_bus_message_rewind(m, true);
    if (r >= 0)
        r = sd_bus_message_copy(again, m, true);
    if (r >= 0)
        r = sd_bus_message_set_allow_interactive_authorization(again, true);
    if (r >= 0)
        r = password_agent_start(&agent);
    if (r >= 0)
        r = sd_bus_call(client->bus, again, HUMAN_TIMEOUT, &reply->error, &reply->message);
    password_agent_stop(agent);
    sd_bus_message_unref(again);
    return r;
}

/* Takes m. */
static int call_with_rights(Client *client, sd_bus_message *m, Reply *reply)
{
    int r = sd_bus_call(client->bus, m, 0, &reply->error, &reply->message);

    if (r < 0 && sd_bus_error_has_name(&reply->error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
        r = call_again_with_password(client, m, reply);
    sd_bus_message_unref(m);
    return r;
}

int client_call(Client *client, const char *pod, const char *method)
{
    _cleanup_(freep) char *path = pod ? pod_path(pod) : strdup(BUS_PATH);
    _cleanup_(reply_done) Reply reply = { 0 };
    sd_bus_message *m = NULL;

    int r = path ? sd_bus_message_new_method_call(client->bus, &m, client->destination, path,
                                                  pod ? BUS_POD_INTERFACE : BUS_INTERFACE, method)
                 : -ENOMEM;
    if (r >= 0)
        r = call_with_rights(client, m, &reply);
    return r < 0 ? client_complain(client, pod, &reply.error, r) : STATUS_OK;
}

void client_refresh(Client *client)
{
    _cleanup_(reply_done) Reply reply = { 0 };

    (void)sd_bus_call_method(client->bus, client->destination, BUS_PATH, BUS_INTERFACE, "Reload",
                             &reply.error, &reply.message, "");
}

static int exec_message(Client *client, const char *path, const ExecCall *call, sd_bus_message **ret)
{
    sd_bus_message *m = NULL;

    int r =
        sd_bus_message_new_method_call(client->bus, &m, client->destination, path, BUS_POD_INTERFACE, "Exec");
    if (r >= 0)
        r = sd_bus_message_append(m, "s", call->container);
    if (r >= 0)
        r = sd_bus_message_append_strv(m, call->command);
    if (r >= 0)
        r = sd_bus_message_append_strv(m, call->environment);
    if (r >= 0)
        r = sd_bus_message_append(m, "ssbuu", call->working_dir ?: "", call->user ?: "", (int)call->terminal,
                                  call->rows, call->columns);
    if (r < 0)
        sd_bus_message_unref(m);
    else
        *ret = m;
    return r;
}

/* Takes m, which may be NULL with r saying why. attached: NULL, or what the answer says beside the descriptor. */
static int call_for_stream(Client *client, const char *pod, sd_bus_message *m, int r, int *ret_fd,
                           AttachAnswer *attached)
{
    _cleanup_(reply_done) Reply reply = { 0 };
    int fd, input = 0, terminal = 0;

    if (r >= 0)
        r = call_with_rights(client, m, &reply);
    if (r < 0)
        return client_complain(client, pod, &reply.error, r);
    r = sd_bus_message_read_basic(reply.message, 'h', &fd);
    if (r >= 0 && attached)
        r = sd_bus_message_read(reply.message, "bb", &input, &terminal);
    if (r < 0)
        return client_complain_reading(r);
    if (attached)
        *attached = (AttachAnswer){ .input = input, .terminal = terminal };
    /* The message owns the descriptor that it came with. */
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return *ret_fd < 0 ? client_complain_reading(-errno) : STATUS_OK;
}

int client_exec(Client *client, const ExecCall *call, int *ret_fd)
{
    _cleanup_(freep) char *path = pod_path(call->pod);
    sd_bus_message *m = NULL;
    int r = path ? exec_message(client, path, call, &m) : -ENOMEM;

    return call_for_stream(client, call->pod, m, r, ret_fd, NULL);
}

int client_attach(Client *client, const AttachCall *call, int *ret_fd, AttachAnswer *ret)
{
    _cleanup_(freep) char *path = pod_path(call->pod);
    sd_bus_message *m = NULL;

    int r = path ? sd_bus_message_new_method_call(client->bus, &m, client->destination, path,
                                                  BUS_POD_INTERFACE, "Attach")
                 : -ENOMEM;
    if (r >= 0 && (r = sd_bus_message_append(m, "suu", call->container, call->rows, call->columns)) < 0)
        sd_bus_message_unref(m);
    return call_for_stream(client, call->pod, m, r, ret_fd, ret);
}

static const struct {
    const char *method;
    bool path, directory; /* among its arguments */
} task_methods[TASK_MAX] = {
    [TASK_COPY_IN] = { "CopyIn", true, true },        [TASK_COPY_OUT] = { "CopyOut", true, false },
    [TASK_PROCESSES] = { "Processes", false, false }, [TASK_STATISTICS] = { "Statistics", false, false },
    [TASK_PING] = { "PingAgent", false, false },
};

static int task_message(Client *client, const char *path, const TaskCall *call, sd_bus_message **ret)
{
    sd_bus_message *m = NULL;

    int r = sd_bus_message_new_method_call(client->bus, &m, client->destination, path, BUS_POD_INTERFACE,
                                           task_methods[call->task].method);
    if (r >= 0 && task_is_of_container(call->task))
        r = sd_bus_message_append(m, "s", call->container);
    if (r >= 0 && task_methods[call->task].path)
        r = sd_bus_message_append_array(m, 'y', call->path, strlen(call->path));
    if (r >= 0 && task_methods[call->task].directory)
        r = sd_bus_message_append(m, "b", (int)call->directory);
    if (r < 0)
        sd_bus_message_unref(m);
    else
        *ret = m;
    return r;
}

int client_task(Client *client, const TaskCall *call, int *ret_fd)
{
    _cleanup_(freep) char *path = pod_path(call->pod);
    sd_bus_message *m = NULL;
    int r = path ? task_message(client, path, call, &m) : -ENOMEM;

    return call_for_stream(client, call->pod, m, r, ret_fd, NULL);
}
