/* SPDX-License-Identifier: Apache-2.0 */
#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/process.h"
#include "base/socket.h"
#include "base/strings.h"
#include "uplink/bridge-make.h"
#include "uplink/bridge.h"
#include "uplink/guard.h"
#include "uplink/passt.h"
#include "uplink/ports.h"
#include "uplink/uplink.h"

enum { NOBODY = 65534 };

/* --- the order ------------------------------------------------------------------------------------------------------------- */

void uplink_order_done(UplinkOrder *order)
{
    schema_done(&uplink_begin_schema, &order->begin);
    schema_done(&uplink_sweep_schema, &order->bridges);
    order->lock = safe_close(order->lock);
    order->guest = safe_close(order->guest);
}

static int take_packet(UplinkOrder *order, const Message *m, int *fd)
{
    if (m->type == UPLINK_SWEEP && order->lock < 0 && m->body) {
        order->sweep = true;
        return schema_copy(&uplink_sweep_schema, m->body, &order->bridges);
    }
    if (m->type == UPLINK_JOIN && order->lock < 0)
        order->join = true;
    else if (m->type == UPLINK_LOCK && order->lock < 0 && *fd >= 0)
        order->lock = take_fd(fd);
    else if (m->type == UPLINK_BEGIN && order->lock >= 0 && *fd >= 0)
        order->guest = take_fd(fd);
    else
        return -EPROTO;
    return m->body ? schema_copy(&uplink_begin_schema, m->body, &order->begin) : 0;
}

static int receive_packet(int runner, UplinkOrder *order)
{
    struct pollfd p = { .fd = runner, .events = POLLIN };
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int fd = -1;
    Message m;

    int ready = poll(&p, 1, (int)(UPLINK_ORDER_TIMEOUT / USEC_PER_MSEC));
    if (ready <= 0)
        return ready < 0 ? -errno : -ETIMEDOUT;
    ssize_t n = packet_receive(runner, UPLINK_PACKET_MAX, &packet, &fd);
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    int r = message_from_bytes(&uplink_protocol, packet.data, packet.size, &m);
    if (r < 0)
        return r;
    r = take_packet(order, &m, &fd);
    message_done(&m);
    return r;
}

/* What is not a connection would be a way to write somewhere for whoever is at its other end. */
static bool is_connection(int fd)
{
    int type, domain;
    socklen_t size = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

int uplink_order_receive(int runner, UplinkOrder *ret)
{
    *ret = (UplinkOrder){ .lock = -1, .guest = -1 };
    int r = 0;
    while (r >= 0 && ret->guest < 0 && !ret->join && !ret->sweep)
        r = receive_packet(runner, ret);
    if (r < 0 || ret->join || ret->sweep)
        return r;
    return is_connection(ret->guest) && ret->begin.passt ? 0 : -EPROTO;
}

void uplink_refuse(int runner, char *why)
{
    _cleanup_(freep) char *text = why;
    _cleanup_(bytes_done) Bytes packet = { 0 };
    UplinkEnded body = { .message = text };

    if (message_to_bytes(&uplink_protocol, UPLINK_ENDED, 0, &body, &packet) >= 0)
        (void)!send(runner, packet.data, packet.size, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR);
}

/* --- privileges -------------------------------------------------------------------------------------------------------------- */

/* Only what passt inherits by being executed: a right to ports that it gives away once it has them. */
static int keep_ports(void)
{
    capng_clear(CAPNG_SELECT_CAPS);
    if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE, CAP_NET_BIND_SERVICE) <
            0 ||
        capng_apply(CAPNG_SELECT_CAPS) < 0)
        return -EPERM;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) < 0 ? -errno : 0;
}

static int drop_user(bool ports)
{
    if (geteuid() != 0)
        return 0;
    if (ports && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return -errno;
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return -errno;
    return ports ? keep_ports() : 0;
}

static int drop_privileges(const UplinkBegin *begin)
{
    bool ports = ports_any_privileged(begin->network.publish) && capng_get_caps_process() >= 0 &&
                 capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_BIND_SERVICE);
    const struct rlimit none = { 0 };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        return -errno;
    (void)umask(077);
    if (chdir("/") < 0)
        return -errno;
    return drop_user(ports);
}

static int drop_rest(void)
{
    if (capng_get_caps_process() < 0)
        return -EPERM;
    if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
        return guard_confine();
    capng_clear(CAPNG_SELECT_CAPS);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : guard_confine();
}

/* --- passt ------------------------------------------------------------------------------------------------------------------- */

/* The ends that are passt's, each under the number that its command line names. */
typedef struct PasstEnds {
    int guest, log, ready;
} PasstEnds;

static void ends_close(PasstEnds *e)
{
    e->guest = safe_close(e->guest);
    e->log = safe_close(e->log);
    e->ready = safe_close(e->ready);
}

static int make_ends(Guard *g, PasstEnds *e)
{
    int pair[2], log[2], ready[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    g->passt = pair[0];
    e->guest = pair[1];
    if (pipe2(log, O_CLOEXEC) < 0)
        return -errno;
    g->log = log[0];
    e->log = log[1];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return -errno;
    g->ready = ready[0];
    e->ready = ready[1];
    return 0;
}

static void child_exec(char *const *arguments, const PasstEnds *e)
{
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C";
    char *environment[] = { path, lang, NULL };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(e->log, STDOUT_FILENO) >= 0 &&
        dup2(e->log, STDERR_FILENO) >= 0 && fcntl(e->guest, F_SETFD, 0) >= 0 &&
        fcntl(e->ready, F_SETFD, 0) >= 0)
        execve(arguments[0], arguments, environment);
    (void)dprintf(STDERR_FILENO, "%s cannot be run: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

static int spawn(const UplinkBegin *begin, Guard *g, PasstEnds *e)
{
    _cleanup_(strv_freep) char **arguments = NULL;
    const PasstInputs inputs = { .guest = e->guest, .ready = e->ready, .offline = passt_is_offline() };

    int r = passt_arguments(begin, &inputs, &arguments);
    if (r < 0)
        return r;
    pid_t pid = fork();
    if (pid == 0)
        child_exec(arguments, e);
    if (pid < 0)
        return -errno;
    g->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (g->pidfd >= 0)
        return 0;
    r = -errno;
    (void)kill(pid, SIGKILL);
    return r;
}

static void guard_close(Guard *g)
{
    g->passt = safe_close(g->passt);
    g->pidfd = safe_close(g->pidfd);
    g->log = safe_close(g->log);
    g->ready = safe_close(g->ready);
}

/* While it may still look at itself. Without it, a network costs nobody knows what, and works. */
static void tell_process(int runner)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    ProcessId id;

    if (process_identify(getpid(), &id) < 0)
        return;
    const UplinkProcess process = { .pid = (uint64_t)id.pid, .start_time = id.start_time };
    if (message_to_bytes(&uplink_protocol, UPLINK_PROCESS, 0, &process, &packet) >= 0)
        (void)packet_send(runner, packet.data, packet.size, -1);
}

static int begin(const UplinkOrder *order, int runner, Guard *g, char **ret_why)
{
    PasstEnds ends = { -1, -1, -1 };

    /* Once as who we are, who may see more of others; once as who will take them. */
    int r = ports_check(order->begin.network.publish, ret_why);
    if (r < 0)
        return r;
    if ((r = drop_privileges(&order->begin)) < 0) {
        *ret_why = strf("the privileges of passt cannot be given away: %s", strerror(-r));
        return r;
    }
    if ((r = ports_check(order->begin.network.publish, ret_why)) < 0)
        return r;
    *g = (Guard){ .guest = order->guest,
                  .passt = -1,
                  .pidfd = -1,
                  .log = -1,
                  .ready = -1,
                  .runner = runner,
                  .mac = order->begin.mac };
    if ((r = make_ends(g, &ends)) >= 0)
        r = spawn(&order->begin, g, &ends);
    ends_close(&ends);
    if (r < 0)
        *ret_why = strf("passt cannot be started: %s", strerror(-r));
    else
        tell_process(runner);
    return r;
}

/* The way between the machine and passt, for as long as both are there. */
static int carry(int runner, UplinkOrder *order)
{
    char *why = NULL;
    Guard g = { .guest = -1, .passt = -1, .pidfd = -1, .log = -1, .ready = -1, .runner = runner };

    (void)signal(SIGPIPE, SIG_IGN);
    int r = begin(order, runner, &g, &why);
    if (r >= 0 && (r = drop_rest()) < 0)
        why = strf("the guard of passt cannot be confined: %s", strerror(-r));
    if (r >= 0)
        r = guard_run(&g, &why);
    guard_close(&g);
    if (r == 0)
        return 0;
    uplink_refuse(g.runner, why ?: strdup(r < 0 ? strerror(-r) : "passt is gone"));
    return r < 0 ? r : -EPIPE;
}

/* --- a bridge -------------------------------------------------------------------------------------------------------------- */

static int tell_tap(int runner, int tap)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    int r = message_to_bytes(&uplink_protocol, UPLINK_TAP, 0, NULL, &packet);
    return r < 0 ? r : packet_send(runner, packet.data, packet.size, tap);
}

static int join(int runner, const BridgeLink *link)
{
    _cleanup_(freep) char *why = NULL;
    _cleanup_(closep) int tap = bridge_join(link, &why);
    int r = tap < 0 ? tap : tell_tap(runner, tap);

    if (r < 0)
        uplink_refuse(runner, take_ptr(why) ?: strdup(strerror(-r)));
    return r;
}

static int tell_ready(int runner)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    int r = message_to_bytes(&uplink_protocol, UPLINK_READY, 0, NULL, &packet);
    return r < 0 ? r : packet_send(runner, packet.data, packet.size, -1);
}

/* 0; -EBUSY: something is on some of them; or negative errno. */
static int sweep_all(const UplinkSweep *bridges, char **ret_why)
{
    _cleanup_(closep) int lock = bridge_lock();
    bool busy = false;
    int r = lock < 0 ? lock : 0;

    for (size_t i = 0; r >= 0 && i < bridges->n_bridges; i++) {
        r = bridge_sweep(&bridges->bridges[i], ret_why);
        busy |= r == -EBUSY;
        r = r == -EBUSY ? 0 : r;
    }
    return r < 0 ? r : busy ? -EBUSY : 0;
}

/* The machine that was the last on one may not be taken apart yet. After that time, what is on it is somebody's, and it stays. */
static int sweep(int asker, const UplinkSweep *bridges)
{
    enum { LOOK_AGAIN_MSEC = 50 };
    _cleanup_(freep) char *why = NULL;
    usec_t begun = now_usec(CLOCK_MONOTONIC);

    int r = sweep_all(bridges, &why);
    while (r == -EBUSY && usec_sub(now_usec(CLOCK_MONOTONIC), begun) < BRIDGE_TAP_TIMEOUT) {
        (void)poll(NULL, 0, LOOK_AGAIN_MSEC);
        r = sweep_all(bridges, &why);
    }
    r = r == -EBUSY ? 0 : r;
    if (r >= 0)
        r = tell_ready(asker);
    if (r < 0)
        uplink_refuse(asker, take_ptr(why) ?: strdup(strerror(-r)));
    return r;
}

int uplink_run(int runner, UplinkOrder *order)
{
    if (order->sweep)
        return sweep(runner, &order->bridges);
    /* Which of both a pod has says its record, and not who asks. */
    if (order->join != (order->begin.network.mode == NETWORK_BRIDGE)) {
        uplink_refuse(runner, strdup("its definition gives it a network of another kind"));
        return -EACCES;
    }
    return order->join ? join(runner, &order->begin.link) : carry(runner, order);
}
