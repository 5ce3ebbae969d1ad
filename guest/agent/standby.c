/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/socket.h"
#include "guest/agent/container.h"
#include "guest/agent/rootfs.h"
#include "guest/agent/standby.h"
#include "guest/agent/syscall-filter.h"

/* More than fits into a packet; who has so long a command or so many variables, has the time. */
enum { CONFIG_MAX = 64 * 1024 };

/* --- the process -------------------------------------------------------------------------------------------------------------- */

/* Streams come before the configuration, each with its number. */
static int hear(int socket, int stdio[3], Bytes *config)
{
    for (;;) {
        _cleanup_(closep) int fd = -1;
        ssize_t n = packet_receive(socket, CONFIG_MAX, config, &fd);
        if (n <= 0)
            return n < 0 ? (int)n : -ECONNRESET;
        if (n > 1)
            return 0;
        if (fd >= 0 && config->data[0] < 3)
            stdio[config->data[0]] = take_fd(&fd);
    }
}

static int enter(void *userdata, Failure *f)
{
    const ContainerEntry *entry = userdata;

    entry->platform->first = entry->config->definition.name;
    if (unshare(CLONE_NEWNS) < 0)
        return failure_set(f, -errno, "the mount namespace could not be made");
    return rootfs_enter(entry->platform, entry->config, f);
}

/* What fails ahead ends it: then nobody has it. */
static void __attribute__((noreturn)) stand_by(Platform *p, int socket)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };
    static const PackLimits limits = { .size = CONFIG_MAX, .depth = 8, .count = CONFIG_MAX };
    AgentContainer config;
    int stdio[3] = { -1, -1, -1 };
    Failure f = { 0 };

    if ((socket != LAUNCH_KEPT && dup3(socket, LAUNCH_KEPT, O_CLOEXEC) < 0) ||
        close_range(LAUNCH_KEPT + 1, ~0U, 0) < 0 || launch_reset(false, &f) < 0 ||
        unshare(CLONE_NEWCGROUP) < 0 || rootfs_enter_ahead() < 0 || seccomp_confine_ahead() < 0 ||
        hear(LAUNCH_KEPT, stdio, &bytes) < 0 ||
        schema_from_bytes(&agent_container_schema, &config, bytes.data, bytes.size, &limits, NULL) < 0)
        _exit(1);
    ContainerEntry entry = { p, &config };
    LaunchSpec spec = container_spec(&config, stdio);
    spec.enter = enter;
    spec.userdata = &entry;
    spec.reset = spec.filtered = true;
    launch_child(&spec, LAUNCH_KEPT);
}

/* --- the agent's side --------------------------------------------------------------------------------------------------------- */

static void on_end(void *userdata, int code, int signal)
{
    Standby *s = userdata;
    s->socket = safe_close(s->socket);
}

void standby_init(Standby *s)
{
    *s = (Standby){ .child = { .pidfd = -1, .on_end = on_end, .userdata = s }, .socket = -1 };
}

int standby_make(Standby *s, Children *children, Platform *p, int cgroup)
{
    int sockets[2], pidfd = -1;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        return -errno;
    _cleanup_(closep) int ours = sockets[0], theirs = sockets[1];
    if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    LaunchSpec spec = { .cgroup = cgroup, .namespaces = CLONE_NEWPID, .pid_namespace_of = -1 };
    pid_t pid = launch_clone(&spec, &pidfd);
    if (pid == 0)
        stand_by(p, theirs);
    if (pid < 0)
        return pid;
    children_add(children, &s->child, pid, pidfd);
    s->socket = take_fd(&ours);
    return 0;
}

static int tell(int socket, const AgentContainer *config, const int stdio[3])
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };

    int r = schema_to_bytes(&agent_container_schema, config, &bytes);
    if (r >= 0 && bytes.size > CONFIG_MAX)
        r = -EMSGSIZE;
    for (uint8_t i = 0; r >= 0 && i < 3; i++)
        if (stdio[i] >= 0)
            r = packet_send(socket, &i, 1, stdio[i]);
    return r < 0 ? r : packet_send(socket, bytes.data, bytes.size, -1);
}

bool standby_take(Standby *s, Children *children, const AgentContainer *config, const int stdio[3],
                  Launched *ret)
{
    if (s->socket < 0)
        return false;
    if (config->definition.seccomp != SECCOMP_DEFAULT || tell(s->socket, config, stdio) < 0) {
        standby_end(s, children);
        return false;
    }
    *ret = (Launched){ .status = take_fd(&s->socket) };
    ret->pid = children_release(children, &s->child, &ret->pidfd);
    return true;
}

void standby_end(Standby *s, Children *children)
{
    children_forget(children, &s->child);
    s->socket = safe_close(s->socket);
}
