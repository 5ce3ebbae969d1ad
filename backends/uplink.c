/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backends/uplink.h"
#include "base/file.h"
#include "base/process.h"
#include "base/program.h"
#include "base/socket.h"
#include "base/strings.h"
#include "schemas/uplink-protocol.h"
#include "schemas/user-network.h"

struct Uplink {
    const BackendContext *context;
    char *machine;
    UplinkFunc func;
    void *userdata;
    int tap;     /* -1 */
    int channel; /* -1: none is begun, or it cannot be heard any more */
    bool begun;
    usec_t began;
    char *last_word; /* that of an end */
    sd_event_source *heard, *timer, *process;
    int pidfd; /* where it is our own child; -1 */
};

int uplink_new(Uplink **ret, const BackendContext *context, const char *machine, UplinkFunc func,
               void *userdata)
{
    Uplink *u = calloc(1, sizeof *u);

    if (!u)
        return -ENOMEM;
    *u = (Uplink){
        .context = context, .func = func, .userdata = userdata, .channel = -1, .pidfd = -1, .tap = -1
    };
    if (machine && !(u->machine = strdup(machine))) {
        free(u);
        return -ENOMEM;
    }
    *ret = u;
    return 0;
}

static void let_go(Uplink *u)
{
    u->heard = sd_event_source_disable_unref(u->heard);
    u->timer = sd_event_source_disable_unref(u->timer);
    u->channel = safe_close(u->channel);
    u->last_word = (free(u->last_word), NULL);
    u->begun = false;
}

Uplink *uplink_free(Uplink *u)
{
    if (!u)
        return NULL;
    let_go(u);
    sd_event_source_disable_unref(u->process);
    safe_close(u->pidfd);
    safe_close(u->tap);
    free(u->machine);
    free(u);
    return NULL;
}

int uplink_take_tap(Uplink *u)
{
    return take_fd(&u->tap);
}

bool uplink_is_watched(const Uplink *u)
{
    return u && u->begun;
}

static void down(Uplink *u, char *message)
{
    _cleanup_(freep) char *owned = message;

    let_go(u);
    u->func(u->userdata, false, owned ?: "it cannot be told why");
}

/* --- the lock ---------------------------------------------------------------------------------------------------------------- */

static int lock_open(const BackendContext *c)
{
    return file_open_at(c->vm_dir, ".", O_RDONLY | O_DIRECTORY, 0);
}

int uplink_lives(const BackendContext *c)
{
    _cleanup_(closep) int fd = lock_open(c);

    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 1 : -errno;
    return 0;
}

/* --- its process ------------------------------------------------------------------------------------------------------------- */

static int on_process(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Uplink *u = userdata;
    siginfo_t info;

    (void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
    u->process = sd_event_source_disable_unref(u->process);
    u->pidfd = safe_close(u->pidfd);
    return 0;
}

static int spawn(const char *program, int socket, pid_t *ret)
{
    static const char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", NULL
    };
    const char *arguments[] = { program, "--direct", NULL };

    return program_start_lasting((char **)(uintptr_t)arguments, (char **)(uintptr_t)environment, socket, ret);
}

static int start_child(Uplink *u, char **message)
{
    int pair[2];
    pid_t pid = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    u->channel = pair[0];
    int r = spawn(u->context->definition->uplink, pair[1], &pid);
    safe_close(pair[1]);
    if (r < 0) {
        *message = strf("%s cannot be run: %s", u->context->definition->uplink, strerror(-r));
        return r;
    }
    u->process = sd_event_source_disable_unref(u->process);
    safe_close(u->pidfd);
    u->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (u->pidfd < 0)
        return -errno;
    return sd_event_add_io(u->context->event, &u->process, u->pidfd, EPOLLIN, on_process, u);
}

static int call_door(Uplink *u, char **message)
{
    const char *path = u->context->definition->uplink_socket, *slash = strrchr(path, '/');
    _cleanup_(freep) char *directory = slash ? strndup(path, (size_t)(slash - path)) : NULL;

    if (!directory)
        return slash ? -ENOMEM : -EINVAL;
    _cleanup_(closep) int dir = dir_reach_at(AT_FDCWD, directory);
    int r = dir < 0 ? dir : socket_connect_at(dir, slash + 1, SOCK_SEQPACKET | SOCK_NONBLOCK);
    if (r < 0) {
        *message = strf("%s: %s%s", path, strerror(-r),
                        r == -ENOENT || r == -ECONNREFUSED ? "; is podvisor-uplink.socket started?" : "");
        return r;
    }
    u->channel = r;
    return 0;
}

/* --- what it is told ------------------------------------------------------------------------------------------------------------ */

static int send_packet(Uplink *u, UplinkMessageType type, const void *body, int fd)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    int r = message_to_bytes(&uplink_protocol, (int)type, 0, body, &packet);
    return r < 0 ? r : packet_send(u->channel, packet.data, packet.size, fd);
}

static int reach(Uplink *u, char **message)
{
    const RunDefinition *d = u->context->definition;

    if (!d->uplink && !d->uplink_socket) {
        *message = strf("podvisord does not say how it is made");
        return -EINVAL;
    }
    return d->uplink ? start_child(u, message) : call_door(u, message);
}

static int order(Uplink *u, int lock, char **message)
{
    const RunDefinition *d = u->context->definition;
    char mac[USER_NETWORK_MAC_SIZE];
    UplinkBegin begin = { .network = d->pod.network, .passt = d->passt, .link = d->link };

    if (!u->machine) {
        int r = reach(u, message);
        return r < 0 ? r : send_packet(u, UPLINK_JOIN, &begin, -1);
    }
    _cleanup_(closep) int machine =
        socket_connect_at(u->context->vm_dir, u->machine, SOCK_STREAM | SOCK_NONBLOCK);
    if (machine < 0) {
        *message = strf("the machine does not take it: %s", strerror(-machine));
        return machine;
    }
    int r = user_network_mac(d->name, mac);
    begin.mac = mac;
    if (r >= 0)
        r = reach(u, message);
    if (r >= 0)
        r = send_packet(u, UPLINK_LOCK, NULL, lock);
    return r < 0 ? r : send_packet(u, UPLINK_BEGIN, &begin, machine);
}

/* --- what it says --------------------------------------------------------------------------------------------------------------- */

static void tell_process(const Uplink *u, const UplinkProcess *p)
{
    const BackendEvent event = {
        .type = BACKEND_HELPER,
        .helper = { .kind = HELPER_UPLINK, .pid = p->pid, .start_time = p->start_time },
    };

    u->context->on_event(u->context->userdata, &event);
}

/* 1: another packet may come, 0: none does. */
static int take(Uplink *u)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int fd = -1;
    Message m;

    if (packet_receive(u->channel, UPLINK_PACKET_MAX, &packet, &fd) <= 0)
        return 0;
    if (message_from_bytes(&uplink_protocol, packet.data, packet.size, &m) < 0)
        return 1;
    const UplinkEnded *ended = m.body;
    if (m.type == UPLINK_ENDED)
        u->last_word =
            (free(u->last_word), ended->message ? str_escape(ended->message, strlen(ended->message)) : NULL);
    if (m.type == UPLINK_PROCESS)
        tell_process(u, m.body);
    bool ready = m.type == UPLINK_READY, tap = m.type == UPLINK_TAP && fd >= 0;
    message_done(&m);
    if (tap) {
        /* Its maker ends now, which is no end of the network. */
        let_go(u);
        u->tap = take_fd(&fd);
        u->func(u->userdata, true, NULL);
        return 1;
    }
    if (ready) {
        u->timer = sd_event_source_disable_unref(u->timer);
        u->func(u->userdata, true, NULL);
    }
    return 1;
}

static int on_heard(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Uplink *u = userdata;

    if (take(u) == 0)
        down(u, take_ptr(u->last_word) ?: strdup("podvisor-uplink has ended without a word"));
    return 0;
}

static int on_late(sd_event_source *source, uint64_t when, void *userdata)
{
    Uplink *u = userdata;

    if (u->pidfd >= 0)
        (void)process_signal(u->pidfd, SIGKILL);
    down(u, strdup(u->machine ? "passt did not get ready in time" : "it was not made in time"));
    return 0;
}

/* --- beginning ---------------------------------------------------------------------------------------------------------------- */

static int arm(Uplink *u, usec_t delay, sd_event_time_handler_t handler)
{
    u->timer = sd_event_source_disable_unref(u->timer);
    return sd_event_add_time_relative(u->context->event, &u->timer, CLOCK_MONOTONIC, delay, 1, handler, u);
}

static int on_begin(sd_event_source *source, uint64_t when, void *userdata)
{
    Uplink *u = userdata;
    char *message = NULL;

    _cleanup_(closep) int lock = lock_open(u->context);
    int r = lock < 0 ? lock : u->machine && flock(lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
    if (r == -EWOULDBLOCK && usec_sub(now_usec(CLOCK_MONOTONIC), u->began) < UPLINK_LOCK_TIMEOUT) {
        (void)arm(u, UPLINK_LOCK_INTERVAL, on_begin);
        return 0;
    }
    if (r == -EWOULDBLOCK)
        message = strdup("the one before does not end");
    if (r >= 0)
        r = order(u, lock, &message);
    if (r >= 0)
        r = sd_event_add_io(u->context->event, &u->heard, u->channel, EPOLLIN, on_heard, u);
    if (r >= 0)
        r = arm(u, UPLINK_READY_TIMEOUT, on_late);
    if (r < 0)
        down(u, message ?: strdup(strerror(-r)));
    return 0;
}

int uplink_begin(Uplink *u)
{
    if (u->begun)
        return -EALREADY;
    u->began = now_usec(CLOCK_MONOTONIC);
    int r = arm(u, 0, on_begin);
    u->begun = r >= 0;
    return r;
}
