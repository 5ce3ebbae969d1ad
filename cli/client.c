/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/exit-status.h"
#include "cli/text.h"
#include "schemas/schema-bus.h"

#define BUS_PATH "/org/podvisor/Supervisor1"
#define BUS_POD_PREFIX BUS_PATH "/pod"
#define BUS_INTERFACE "org.podvisor.Supervisor1"
#define BUS_POD_INTERFACE BUS_INTERFACE ".Pod"
#define BUS_ERROR_PREFIX "org.podvisor.Error."

struct Client {
    sd_bus *bus;
    char *socket; /* path, for messages */
    pid_t pid;    /* of who answers there; 0: unknown */
    bool changed; /* a pod has, since client_next_change() last said so */
};

/* --- failures --------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name; /* behind BUS_ERROR_PREFIX */
    int status;
} error_statuses[] = {
    { "NoSuchPod", STATUS_NO_SUCH_POD },  { "NoSuchContainer", STATUS_NO_SUCH_POD },
    { "NotRunning", STATUS_NOT_RUNNING }, { "Indeterminate", STATUS_FAILURE },
    { "NoDefinition", STATUS_FAILURE },   { "Refused", STATUS_FAILURE },
    { "Timeout", STATUS_TIMEOUT },
};

static int complain_silence(const Client *client)
{
    if (client->pid > 0)
        log_error(
            "podvisord (process %d) does not answer within %us; `ps -o stat,wchan %d` shows what it is at",
            (int)client->pid, (unsigned)(CLIENT_TIMEOUT / USEC_PER_SEC), (int)client->pid);
    else
        log_error("podvisord does not answer on %s", client->socket);
    return STATUS_NO_DAEMON;
}

static bool is_silence(int error)
{
    return error == -ETIMEDOUT || error == -ETIME;
}

static bool is_gone(int error)
{
    return error == -ECONNRESET || error == -ENOTCONN || error == -EPIPE || error == -ESHUTDOWN;
}

static int complain_transport(const Client *client, int error)
{
    if (is_silence(error))
        return complain_silence(client);
    if (is_gone(error)) {
        log_error("podvisord has closed the connection; its log says why: journalctl -u podvisord");
        return STATUS_NO_DAEMON;
    }
    log_error_errno(error, "podvisord cannot be asked");
    return STATUS_FAILURE;
}

/* podvisord's own words, which may be several lines. */
static void say(const char *what, const char *text)
{
    _cleanup_(strv_freep) char **lines = strv_split(text, "\n");

    STRV_FOREACH (line, lines)
        log_error("%s%s%s", what ?: "", what ? ": " : "", *line);
}

/* what: the pod, or NULL for podvisord itself. error may hold nothing. */
static int complain_call(const Client *client, const char *what, const sd_bus_error *error, int r)
{
    const char *name = error->name ? str_after(error->name, BUS_ERROR_PREFIX) : NULL;

    if (name) {
        say(what, error->message ?: name);
        TABLE_FOREACH (row, error_statuses)
            if (streq(row->name, name))
                return row->status;
        return STATUS_FAILURE;
    }
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT) && what) {
        log_error("%s: there is no such pod; `podvisor list` shows all", what);
        return STATUS_NO_SUCH_POD;
    }
    if (!sd_bus_error_is_set(error) || sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) || is_gone(r) ||
        is_silence(r))
        return complain_transport(client, r < 0 ? r : -ECONNRESET);
    say(what, error->message ?: error->name);
    return STATUS_FAILURE;
}

static int complain_connect(const Context *c, const Client *client, int error)
{
    const char *start = c->paths.mode == PATHS_SYSTEM ? "systemctl start podvisord"
                        : c->paths.mode == PATHS_USER ? "systemctl --user start podvisord"
                                                      : NULL;

    if (error == -EACCES || error == -EPERM)
        log_error("podvisord's socket %s may not be used by this user; try it as root", client->socket);
    else if (error != -ENOENT && error != -ECONNREFUSED)
        log_error_errno(error, "podvisord's socket %s cannot be connected to", client->socket);
    else if (start)
        log_error("podvisord is not running: nobody listens on %s; start it: %s", client->socket, start);
    else {
        _cleanup_(freep) char *root = strndup(c->paths.run, strlen(c->paths.run) - strlen("/run"));
        log_error("podvisord is not running: nobody listens on %s; start it: podvisord --root %s",
                  client->socket, root ?: "DIR");
    }
    return STATUS_NO_DAEMON;
}

/* --- connecting ------------------------------------------------------------------------------------------------- */

static int connect_socket(const Context *c)
{
    _cleanup_(closep) int run = dir_open_at(AT_FDCWD, c->paths.run);

    return run < 0 ? run : socket_connect_at(run, PATHS_BUS, SOCK_STREAM | SOCK_NONBLOCK);
}

/* sd_bus_call() would wait for the authentication without our deadline, so that is done first. */
static int wait_until_ready(sd_bus *bus, usec_t deadline)
{
    for (;;) {
        int r = sd_bus_is_ready(bus);
        if (r != 0)
            return r;
        if ((r = sd_bus_process(bus, NULL)) < 0)
            return r;
        if (r > 0)
            continue;
        usec_t left = usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
        if (left == 0)
            return -ETIMEDOUT;
        if ((r = sd_bus_wait(bus, left)) < 0 && r != -EINTR)
            return r;
    }
}

static int bus_start(sd_bus *bus, int *fd)
{
    int r = sd_bus_set_fd(bus, *fd, *fd);
    if (r < 0)
        return r;
    take_fd(fd);
    if ((r = sd_bus_negotiate_fds(bus, true)) < 0 || (r = sd_bus_start(bus)) < 0)
        return r;
    if ((r = sd_bus_set_method_call_timeout(bus, CLIENT_TIMEOUT)) < 0)
        return r;
    return wait_until_ready(bus, usec_add(now_usec(CLOCK_MONOTONIC), CLIENT_TIMEOUT));
}

int client_open(const Context *c, Client **ret)
{
    _cleanup_(client_freep) Client *client = calloc(1, sizeof *client);
    _cleanup_(closep) int fd = -1;
    uid_t uid;

    if (!client || !(client->socket = strf("%s/" PATHS_BUS, c->paths.run)) || sd_bus_new(&client->bus) < 0) {
        log_error("Out of memory");
        return STATUS_FAILURE;
    }
    fd = connect_socket(c);
    if (fd < 0)
        return complain_connect(c, client, fd);
    (void)socket_peer(fd, &client->pid, &uid);
    int r = bus_start(client->bus, &fd);
    if (r < 0)
        return complain_transport(client, r);
    *ret = take_ptr(client);
    return STATUS_OK;
}

Client *client_free(Client *client)
{
    if (client) {
        sd_bus_close_unref(client->bus);
        free(client->socket);
    }
    free(client);
    return NULL;
}

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

static int complain_reading(int error)
{
    log_error_errno(error, "podvisord's answer cannot be understood; is it of another version?");
    return STATUS_FAILURE;
}

int client_list(Client *client, PodList *ret)
{
    _cleanup_(reply_done) Reply reply = { 0 };
    PodList list = { 0 };

    int r = sd_bus_call_method(client->bus, NULL, BUS_PATH, "org.freedesktop.DBus.ObjectManager",
                               "GetManagedObjects", &reply.error, &reply.message, "");
    if (r < 0)
        return complain_call(client, NULL, &reply.error, r);
    r = read_objects(reply.message, &list);
    if (r < 0) {
        pod_list_done(&list);
        return complain_reading(r);
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
    int r = path ? sd_bus_call_method(client->bus, NULL, path, "org.freedesktop.DBus.Properties", "GetAll",
                                      &reply.error, &reply.message, "s", BUS_POD_INTERFACE)
                 : -ENOMEM;
    if (r < 0 && ret_absent && sd_bus_error_has_name(&reply.error, SD_BUS_ERROR_UNKNOWN_OBJECT)) {
        *ret_absent = true;
        return STATUS_OK;
    }
    if (r < 0)
        return complain_call(client, pod, &reply.error, r);
    r = read_pod(reply.message, &list);
    if (r < 0)
        return complain_reading(r);
    *ret = list.items[0];
    free(list.items);
    return STATUS_OK;
}

/* --- acting ----------------------------------------------------------------------------------------------------- */

int client_call(Client *client, const char *pod, const char *method)
{
    _cleanup_(freep) char *path = pod ? pod_path(pod) : strdup(BUS_PATH);
    _cleanup_(reply_done) Reply reply = { 0 };

    int r = path ? sd_bus_call_method(client->bus, NULL, path, pod ? BUS_POD_INTERFACE : BUS_INTERFACE,
                                      method, &reply.error, &reply.message, "")
                 : -ENOMEM;
    return r < 0 ? complain_call(client, pod, &reply.error, r) : STATUS_OK;
}

static int exec_message(Client *client, const char *path, const ExecCall *call, sd_bus_message **ret)
{
    sd_bus_message *m = NULL;

    int r = sd_bus_message_new_method_call(client->bus, &m, NULL, path, BUS_POD_INTERFACE, "Exec");
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

int client_exec(Client *client, const ExecCall *call, int *ret_fd)
{
    _cleanup_(freep) char *path = pod_path(call->pod);
    _cleanup_(reply_done) Reply reply = { 0 };
    sd_bus_message *m = NULL;
    int fd;

    int r = path ? exec_message(client, path, call, &m) : -ENOMEM;
    if (r >= 0)
        r = sd_bus_call(client->bus, m, 0, &reply.error, &reply.message);
    sd_bus_message_unref(m);
    if (r < 0)
        return complain_call(client, call->pod, &reply.error, r);
    if ((r = sd_bus_message_read_basic(reply.message, 'h', &fd)) < 0)
        return complain_reading(r);
    /* The message owns the descriptor that it came with. */
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return *ret_fd < 0 ? complain_reading(-errno) : STATUS_OK;
}

/* --- watching --------------------------------------------------------------------------------------------------- */

static int on_change(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    ((Client *)userdata)->changed = true;
    return 0;
}

int client_watch(Client *client)
{
    int r = sd_bus_match_signal(client->bus, NULL, NULL, NULL, "org.freedesktop.DBus.Properties",
                                "PropertiesChanged", on_change, client);
    if (r >= 0)
        r = sd_bus_match_signal(client->bus, NULL, NULL, NULL, "org.freedesktop.DBus.ObjectManager", NULL,
                                on_change, client);
    return r < 0 ? complain_transport(client, r) : STATUS_OK;
}

int client_next_change(Client *client, usec_t deadline)
{
    while (!client->changed) {
        int r = sd_bus_process(client->bus, NULL);
        if (r < 0)
            return complain_transport(client, r);
        if (r > 0)
            continue;
        usec_t left =
            deadline == USEC_INFINITY ? USEC_INFINITY : usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
        if (left == 0)
            return STATUS_TIMEOUT;
        if ((r = sd_bus_wait(client->bus, left)) < 0 && r != -EINTR)
            return complain_transport(client, r);
    }
    client->changed = false;
    return STATUS_OK;
}
