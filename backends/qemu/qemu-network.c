/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/qemu/qemu-vm.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"

static bool is_on_bridge(const QemuVm *q)
{
    return q->vm.context->definition->pod.network.mode == NETWORK_BRIDGE;
}

/* An uplink that lives beside the machine. */
static bool is_wanted(const QemuVm *q)
{
    return q->vm.context->definition->pod.network.mode == NETWORK_USER;
}

void qemu_network_done(QemuNetwork *n)
{
    n->retry = sd_event_source_disable_unref(n->retry);
    n->uplink = uplink_free(n->uplink);
    n->end = safe_close(n->end);
    n->up = false;
}

/* --- the wait for another ----------------------------------------------------------------------------------------------------- */

static void begin(QemuVm *q);

static int on_retry(sd_event_source *source, uint64_t when, void *userdata)
{
    QemuVm *q = userdata;

    q->network.retry = sd_event_source_disable_unref(q->network.retry);
    if (!uplink_is_watched(q->network.uplink) && uplink_lives(q->vm.context) <= 0)
        begin(q);
    return 0;
}

static void retry_in(QemuVm *q, usec_t delay)
{
    QemuNetwork *n = &q->network;

    n->retry = sd_event_source_disable_unref(n->retry);
    (void)sd_event_add_time_relative(q->vm.context->event, &n->retry, CLOCK_MONOTONIC, delay, 1, on_retry, q);
}

static void retry(QemuVm *q)
{
    QemuNetwork *n = &q->network;
    usec_t now = now_usec(CLOCK_MONOTONIC);

    if (n->up && usec_sub(now, n->since) >= NETWORK_GOOD)
        n->delay = 0;
    n->up = false;
    n->delay = n->delay ? MIN(2 * n->delay, NETWORK_RETRY_MAX) : NETWORK_RETRY_MIN;
    retry_in(q, n->delay);
}

/* --- what becomes of it ------------------------------------------------------------------------------------------------------- */

static bool is_being_made(const QemuVm *q)
{
    return q->state == QEMU_STARTING && q->pidfd < 0;
}

static void tell(QemuVm *q, const char *message)
{
    BackendEvent event = { .type = BACKEND_NETWORK, .message = message };

    if (q->state != QEMU_RUNNING || (!message && !q->network.lost))
        return;
    q->network.lost = message;
    qemu_tell(q, &event);
}

static void on_uplink(void *userdata, bool up, const char *message)
{
    QemuVm *q = userdata;

    if (up) {
        if (is_on_bridge(q))
            q->network.end = uplink_take_tap(q->network.uplink);
        q->network.up = true;
        q->network.since = now_usec(CLOCK_MONOTONIC);
        if (is_being_made(q)) {
            start_mark(q->vm.context->start, START_NETWORK);
            qemu_start_go_on(q);
        } else
            tell(q, NULL);
    } else if (is_being_made(q)) {
        qemu_start_network_failed(q, message);
    } else {
        tell(q, message);
        retry(q);
    }
}

static void begin(QemuVm *q)
{
    QemuNetwork *n = &q->network;

    int r = n->uplink ? 0 : uplink_new(&n->uplink, q->vm.context, QEMU_NETWORK_SOCKET, on_uplink, q);
    if (r >= 0)
        r = uplink_begin(n->uplink);
    if (r < 0 && r != -EALREADY)
        retry(q);
}

/* --- a machine's life ----------------------------------------------------------------------------------------------------------- */

int qemu_network_make(QemuVm *q, char **message)
{
    QemuNetwork *n = &q->network;
    const BackendContext *c = q->vm.context;

    bool bridge = is_on_bridge(q);

    if ((!is_wanted(q) && !bridge) || n->up)
        return 1;
    n->end = safe_close(n->end);
    int r = bridge ? 0 : qemu_spare_network(q);
    if (r == 0 && !bridge)
        r = n->end = socket_listen_at(c->vm_dir, QEMU_NETWORK_SOCKET, SOCK_STREAM);
    if (r >= 0 && !n->uplink)
        r = uplink_new(&n->uplink, c, bridge ? NULL : QEMU_NETWORK_SOCKET, on_uplink, q);
    if (r >= 0)
        r = uplink_begin(n->uplink);
    if (r < 0)
        *message = strf("its network cannot be made: %s", strerror(-r));
    return MIN(r, 0);
}

void qemu_network_keep(QemuVm *q)
{
    QemuNetwork *n = &q->network;

    if (!is_wanted(q) || n->up || uplink_is_watched(n->uplink))
        return;
    if (uplink_lives(q->vm.context) > 0) {
        retry_in(q, NETWORK_LOOK_AGAIN);
        return;
    }
    tell(q, n->retry ? "it ended while the machine started" : "it ended while no runner watched");
    if (!n->retry)
        begin(q);
}

/* Of one that we began, its own word comes, and says more. */
void qemu_network_closed(QemuVm *q)
{
    if (!is_wanted(q) || uplink_is_watched(q->network.uplink) || q->network.lost)
        return;
    tell(q, "what an earlier runner had begun has ended");
    retry(q);
}
