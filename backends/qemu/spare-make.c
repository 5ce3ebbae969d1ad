/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backends/qemu/command-line.h"
#include "backends/qemu/qemu-vm.h"
#include "backends/qemu/spare-make.h"
#include "backends/qemu/spare.h"
#include "backends/qemu/template-agent.h"
#include "backends/qemu/template-order.h"
#include "backends/qemu/template-state.h"
#include "backends/qemu/template.h"
#include "backends/qemu/vmm-log.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"

/* As the host's process list shows it, whichever pod it becomes. */
#define SPARE_NAME "spare"

typedef struct Guard {
    sd_event *event;
    int claim;
    TemplateShape shape;
    int memory, state;
    int work, dir;
    char *path;
    char *name; /* of dir, below work */
    Id128 uuid;
    int qmp_listen, agent_listen, network_listen, bell, log;
    char **arguments;
    VmmChild child;
    Qmp *qmp;
    sd_event_source *late;
    TemplateAgent agent;
    bool ready;
    char *failure; /* the first */
} Guard;

/* message is taken over. */
static void fail(Guard *g, char *message)
{
    if (g->failure)
        free(message);
    else
        g->failure = message;
    (void)sd_event_exit(g->event, 1);
}

static int tell(const Guard *g, TemplateMessageType type, const void *body, int fd)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    int r = message_to_bytes(&template_protocol, (int)type, 0, body, &packet);
    return r < 0 ? r : packet_send(g->claim, packet.data, packet.size, fd);
}

/* --- QEMU --------------------------------------------------------------------------------------------------------------------- */

static int open_state(Guard *g)
{
    int state = template_state_open(g->state);

    if (state < 0)
        return state;
    safe_close(g->state);
    g->state = state;
    return 0;
}

static int open_all(Guard *g)
{
    char uuid[ID128_TEXT_SIZE];

    int r = open_state(g);
    if (r >= 0)
        r = id128_random(&g->uuid);
    if (r >= 0)
        r = file_replace_at(g->dir, SPARE_IDENTITY_FILE, id128_format(g->uuid, uuid), ID128_TEXT_SIZE - 1,
                            0600);
    if (r < 0)
        return r;
    if ((g->qmp_listen = socket_listen_at(g->dir, QEMU_QMP_SOCKET, SOCK_STREAM)) < 0)
        return g->qmp_listen;
    if ((g->agent_listen = socket_listen_at(g->dir, QEMU_AGENT_SOCKET, SOCK_STREAM)) < 0)
        return g->agent_listen;
    if (g->shape.network &&
        (g->network_listen = socket_listen_at(g->dir, QEMU_NETWORK_SOCKET, SOCK_STREAM)) < 0)
        return g->network_listen;
    if ((g->log = vmm_log_new()) < 0)
        return g->log;
    return MIN(g->bell = console_bell_new(), 0);
}

static int build_arguments(Guard *g)
{
    CommandLineInputs inputs = { .memory = MEMORY_COPY,
                                 .memory_fd = g->memory,
                                 .accelerator = g->shape.accelerator,
                                 .qmp_fd = g->qmp_listen,
                                 .agent_fd = g->agent_listen,
                                 .bell_fd = g->bell,
                                 .network_fd = g->network_listen };
    RunDefinition d;

    int r = template_definition(&g->shape, &d);
    if (r < 0)
        return r;
    d.uuid = g->uuid;
    if ((r = str_replace(&d.name, SPARE_NAME)) >= 0)
        r = command_line_build(&d, &inputs, &g->arguments);
    schema_done(&run_definition_schema, &d);
    return r;
}

static int spawn(Guard *g, char **message)
{
    int fds[] = { g->memory, g->state, g->qmp_listen, g->agent_listen, g->bell, g->network_listen };
    VmmCommand command = { .arguments = g->arguments,
                           .vm_dir = g->dir,
                           .fds = fds,
                           .n_fds = ELEMENTSOF(fds) - (g->network_listen < 0),
                           .stderr_fd = g->log };

    int r = vmm_fork(&command, &g->child);
    if (r >= 0)
        r = vmm_release(&g->child, message);
    /* With QEMU they are to close: who connects to a dead one is to hear of it. */
    g->qmp_listen = safe_close(g->qmp_listen);
    g->agent_listen = safe_close(g->agent_listen);
    g->network_listen = safe_close(g->network_listen);
    return r;
}

static int on_process(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Guard *g = userdata;

    fail(g, vmm_log_end(fd, g->log));
    return 0;
}

/* --- its state ----------------------------------------------------------------------------------------------------------------- */

static void on_done(int error, const QmpValue *value, const char *description, void *userdata)
{
    if (error < 0 && error != -ECONNRESET)
        fail(userdata, strf("QEMU refuses the template: %s", description ?: strerror(-error)));
}

/* It stands still, as its template did. Whoever has the claim is now the one who may speak with it: QEMU listens to one. */
static void offer(Guard *g)
{
    TemplateSpare spare = { .uuid = g->uuid,
                            .pid = (uint64_t)g->child.id.pid,
                            .start_time = g->child.id.start_time };

    qmp_close(g->qmp);
    g->late = sd_event_source_disable_unref(g->late);
    g->ready = true;
    int r = tell(g, TEMPLATE_SPARE, &spare, -1);
    if (r >= 0)
        r = tell(g, TEMPLATE_DIRECTORY, NULL, g->dir);
    if (r >= 0)
        r = tell(g, TEMPLATE_BELL, NULL, g->bell);
    if (r < 0)
        fail(g, NULL);
    g->bell = safe_close(g->bell);
    g->memory = safe_close(g->memory);
    g->state = safe_close(g->state);
}

/* --- its rehearsal --------------------------------------------------------------------------------------------------------------- */

static void on_stopped(int error, const QmpValue *value, const char *description, void *userdata)
{
    if (error < 0)
        on_done(error, value, description, userdata);
    else
        offer(userdata);
}

static void on_agent_over(int error, char *message, void *userdata)
{
    Guard *g = userdata;

    if (error < 0)
        fail(g, message);
    else if (qmp_command(g->qmp, "stop", QMP_COMMAND_TIMEOUT, -1, on_stopped, g, NULL) < 0)
        fail(g, strf("QEMU cannot be told to stop"));
}

static void on_continued(int error, const QmpValue *value, const char *description, void *userdata)
{
    Guard *g = userdata;

    if (error < 0) {
        on_done(error, value, description, g);
        return;
    }
    int agent = socket_connect_at(g->dir, QEMU_AGENT_SOCKET, SOCK_STREAM | SOCK_NONBLOCK);
    int r = agent < 0 ? agent : template_agent_begin(&g->agent, g->event, agent, on_agent_over, g);
    if (r < 0)
        fail(g, strf("the agent's channel cannot be opened: %s", strerror(-r)));
}

/*
 * What runs for the first time on an emulated processor has to be translated, and that is most of a copy's start. QEMU keeps it; so the
 * agent prepares here once more what it had prepared when the template was made, before there is a pod.
 */
static void rehearse(Guard *g)
{
    if (g->shape.accelerator != ACCELERATOR_TCG)
        offer(g);
    else if (qmp_command(g->qmp, "cont", QMP_COMMAND_TIMEOUT, -1, on_continued, g, NULL) < 0)
        fail(g, strf("QEMU cannot be told to go on"));
}

static void on_event(const char *name, const QmpValue *data, void *userdata)
{
    const char *status = qmp_string(data, "status");

    if (streq(name, "MIGRATION") && status && streq(status, "completed"))
        rehearse(userdata);
}

static void on_ready(unsigned major, unsigned minor, void *userdata) {}

static void on_closed(int error, void *userdata)
{
    /* What its process says of the end is more. */
    if (error != 0 && error != -ECONNRESET && error != -EPIPE)
        fail(userdata, strf("QEMU does not speak QMP as it should: %s", strerror(-error)));
}

static const QmpHandlers qmp_handlers = { .ready = on_ready, .event = on_event, .closed = on_closed };

static int on_late(sd_event_source *source, uint64_t when, void *userdata)
{
    fail(userdata, strf("QEMU had not loaded the template after %llu s",
                        (unsigned long long)(SPARE_MAKE_TIMEOUT / USEC_PER_SEC)));
    return 0;
}

/* --- guarding ------------------------------------------------------------------------------------------------------------------- */

/* Nothing is said there any more: it is the end of the claim. */
static int on_claim(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    fail(userdata, NULL);
    return 0;
}

static int on_told(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    fail(userdata, strf("its guardian was told to end"));
    return 0;
}

static int begin(Guard *g, char **message)
{
    int r = open_all(g);

    if (r >= 0)
        r = build_arguments(g);
    if (r >= 0)
        r = spawn(g, message);
    if (r >= 0)
        r = sd_event_add_io(g->event, NULL, g->child.pidfd, EPOLLIN, on_process, g);
    if (r >= 0)
        r = sd_event_add_io(g->event, NULL, g->claim, EPOLLIN | EPOLLRDHUP, on_claim, g);
    if (r >= 0)
        r = sd_event_add_signal(g->event, NULL, SIGTERM, on_told, g);
    if (r >= 0)
        r = sd_event_add_time_relative(g->event, &g->late, CLOCK_MONOTONIC, SPARE_MAKE_TIMEOUT, 1, on_late,
                                       g);
    if (r < 0)
        return r;
    int socket = socket_connect_at(g->dir, QEMU_QMP_SOCKET, SOCK_STREAM | SOCK_NONBLOCK);
    r = socket < 0 ? socket : qmp_new(&g->qmp, g->event, socket, 1, SPARE_MAKE_TIMEOUT, &qmp_handlers, g);
    return r < 0 ? r : template_state_load(g->qmp, g->state, on_done, g);
}

static void work(Guard *g)
{
    _cleanup_(freep) char *message = NULL;

    int r = begin(g, &message);
    if (r < 0)
        fail(g, strf("QEMU could not be started: %s", message ?: strerror(-r)));
    else
        (void)sd_event_loop(g->event);
}

/* The lock on the directory says that it has a guardian. Before the order had come, nobody would miss it. */
static int prepare(Guard *g, const char *directory)
{
    sigset_t set;
    struct stat st;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    if ((g->work = dir_reach_at(AT_FDCWD, directory)) < 0)
        return g->work;
    if (!(g->path = strf("%s/" SPARE_PREFIX "XXXXXX", directory)))
        return -ENOMEM;
    if (!mkdtemp(g->path))
        return -errno;
    g->name = strrchr(g->path, '/') + 1;
    if ((g->dir = dir_open_at(g->work, g->name)) < 0)
        return g->dir;
    if (flock(g->dir, LOCK_EX | LOCK_NB) < 0 || fstat(g->dir, &st) < 0)
        return -errno;
    return st.st_nlink == 0 ? -ESTALE : sd_event_new(&g->event);
}

static void guard_done(Guard *g)
{
    int *const fds[] = { &g->memory,         &g->state, &g->qmp_listen, &g->agent_listen,
                         &g->network_listen, &g->bell,  &g->log,        &g->claim };

    if (g->dir >= 0)
        (void)spare_end(g->dir);
    vmm_child_done(&g->child);
    template_agent_done(&g->agent);
    qmp_free(g->qmp);
    sd_event_source_disable_unref(g->late);
    strv_free(g->arguments);
    TABLE_FOREACH (fd, fds)
        **fd = safe_close(**fd);
    if (g->name)
        (void)tree_remove_at(g->work, g->name);
    g->dir = safe_close(g->dir);
    g->work = safe_close(g->work);
    schema_done(&template_shape_schema, &g->shape);
    sd_event_unref(g->event);
    free(g->path);
    free(g->failure);
}

int spare_make_run(int claim, const char *directory)
{
    Guard g = { .claim = claim,
                .memory = -1,
                .state = -1,
                .work = -1,
                .dir = -1,
                .qmp_listen = -1,
                .agent_listen = -1,
                .network_listen = -1,
                .bell = -1,
                .log = -1,
                .child = { .pidfd = -1, .gate = -1 } };

    int r = template_order_receive(claim, &g.shape, &g.memory, &g.state);
    if (r >= 0)
        r = prepare(&g, directory);
    if (r >= 0)
        work(&g);
    bool ready = g.ready;
    if (!ready || g.failure) {
        TemplateNone none = { .message = g.failure ?: r < 0 ? strerror(-r) : NULL };
        (void)tell(&g, TEMPLATE_NONE, &none, -1);
    }
    guard_done(&g);
    return ready ? 0 : 1;
}
