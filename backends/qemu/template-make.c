/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backends/qemu/command-line.h"
#include "backends/qemu/qmp.h"
#include "backends/qemu/template-agent.h"
#include "backends/qemu/template-make.h"
#include "backends/qemu/template-order.h"
#include "backends/qemu/template-state.h"
#include "backends/qemu/template-trim.h"
#include "backends/qemu/vmm-log.h"
#include "backends/qemu/words.h"
#include "backends/tsc.h"
#include "backends/vmm.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"

#define QMP_SOCKET "qmp"
#define AGENT_SOCKET "agent"
#define NETWORK_SOCKET "network"
#define STATE_NAME "state" /* of the descriptor, inside of QEMU */

enum {
    MAKE_NICE = 10,
};

typedef struct Make {
    sd_event *event;
    int channel;
    TemplateShape shape;
    RunDefinition definition; /* a machine of the shape */
    int memory, state;
    int dir; /* for the sockets and the lock */
    char *path;
    int kernel, initrd, qmp_listen, agent_listen, network_listen, bell, log;
    char **arguments;
    VmmChild child;
    Qmp *qmp;
    sd_event_source *process;
    TemplateAgent agent;
    bool saved;
    char *failure; /* the first */
    bool failed;
} Make;

/* The first reason stays, and the loop ends. message is taken over; NULL: out of memory. */
static void fail(Make *m, char *message)
{
    if (m->failed)
        free(message);
    else
        m->failure = message;
    m->failed = true;
    (void)sd_event_exit(m->event, 1);
}

static void send_result(Make *m)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    TemplateNone none = { .message = m->failure };
    int type = m->failed ? TEMPLATE_NONE : TEMPLATE_MADE;

    if (message_to_bytes(&template_protocol, type, 0, m->failed ? &none : NULL, &packet) >= 0)
        (void)packet_send(m->channel, packet.data, packet.size, -1);
}

/* --- the machine --------------------------------------------------------------------------------------------------------------- */

static int open_all(Make *m)
{
    if ((m->kernel = file_open_at(AT_FDCWD, m->shape.kernel, O_RDONLY, 0)) < 0)
        return m->kernel;
    if ((m->initrd = file_open_at(AT_FDCWD, m->shape.initrd, O_RDONLY, 0)) < 0)
        return m->initrd;
    if ((m->qmp_listen = socket_listen_at(m->dir, QMP_SOCKET, SOCK_STREAM)) < 0)
        return m->qmp_listen;
    if ((m->agent_listen = socket_listen_at(m->dir, AGENT_SOCKET, SOCK_STREAM)) < 0)
        return m->agent_listen;
    if (m->shape.network && (m->network_listen = socket_listen_at(m->dir, NETWORK_SOCKET, SOCK_STREAM)) < 0)
        return m->network_listen;
    if ((m->log = vmm_log_new()) < 0)
        return m->log;
    return MIN(m->bell = console_bell_new(), 0);
}

static int build_arguments(Make *m, const TscSample *born)
{
    CommandLineInputs inputs = { .memory = MEMORY_TEMPLATE,
                                 .memory_fd = m->memory,
                                 .accelerator = m->shape.accelerator,
                                 .kernel_fd = m->kernel,
                                 .initrd_fd = m->initrd,
                                 .qmp_fd = m->qmp_listen,
                                 .agent_fd = m->agent_listen,
                                 .bell_fd = m->bell,
                                 .network_fd = m->network_listen };

    if (m->shape.accelerator == ACCELERATOR_TCG && tsc_is_steady()) {
        TscSample now = tsc_sample();
        usec_t distance = tsc_distance(born, &now);
        /* Nobody else is served by this process. */
        if (distance < TSC_DISTANCE_MIN)
            (void)poll(NULL, 0, (int)((TSC_DISTANCE_MIN - distance) / USEC_PER_MSEC) + 1);
        now = tsc_sample();
        inputs.tsc_khz = tsc_khz(born, &now);
    }
    return command_line_build(&m->definition, &inputs, &m->arguments);
}

static int spawn(Make *m, char **message)
{
    int fds[] = {
        m->memory, m->kernel, m->initrd, m->qmp_listen, m->agent_listen, m->bell, m->network_listen
    };
    VmmCommand command = { .arguments = m->arguments,
                           .vm_dir = m->dir,
                           .fds = fds,
                           .n_fds = ELEMENTSOF(fds) - (m->network_listen < 0),
                           .dies_with_us = true,
                           .stderr_fd = m->log };

    int r = vmm_fork(&command, &m->child);
    return r < 0 ? r : vmm_release(&m->child, message);
}

static int on_process(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Make *m = userdata;
    _cleanup_(freep) char *why = vmm_log_end(fd, m->log);

    m->process = sd_event_source_disable_unref(m->process);
    m->child.pidfd = safe_close(m->child.pidfd);
    if (m->saved)
        (void)sd_event_exit(m->event, 0);
    else
        fail(m, take_ptr(why));
    return 0;
}

/* --- the state ----------------------------------------------------------------------------------------------------------------- */

static void on_done(int error, const QmpValue *value, const char *description, void *userdata)
{
    Make *m = userdata;

    if (error < 0 && error != -ECONNRESET)
        fail(m, strf("QEMU does not save the machine: %s", description ?: strerror(-error)));
}

static void save(Make *m)
{
    int r = qmp_command(m->qmp, "stop", QMP_COMMAND_TIMEOUT, -1, on_done, m, NULL);

    if (r >= 0)
        r = template_state_apart(m->qmp, on_done, m);
    if (r >= 0)
        r = qmp_command(m->qmp, "getfd", QMP_COMMAND_TIMEOUT, m->state, on_done, m, "{s:s}", "fdname",
                        STATE_NAME);
    if (r >= 0)
        r = qmp_command(m->qmp, "migrate", QMP_COMMAND_TIMEOUT, -1, on_done, m, "{s:s}", "uri",
                        "fd:" STATE_NAME);
    if (r < 0)
        fail(m, strf("QEMU cannot be told to save the machine: %s", strerror(-r)));
}

static void on_qmp_event(const char *name, const QmpValue *data, void *userdata)
{
    Make *m = userdata;
    const char *status = qmp_string(data, "status");

    if (streq(name, "MIGRATION") && status && streq(status, "failed"))
        fail(m, strf("QEMU could not save the machine"));
    if (!streq(name, "MIGRATION") || !status || !streq(status, "completed"))
        return;
    m->saved = true;
    if (qmp_command(m->qmp, "quit", QMP_COMMAND_TIMEOUT, -1, NULL, NULL, NULL) < 0)
        fail(m, strf("QEMU cannot be told to end"));
}

static void on_qmp_closed(int error, void *userdata)
{
    Make *m = userdata;

    /* What its process says of the end is more. */
    if (error != 0 && error != -ECONNRESET && error != -EPIPE)
        fail(m, strf("QEMU does not speak QMP as it should: %s", strerror(-error)));
}

/* --- the agent ------------------------------------------------------------------------------------------------------------------ */

static void on_agent_over(int error, char *message, void *userdata)
{
    if (error < 0)
        fail(userdata, message);
    else
        save(userdata);
}

static void on_qmp_ready(unsigned major, unsigned minor, void *userdata)
{
    Make *m = userdata;

    int agent = socket_connect_at(m->dir, AGENT_SOCKET, SOCK_STREAM | SOCK_NONBLOCK);
    int r = agent < 0 ? agent : template_agent_begin(&m->agent, m->event, agent, on_agent_over, m);
    if (r < 0)
        fail(m, strf("the agent's channel cannot be opened: %s", strerror(-r)));
}

static const QmpHandlers qmp_handlers = { .ready = on_qmp_ready,
                                          .event = on_qmp_event,
                                          .closed = on_qmp_closed };

/* --- all of it ------------------------------------------------------------------------------------------------------------------ */

/* What the guest's kernel or its agent said last. */
static char *console_line(const Make *m)
{
    char path[40], text[4096];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", m->bell);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    off_t begin = end > (off_t)sizeof text ? end - (off_t)sizeof text : 0;
    ssize_t n = end > 0 ? pread(fd, text, sizeof text, begin) : 0;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    size_t start = (size_t)MAX(n, 0);
    while (start > 0 && text[start - 1] != '\n')
        start--;
    return n > 0 ? str_escape(text + start, (size_t)n - start) : NULL;
}

static int on_deadline(sd_event_source *source, uint64_t when, void *userdata)
{
    Make *m = userdata;
    _cleanup_(freep) char *line = console_line(m);

    fail(m, strf("its agent was not ready after %llu s; the console's last line: %s",
                 (unsigned long long)(TEMPLATE_MAKE_TIMEOUT / USEC_PER_SEC), line ?: "none"));
    return 0;
}

/* Who has asked is gone. */
static int on_channel(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    fail(userdata, NULL);
    return 0;
}

static int begin(Make *m, char **message)
{
    TscSample born = tsc_sample();
    int r = open_all(m);

    if (r >= 0)
        r = build_arguments(m, &born);
    if (r >= 0)
        r = spawn(m, message);
    if (r >= 0)
        r = sd_event_add_io(m->event, &m->process, m->child.pidfd, EPOLLIN, on_process, m);
    if (r >= 0)
        r = sd_event_add_io(m->event, NULL, m->channel, EPOLLIN | EPOLLRDHUP, on_channel, m);
    if (r >= 0)
        r = sd_event_add_time_relative(m->event, NULL, CLOCK_MONOTONIC, TEMPLATE_MAKE_TIMEOUT, 1, on_deadline,
                                       m);
    if (r < 0)
        return r;
    int socket = socket_connect_at(m->dir, QMP_SOCKET, SOCK_STREAM | SOCK_NONBLOCK);
    return socket < 0 ? socket
                      : qmp_new(&m->qmp, m->event, socket, 1, TEMPLATE_MAKE_TIMEOUT, &qmp_handlers, m);
}

static void work(Make *m)
{
    _cleanup_(freep) char *message = NULL;

    int r = begin(m, &message);
    if (r < 0)
        fail(m, strf("QEMU could not be started: %s", message ?: strerror(-r)));
    else
        (void)sd_event_loop(m->event);
}

static int prepare(Make *m, const char *work)
{
    /* Its end is ours; that of QEMU, then, too. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    /* Who boots meanwhile goes first. In a unit, which may forbid it, that has been seen to. */
    (void)setpriority(PRIO_PROCESS, 0, MAKE_NICE);
    if (!(m->path = strf("%s/" TEMPLATE_WORK_PREFIX "XXXXXX", work)))
        return -ENOMEM;
    if (!mkdtemp(m->path))
        return -errno;
    if ((m->dir = dir_open_at(AT_FDCWD, m->path)) < 0)
        return m->dir;
    return sd_event_new(&m->event);
}

static void make_done(Make *m)
{
    static const char *const files[] = { QMP_SOCKET, AGENT_SOCKET, NETWORK_SOCKET, VMM_LOCK_FILE };
    int *const fds[] = { &m->memory,       &m->state,          &m->kernel, &m->initrd, &m->qmp_listen,
                         &m->agent_listen, &m->network_listen, &m->bell,   &m->log,    &m->channel };

    if (m->child.pidfd >= 0)
        (void)process_signal(m->child.pidfd, SIGKILL);
    vmm_child_done(&m->child);
    qmp_free(m->qmp);
    sd_event_source_disable_unref(m->process);
    template_agent_done(&m->agent);
    strv_free(m->arguments);
    TABLE_FOREACH (file, files)
        if (m->dir >= 0)
            (void)file_remove_at(m->dir, *file);
    m->dir = safe_close(m->dir);
    if (m->path)
        (void)rmdir(m->path);
    TABLE_FOREACH (fd, fds)
        **fd = safe_close(**fd);
    schema_done(&template_shape_schema, &m->shape);
    schema_done(&run_definition_schema, &m->definition);
    sd_event_unref(m->event);
    free(m->path);
    free(m->failure);
}

int template_make_run(int channel, const char *directory)
{
    Make m = { .channel = channel,
               .memory = -1,
               .state = -1,
               .dir = -1,
               .kernel = -1,
               .initrd = -1,
               .qmp_listen = -1,
               .agent_listen = -1,
               .network_listen = -1,
               .bell = -1,
               .log = -1,
               .child = { .pidfd = -1, .gate = -1 } };

    int r = prepare(&m, directory);
    if (r >= 0)
        r = template_order_receive(channel, &m.shape, &m.memory, &m.state);
    if (r >= 0)
        r = template_definition(&m.shape, &m.definition);
    if (r >= 0)
        work(&m);
    else
        fail(&m, strf("its maker cannot begin: %s", strerror(-r)));
    if (!m.failed)
        template_trim(m.memory);
    send_result(&m);
    bool made = !m.failed;
    make_done(&m);
    return made ? 0 : 1;
}
