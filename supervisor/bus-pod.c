/* SPDX-License-Identifier: Apache-2.0 */
/* The object of a pod. */
#include <sys/socket.h>

#include "base/digest.h"
#include "base/strings.h"
#include "schemas/schema-bus.h"
#include "supervisor/bus.h"
#include "supervisor/supervisor.h"
#include "supervisor/usage.h"
#include "supervisor/volume-sweep.h"

/* --- properties ---------------------------------------------------------------------------------------------------- */

/* What is never told, but only looked up when it is asked for. */
static const struct {
    const char *name;
    bool measured; /* at that moment, since it changes all the time */
} untold[] = {
    { "memory", true },       { "cpu_time", true }, { "scratch_used", true },
    { "scratch_size", true }, { "start", false },
};

static bool is_untold(const Field *field)
{
    TABLE_FOREACH (row, untold)
        if (streq(field->name, row->name))
            return true;
    return false;
}

static bool is_measured(const Field *field)
{
    TABLE_FOREACH (row, untold)
        if (streq(field->name, row->name))
            return row->measured;
    return false;
}

static uint64_t property_flags(const Field *field)
{
    return is_untold(field) ? 0 : SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const Field *field = schema_bus_field(&pod_status_schema, property);
    const PodStatus *status = pod_status(userdata);
    Pod *pod = userdata;

    /* Whoever has seen what was true for a moment must hear of what comes then, also when that is what was told before. */
    pod->glimpsed |= pod->due;

    if (!status)
        return -ENOMEM;
    if (!is_measured(field))
        return schema_bus_append_field(reply, field, status);
    PodStatus usage = {
        .memory = process_memory((pid_t)status->vmm_pid),
        .cpu_time = process_cpu_time((pid_t)status->vmm_pid),
    };
    volume_scratch_use(pod, &usage.scratch_used, &usage.scratch_size);
    return schema_bus_append_field(reply, field, &usage);
}

static int property_checksum(const Field *field, const PodStatus *status, uint32_t *ret)
{
    const Schema one = { .name = field->name, .fields = field, .n_fields = 1, .size = sizeof *status };
    Bytes bytes = { 0 };

    int r = schema_to_bytes(&one, status, &bytes);
    if (r < 0)
        return r;
    *ret = crc32_of(bytes.data, bytes.size);
    bytes_done(&bytes);
    return 0;
}

char **bus_pod_changes(Pod *pod)
{
    const Schema *schema = &pod_status_schema;
    _cleanup_(strv_freep) char **names = NULL;
    const PodStatus *status = pod_status(pod);
    char name[SCHEMA_BUS_NAME_SIZE];
    uint32_t checksum;

    if (!pod->told)
        pod->told = calloc(schema->n_fields, sizeof *pod->told);
    if (!status || !pod->told)
        return NULL;
    for (size_t i = 0; i < schema->n_fields; i++) {
        const Field *field = &schema->fields[i];
        if (is_untold(field) || property_checksum(field, status, &checksum) < 0 || checksum == pod->told[i])
            continue;
        if (strv_append(&names, schema_bus_name(field, name)) < 0)
            return NULL;
        pod->told[i] = checksum;
    }
    if (!names && pod->glimpsed && strv_append(&names, "State") < 0)
        return NULL;
    pod->glimpsed = false;
    return take_ptr(names);
}

/* --- methods -------------------------------------------------------------------------------------------------------- */

/* A method whose answer comes from the runner. */
typedef struct LateReply {
    sd_bus_message *message;
    int fd;        /* goes with the answer; -1: none */
    bool attaches; /* what is behind fd is a container's own program, which has these: */
    bool input, terminal;
} LateReply;

static LateReply *late_reply_free(LateReply *l)
{
    sd_bus_message_unref(l->message);
    safe_close(l->fd);
    free(l);
    return NULL;
}
DEFINE_CLEANUP(LateReply *, late_reply_free)

static int late_reply_new(LateReply **ret, sd_bus_message *m)
{
    LateReply *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    *l = (LateReply){ .message = sd_bus_message_ref(m), .fd = -1 };
    *ret = l;
    return 0;
}

/* What a runner's error is called; any other is a refusal. why: instead of the runner's own words. */
static const struct {
    int error;
    const char *name, *why;
} reply_errors[] = {
    { -ETIMEDOUT, "org.podvisor.Error.Timeout",
      "The pod's runner did not answer in time; it is being looked after." },
    { -ECONNRESET, "org.podvisor.Error.Refused",
      "The pod's runner went away before it answered; try again." },
    { -EBUSY, "org.podvisor.Error.WrongState", NULL },
    { -ENOTCONN, "org.podvisor.Error.WrongState", NULL },
};

static void reply_error(sd_bus_message *m, int error, const char *text)
{
    const char *name = "org.podvisor.Error.Refused", *why = NULL;

    TABLE_FOREACH (row, reply_errors)
        if (row->error == error) {
            name = row->name;
            why = row->why;
        }
    (void)sd_bus_reply_method_errorf(m, name, "%s", why ?: text ?: strerror(-error));
}

static void on_reply(void *userdata, int error, const char *text)
{
    _cleanup_(late_reply_freep) LateReply *l = userdata;

    if (error < 0)
        reply_error(l->message, error, text);
    else if (l->attaches)
        (void)sd_bus_reply_method_return(l->message, "hbb", l->fd, (int)l->input, (int)l->terminal);
    else if (l->fd >= 0)
        (void)sd_bus_reply_method_return(l->message, "h", l->fd);
    else
        (void)sd_bus_reply_method_return(l->message, "");
}

/* r and call are what a verb left; takes l. */
static int finish(int r, VerbCall *call, LateReply *l, sd_bus_message *m, sd_bus_error *error)
{
    _cleanup_(freep) char *message = call->error.message;

    if (r > 0)
        return 1;
    late_reply_free(l);
    if (r == 0)
        return sd_bus_reply_method_return(m, "");
    return sd_bus_error_set(error, call->error.name, message ?: "out of memory");
}

static const struct {
    const char *member;
    int (*verb)(Pod *pod, VerbCall *call);
} verbs[] = {
    { "Start", pod_verb_start }, { "Stop", pod_verb_stop },     { "Restart", pod_verb_restart },
    { "Kill", pod_verb_kill },   { "Pause", pod_verb_pause },   { "Resume", pod_verb_resume },
    { "Adopt", pod_verb_adopt }, { "Forget", pod_verb_forget },
};

static int on_verb(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const char *member = sd_bus_message_get_member(m);
    LateReply *l;

    int r = late_reply_new(&l, m);
    if (r < 0)
        return r;
    VerbCall call = { .func = on_reply, .userdata = l };
    TABLE_FOREACH (row, verbs)
        if (streq(row->member, member))
            return finish(row->verb(userdata, &call), &call, l, m, error);
    late_reply_free(l);
    return -EINVAL;
}

/* No terminal is larger, and a runner takes no request that says so. */
static uint64_t terminal_side(uint32_t n)
{
    return MIN(n, (uint32_t)UINT16_MAX);
}

static int read_exec(sd_bus_message *m, ExecRequest *request)
{
    const char *container, *working_dir, *user;
    uint32_t rows, columns;
    int terminal;

    int r = sd_bus_message_read(m, "s", &container);
    if (r >= 0)
        r = sd_bus_message_read_strv(m, &request->command);
    if (r >= 0)
        r = sd_bus_message_read_strv(m, &request->environment);
    if (r >= 0)
        r = sd_bus_message_read(m, "ssbuu", &working_dir, &user, &terminal, &rows, &columns);
    if (r < 0)
        return r;
    request->terminal = terminal;
    request->rows = terminal_side(rows);
    request->columns = terminal_side(columns);
    r = str_replace(&request->container, container);
    if (r >= 0)
        r = str_replace(&request->working_dir, *working_dir ? working_dir : NULL);
    return r < 0 ? r : str_replace(&request->user, *user ? user : NULL);
}

/* Of the definition that the machine was started with, which is what there is of the container. */
static void note_container(LateReply *l, const Pod *pod, const ExecRequest *request)
{
    int i = pod->has_running ? pod_container_find(&pod->running, request->container) : -ENOENT;
    const ContainerDefinition *d = i < 0 ? NULL : pod_container(&pod->running, (size_t)i);

    l->attaches = request->task == TASK_ATTACH;
    l->input = d && container_takes_input(d);
    l->terminal = d && d->terminal;
}

/* Begins what the request says; its stream goes to the caller. */
static int begin_stream(sd_bus_message *m, Pod *pod, const ExecRequest *request, sd_bus_error *error)
{
    LateReply *l = NULL;
    int ends[2];

    int r = late_reply_new(&l, m);
    if (r >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        r = -errno;
    if (r < 0) {
        if (l)
            late_reply_free(l);
        return r;
    }
    VerbCall call = { .func = on_reply, .userdata = l };
    l->fd = ends[0];
    note_container(l, pod, request);
    r = pod_verb_exec(pod, request, ends[1], &call);
    safe_close(ends[1]);
    return finish(r, &call, l, m, error);
}

static int on_exec(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    ExecRequest request = { 0 };

    int r = read_exec(m, &request);
    if (r >= 0)
        r = begin_stream(m, userdata, &request, error);
    schema_done(&exec_request_schema, &request);
    return r;
}

static int on_attach(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    ExecRequest request = { .task = TASK_ATTACH };
    const char *container;
    uint32_t rows, columns;

    int r = sd_bus_message_read(m, "suu", &container, &rows, &columns);
    if (r < 0)
        return r;
    request.container = (char *)(uintptr_t)container;
    request.rows = terminal_side(rows);
    request.columns = terminal_side(columns);
    return begin_stream(m, userdata, &request, error);
}

static const struct {
    const char *member;
    Task task;
    bool path, directory; /* among its arguments */
} tasks[] = {
    { "CopyIn", TASK_COPY_IN, true, true },        { "CopyOut", TASK_COPY_OUT, true, false },
    { "Processes", TASK_PROCESSES, false, false }, { "Statistics", TASK_STATISTICS, false, false },
    { "PingAgent", TASK_PING, false, false },
};

static int read_path(sd_bus_message *m, Bytes *ret)
{
    const void *data;
    size_t size;

    int r = sd_bus_message_read_array(m, 'y', &data, &size);
    return r < 0 ? r : bytes_append(ret, data, size);
}

static int read_task(sd_bus_message *m, size_t row, ExecRequest *request)
{
    const char *container = NULL;
    int directory = 0, r = 0;

    request->task = tasks[row].task;
    if (task_is_of_container(request->task) && (r = sd_bus_message_read(m, "s", &container)) >= 0)
        r = str_replace(&request->container, container);
    if (r >= 0 && tasks[row].path)
        r = read_path(m, &request->path);
    if (r >= 0 && tasks[row].directory)
        r = sd_bus_message_read(m, "b", &directory);
    request->directory = directory;
    return r;
}

static int on_task(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    ExecRequest request = { 0 };
    size_t row = 0;

    while (row < ELEMENTSOF(tasks) && !streq(tasks[row].member, sd_bus_message_get_member(m)))
        row++;
    if (row == ELEMENTSOF(tasks))
        return -EINVAL;
    int r = read_task(m, row, &request);
    if (r >= 0)
        r = begin_stream(m, userdata, &request, error);
    schema_done(&exec_request_schema, &request);
    return r;
}

#define VERB(name)                                                                                           \
    SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_verb, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable methods[] = {
    SD_BUS_VTABLE_START(0),
    VERB("Start"),
    VERB("Stop"),
    VERB("Restart"),
    VERB("Kill"),
    VERB("Pause"),
    VERB("Resume"),
    VERB("Adopt"),
    VERB("Forget"),
    SD_BUS_METHOD_WITH_ARGS("Exec",
                            SD_BUS_ARGS("s", container, "as", command, "as", environment, "s", working_dir,
                                        "s", user, "b", terminal, "u", rows, "u", columns),
                            SD_BUS_RESULT("h", streams), on_exec, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Attach", SD_BUS_ARGS("s", container, "u", rows, "u", columns),
                            SD_BUS_RESULT("h", streams, "b", input, "b", terminal), on_attach,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("CopyIn", SD_BUS_ARGS("s", container, "ay", path, "b", directory),
                            SD_BUS_RESULT("h", streams), on_task, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("CopyOut", SD_BUS_ARGS("s", container, "ay", path), SD_BUS_RESULT("h", streams),
                            on_task, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Processes", SD_BUS_ARGS("s", container), SD_BUS_RESULT("h", streams), on_task,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Statistics", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", streams), on_task,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("PingAgent", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", streams), on_task,
                            SD_BUS_VTABLE_UNPRIVILEGED),
};

int bus_pod_vtable(sd_bus_vtable **ret)
{
    return schema_bus_vtable(&pod_status_schema, methods, ELEMENTSOF(methods), get_property, property_flags,
                             ret);
}
