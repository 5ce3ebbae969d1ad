/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "guest/agent/capabilities.h"
#include "guest/agent/container.h"
#include "guest/agent/own-memory.h"
#include "guest/agent/rootfs.h"
#include "guest/agent/standby.h"
#include "guest/agent/syscall-filter.h"

/* More than fits into a packet; who has so long a command or so many variables, has the time. */
enum { CONFIG_MAX = 64 * 1024 };
/* Milliseconds, as SETTLED_AFTER: until then others need the processor more. */
enum { USHER_STAYS = 10 * 1000 };
/* What both have open besides the streams: on the first the container is told, and news of it; the second is between the two. */
enum { FD_AGENT = LAUNCH_KEPT, FD_OTHER, FD_WAITER, FD_FREE };

/* Ends that are the two processes' alone. */
typedef struct Theirs {
    int agent, waiter, usher; /* sockets: to the agent, and to each other */
    int outputs[2];
} Theirs;

/* --- both processes ----------------------------------------------------------------------------------------------------------- */

/* fds[i] becomes FD_AGENT + i, and of all others nothing is left but the streams. */
static int keep(const int *fds, unsigned n)
{
    int moved[FD_FREE - FD_AGENT];

    for (unsigned i = 0; i < n; i++)
        if ((moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FD_FREE)) < 0)
            return -errno;
    for (unsigned i = 0; i < n; i++)
        if (dup3(moved[i], FD_AGENT + (int)i, O_CLOEXEC) < 0)
            return -errno;
    return close_range(FD_AGENT + n, ~0U, 0) < 0 ? -errno : 0;
}

static uint64_t usual_capabilities(void)
{
    const char *unknown;
    uint64_t mask;

    return capabilities_from_names(NULL, &mask, &unknown) < 0 ? 0 : mask;
}

/* In this the process is saved, and goes on in copies. */
static int hear(int socket, Bytes *bytes, AgentContainer *ret)
{
    static const PackLimits limits = { .size = CONFIG_MAX, .depth = 8, .count = CONFIG_MAX };
    int fd;

    (void)memory_own();
    ssize_t n = packet_receive(socket, CONFIG_MAX, bytes, &fd);
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    return schema_from_bytes(&agent_container_schema, ret, bytes->data, bytes->size, &limits, NULL);
}

/* --- the one that waits ------------------------------------------------------------------------------------------------------- */

static int take_streams(const Theirs *t)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(t->outputs[0], STDOUT_FILENO) < 0 ||
        dup2(t->outputs[1], STDERR_FILENO) < 0)
        return -errno;
    return 0;
}

/* What fails ahead ends it: then nobody has it. */
static void __attribute__((noreturn)) stand_by(const Theirs *t)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };
    AgentContainer config;
    Failure f = { 0 };

    /* What the agent mounts comes here, and what is mounted here goes nowhere. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 || take_streams(t) < 0 ||
        keep((int[]){ t->agent, t->waiter }, 2) < 0 || launch_reset(false, &f) < 0 ||
        unshare(CLONE_NEWCGROUP) < 0 || rootfs_enter_ahead(FD_OTHER) < 0 ||
        seccomp_confine(usual_capabilities()) < 0 || hear(FD_OTHER, &bytes, &config) < 0)
        _exit(1);
    LaunchSpec spec = container_spec(&config, (int[3]){ -1, -1, -1 });
    spec.prepared = true;
    launch_child(&spec, FD_AGENT);
}

/* --- its usher ---------------------------------------------------------------------------------------------------------------- */

static int watch_for_end(int pidfd)
{
    struct epoll_event event = { .events = EPOLLIN };
    int fd = epoll_create1(EPOLL_CLOEXEC);

    return fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, pidfd, &event) < 0 ? -errno : fd;
}

/* From here on the one that waits has the container, and what becomes of it is told by that one alone. */
static void lead(Platform *p, const AgentContainer *config, const Bytes *bytes)
{
    Failure f = { 0 };

    p->first = config->definition.name;
    if (rootfs_enter(p, config, &f) < 0)
        launch_fail(FD_AGENT, &f);
    (void)close(FD_AGENT);
    (void)packet_send(FD_OTHER, bytes->data, bytes->size, -1);
}

static void __attribute__((noreturn)) usher(Platform *p, const Theirs *t, int waiter)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };
    struct epoll_event event;
    AgentContainer config;
    int end;

    if (keep((int[]){ t->agent, t->usher, waiter }, 3) < 0 || setns(FD_WAITER, CLONE_NEWNS) < 0 ||
        (end = watch_for_end(FD_WAITER)) < 0 || rootfs_enter_take(FD_OTHER) < 0 ||
        hear(FD_AGENT, &bytes, &config) < 0)
        _exit(1);
    lead(p, &config, &bytes);
    (void)epoll_wait(end, &event, 1, USHER_STAYS);
    _exit(0);
}

/* --- the agent's side --------------------------------------------------------------------------------------------------------- */

static void close_all(Standby *s)
{
    s->socket = safe_close(s->socket);
    for (size_t i = 0; i < ELEMENTSOF(s->outputs); i++)
        s->outputs[i] = safe_close(s->outputs[i]);
}

/* Before it was taken. One without the other is of no use, and ends by itself. */
static void on_waiter_end(void *userdata, int code, int signal)
{
    log_error(
        "the process that waits for a container has ended (exit status %d, signal %d): one is made for it",
        code, signal);
    close_all(userdata);
}

static void on_usher_end(void *userdata, int code, int signal)
{
    close_all(userdata);
}

void standby_init(Standby *s)
{
    *s = (Standby){
        .child = { .pidfd = -1, .on_end = on_waiter_end, .userdata = s },
        .usher = { .pidfd = -1, .on_end = on_usher_end, .userdata = s },
        .socket = -1,
        .outputs = { -1, -1 },
    };
}

static void theirs_close(Theirs *t)
{
    int *fds[] = { &t->agent, &t->waiter, &t->usher, &t->outputs[0], &t->outputs[1] };

    TABLE_FOREACH (fd, fds)
        **fd = safe_close(**fd);
}

static int open_sockets(Standby *s, Theirs *t)
{
    int between[2];

    int r = launch_socket(&s->socket, &t->agent);
    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, between) < 0)
        return -errno;
    t->waiter = between[0];
    t->usher = between[1];
    return 0;
}

static int open_outputs(Standby *s, Theirs *t)
{
    for (size_t i = 0; i < ELEMENTSOF(s->outputs); i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0)
            return -errno;
        s->outputs[i] = fds[0];
        t->outputs[i] = fds[1];
    }
    return 0;
}

static int make_waiter(Standby *s, Children *children, int cgroup, const Theirs *t)
{
    const LaunchSpec spec = { .cgroup = cgroup,
                              .namespaces = CLONE_NEWNS | CLONE_NEWPID,
                              .pid_namespace_of = -1 };
    int pidfd = -1;

    pid_t pid = launch_clone(&spec, &pidfd);
    if (pid == 0)
        stand_by(t);
    if (pid > 0)
        children_add(children, &s->child, pid, pidfd);
    return MIN(pid, 0);
}

static int make_usher(Standby *s, Children *children, Platform *p, const Theirs *t)
{
    const LaunchSpec spec = { .cgroup = -1, .pid_namespace_of = -1 };
    int pidfd = -1;

    pid_t pid = launch_clone(&spec, &pidfd);
    if (pid == 0)
        usher(p, t, s->child.pidfd);
    if (pid > 0)
        children_add(children, &s->usher, pid, pidfd);
    return MIN(pid, 0);
}

int standby_make(Standby *s, Children *children, Platform *p, int cgroup)
{
    _cleanup_(theirs_close) Theirs theirs = { -1, -1, -1, { -1, -1 } };

    int r = mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0 ? -errno : open_sockets(s, &theirs);
    if (r >= 0)
        r = open_outputs(s, &theirs);
    if (r >= 0)
        r = make_waiter(s, children, cgroup, &theirs);
    if (r >= 0)
        r = make_usher(s, children, p, &theirs);
    if (r < 0)
        standby_end(s, children);
    (void)memory_own();
    return r;
}

/* It has the streams and the filter that it would have anyway. */
static bool suits(const AgentContainer *config)
{
    const ContainerDefinition *d = &config->definition;
    const char *unknown;
    uint64_t mask;

    return d->seccomp == SECCOMP_DEFAULT && !d->terminal && !d->keep_stdin &&
           capabilities_from_names(d->capabilities, &mask, &unknown) >= 0 &&
           ((mask ^ usual_capabilities()) & seccomp_lifting) == 0;
}

static int tell(int socket, const AgentContainer *config)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };

    int r = schema_to_bytes(&agent_container_schema, config, &bytes);
    if (r >= 0 && bytes.size > CONFIG_MAX)
        r = -EMSGSIZE;
    return r < 0 ? r : packet_send(socket, bytes.data, bytes.size, -1);
}

bool standby_take(Standby *s, Children *children, const AgentContainer *config, int outputs[2], Launched *ret)
{
    if (s->socket < 0)
        return false;
    if (!suits(config) || tell(s->socket, config) < 0) {
        standby_end(s, children);
        return false;
    }
    *ret = (Launched){ .status = take_fd(&s->socket) };
    ret->pid = children_release(children, &s->child, &ret->pidfd);
    for (size_t i = 0; i < ELEMENTSOF(s->outputs); i++)
        outputs[i] = take_fd(&s->outputs[i]);
    return true;
}

void standby_end(Standby *s, Children *children)
{
    children_forget(children, &s->child);
    children_forget(children, &s->usher);
    close_all(s);
}
