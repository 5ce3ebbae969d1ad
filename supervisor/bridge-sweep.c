/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/process.h"
#include "base/program.h"
#include "base/socket.h"
#include "base/strings.h"
#include "supervisor/bridge-sweep.h"
#include "supervisor/supervisor.h"

struct BridgeSweep {
    Supervisor *supervisor;
    BridgeSweepList list;
    BridgeSweepDone done;
    void *userdata;
    sd_event_source *begin; /* a turn of the loop of its own */
    UplinkSweep asked;
    int socket; /* -1: there is no conversation */
    sd_event_source *answer, *deadline;
    int pidfd; /* the child; -1: none */
    sd_event_source *child;
    bool again; /* something was left over since it was asked: what is answered says nothing about that */
};

static void let_go(BridgeSweep *b)
{
    b->answer = sd_event_source_disable_unref(b->answer);
    b->deadline = sd_event_source_disable_unref(b->deadline);
    b->socket = safe_close(b->socket);
    schema_done(&uplink_sweep_schema, &b->asked);
}

static void finish(BridgeSweep *b, const char *why)
{
    if (why)
        log_warning("Bridges of networks that are gone stay for now: %s", why);
    else if (!b->again)
        b->done(b->userdata, &b->asked);
    let_go(b);
    if (b->again)
        bridge_sweep_begin(b);
}

/* --- the answer --------------------------------------------------------------------------------------------------------------- */

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    BridgeSweep *b = userdata;
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int none = -1;
    Message m;

    ssize_t n = packet_receive(fd, UPLINK_PACKET_MAX, &packet, &none);
    if (n == -EAGAIN)
        return 0;
    int r = n > 0 ? message_from_bytes(&uplink_protocol, packet.data, packet.size, &m) : -ECONNRESET;
    if (r < 0) {
        finish(b, "podvisor-uplink did not answer");
        return 0;
    }
    const UplinkEnded *ended = m.type == UPLINK_ENDED ? m.body : NULL;
    finish(b, m.type == UPLINK_READY    ? NULL
              : ended && ended->message ? ended->message
                                        : "it is not told why");
    message_done(&m);
    return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    BridgeSweep *b = userdata;

    if (b->pidfd >= 0)
        (void)process_signal(b->pidfd, SIGKILL);
    finish(b, "podvisor-uplink did not answer in time");
    return 0;
}

static int on_child(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    BridgeSweep *b = userdata;
    siginfo_t info;

    (void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
    b->child = sd_event_source_disable_unref(b->child);
    b->pidfd = safe_close(b->pidfd);
    if (b->again)
        bridge_sweep_begin(b);
    return 0;
}

/* --- the question ------------------------------------------------------------------------------------------------------------- */

static int spawn(BridgeSweep *b, int end)
{
    static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", NULL };
    _cleanup_(freep) char *program = strf("%s/podvisor-uplink", b->supervisor->paths->programs);
    const char *arguments[] = { program, "--direct", NULL };
    pid_t pid;

    if (!program)
        return -ENOMEM;
    int r = program_start_lasting((char **)(uintptr_t)arguments, (char **)(uintptr_t)environment, end, &pid);
    if (r < 0)
        return r;
    b->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    r = b->pidfd < 0 ? -errno
                     : sd_event_add_io(b->supervisor->event, &b->child, b->pidfd, EPOLLIN, on_child, b);
    if (r >= 0)
        return 0;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    b->pidfd = safe_close(b->pidfd);
    return r;
}

static int reach(BridgeSweep *b)
{
    int pair[2];

    if (b->supervisor->units)
        return socket_connect_at(b->supervisor->run_dir, PATHS_UPLINK, SOCK_SEQPACKET | SOCK_NONBLOCK);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int r = spawn(b, pair[1]);
    safe_close(pair[1]);
    if (r >= 0)
        return pair[0];
    safe_close(pair[0]);
    return r;
}

static int ask(BridgeSweep *b)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    sd_event *event = b->supervisor->event;

    int r = message_to_bytes(&uplink_protocol, UPLINK_SWEEP, 0, &b->asked, &packet);
    if (r < 0)
        return r;
    if ((b->socket = reach(b)) < 0)
        return b->socket;
    if ((r = packet_send(b->socket, packet.data, packet.size, -1)) < 0 ||
        (r = sd_event_add_io(event, &b->answer, b->socket, EPOLLIN, on_answer, b)) < 0)
        return r;
    return sd_event_add_time_relative(event, &b->deadline, CLOCK_MONOTONIC, BRIDGE_SWEEP_TIMEOUT, 0,
                                      on_deadline, b);
}

static int on_begin(sd_event_source *source, void *userdata)
{
    BridgeSweep *b = userdata;

    if (b->socket >= 0 || b->child) {
        b->again = true;
        return 0;
    }
    b->again = false;
    int r = schema_init(&uplink_sweep_schema, &b->asked);
    if (r >= 0)
        r = b->list(b->userdata, &b->asked);
    if (r >= 0 && b->asked.n_bridges > 0)
        r = ask(b);
    if (r < 0)
        finish(b, strerror(-r));
    else if (b->asked.n_bridges == 0)
        let_go(b);
    return 0;
}

void bridge_sweep_begin(BridgeSweep *b)
{
    b->again |= b->socket >= 0;
    (void)sd_event_source_set_enabled(b->begin, SD_EVENT_ONESHOT);
}

int bridge_sweep_new(BridgeSweep **ret, Supervisor *supervisor, BridgeSweepList list, BridgeSweepDone done,
                     void *userdata)
{
    BridgeSweep *b = calloc(1, sizeof *b);

    if (!b)
        return -ENOMEM;
    *b = (BridgeSweep){
        .supervisor = supervisor, .list = list, .done = done, .userdata = userdata, .socket = -1, .pidfd = -1
    };
    int r = sd_event_add_defer(supervisor->event, &b->begin, on_begin, b);
    if (r >= 0)
        r = sd_event_source_set_enabled(b->begin, SD_EVENT_OFF);
    if (r < 0) {
        bridge_sweep_free(b);
        return r;
    }
    (void)sd_event_source_set_description(b->begin, "bridge-sweep");
    *ret = b;
    return 0;
}

BridgeSweep *bridge_sweep_free(BridgeSweep *b)
{
    if (!b)
        return NULL;
    let_go(b);
    sd_event_source_disable_unref(b->begin);
    sd_event_source_disable_unref(b->child);
    safe_close(b->pidfd);
    free(b);
    return NULL;
}
