/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation with QEMU: who it is, what it does, what it is told to do. */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "backends/qemu/command-line.h"
#include "backends/qemu/qemu-vm.h"
#include "backends/qemu/vmm-log.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"

static bool proving(const QemuVm *q)
{
    return q->state == QEMU_STARTING || q->state == QEMU_ADOPTING;
}

/* --- the proof of identity ------------------------------------------------------------------------------------------ */

/* What an adopted QEMU may be found doing; anything else is running or about to be. */
static const struct {
    const char *status;
    bool paused;
    EndReason ended;
    const char *message;
} statuses[] = {
    { "running", false, END_NONE, NULL },
    { "paused", true, END_NONE, NULL },
    { "prelaunch", true, END_NONE, NULL },
    { "shutdown", false, END_GUEST_SHUTDOWN, "the guest powered off or reset while nobody watched" },
    { "guest-panicked", false, END_GUEST_PANIC, "the guest's kernel panicked" },
    { "internal-error", false, END_VMM_EXIT, "QEMU stopped the guest because of an error of its own" },
    { "io-error", true, END_NONE, NULL },
};

static void started(QemuVm *q)
{
    BackendEvent event = { .type = BACKEND_STARTED };
    _cleanup_(freep) char *started_by = qemu_started_by(&q->record);

    q->state = QEMU_RUNNING;
    oom_watch(&q->oom, (pid_t)q->record.pid);
    event.vmm = (BackendVmm){
        .pid = (pid_t)q->record.pid,
        .started = q->record.started,
        .accelerator = enum_to_string(&accelerator_table, (int)q->record.accelerator),
        .isolated = q->record.accelerator == ACCELERATOR_KVM,
        .paused = q->paused,
        .copy = q->record.copy,
        .started_by = started_by,
    };
    qemu_tell(q, &event);
    if (q->state == QEMU_RUNNING)
        words_begin(q);
    if (q->state == QEMU_RUNNING)
        qemu_network_keep(q);
    if (q->state == QEMU_RUNNING) {
        qemu_shares_adopt(q);
        qemu_shares_keep(q);
    }
}

void qemu_proved(QemuVm *q, const char *status)
{
    EndReason ended = END_NONE;
    const char *message = NULL;

    TABLE_FOREACH (row, statuses) {
        if (!status || !streq(row->status, status))
            continue;
        q->paused = row->paused;
        ended = row->ended;
        message = row->message;
    }
    if (ended != END_NONE && q->record.end.reason != END_NONE) {
        ended = q->record.end.reason; /* an earlier runner saw it happen */
        message = q->record.end.message ?: message;
    }
    q->ours = true;
    if (q->log < 0)
        q->log = vmm_log_of((pid_t)q->record.pid);
    int r = qemu_step(q, QEMU_STEP_RUNNING);
    if (q->kill_wanted) {
        q->state = QEMU_RUNNING;
        qemu_end_begin(q, END_KILLED, NULL);
    } else if (ended != END_NONE)
        qemu_end_begin(q, ended, strf("%s", message));
    else if (r < 0 && q->state == QEMU_STARTING)
        qemu_end_begin(q, END_START_FAILED, strf("its checkpoint cannot be written: %s", strerror(-r)));
    else
        started(q);
}

static void proof_failed(QemuVm *q, bool foreign, char *message)
{
    if (q->state == QEMU_ADOPTING)
        qemu_doubt(q, foreign, message);
    else
        qemu_end_unresponsive(q, message);
}

static void on_uuid(int error, const QmpValue *value, const char *description, void *userdata)
{
    QemuVm *q = userdata;
    const char *text = qmp_string(value, "UUID");
    Id128 uuid;

    if (!proving(q) || error == -ECONNRESET)
        return;
    if (error < 0)
        proof_failed(q, false, strf("QEMU does not say who it is: %s", description ?: strerror(-error)));
    else if (!text || id128_parse(text, &uuid) < 0)
        proof_failed(q, false, strf("QEMU does not say who it is"));
    else if (!id128_equal(uuid, qemu_spare_uuid(q)))
        proof_failed(q, true, strf("what runs there is the machine %.40s", text));
    else
        q->ours = true;
}

/* What runs the guest is what QEMU says, not what it was told: the pod's isolation is reported by it. */
static void on_kvm(int error, const QmpValue *value, const char *description, void *userdata)
{
    QemuVm *q = userdata;

    if (proving(q) && q->ours && error != -ECONNRESET)
        q->record.accelerator = error == 0 && qmp_bool(value, "enabled") ? ACCELERATOR_KVM : ACCELERATOR_TCG;
}

static void on_status(int error, const QmpValue *value, const char *description, void *userdata)
{
    QemuVm *q = userdata;

    if (!proving(q) || error == -ECONNRESET)
        return;
    if (error < 0)
        proof_failed(q, false, strf("QEMU does not say what it does: %s", description ?: strerror(-error)));
    else if (q->ours && !qemu_template_wake(q, qmp_string(value, "status")) &&
             !qemu_spare_strays(q, qmp_string(value, "status")))
        qemu_proved(q, qmp_string(value, "status"));
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *reason;
    EndReason end;
    const char *message;
} shutdowns[] = {
    { "guest-shutdown", END_GUEST_SHUTDOWN, "the guest powered off" },
    { "guest-reset", END_GUEST_RESET, "the guest reset" },
    { "guest-panic", END_GUEST_PANIC, "the guest's kernel panicked" },
    { "host-signal", END_VMM_SIGNAL, "somebody on the host told QEMU to end" },
    { "host-error", END_VMM_EXIT, "QEMU ended because of an error of its own" },
};

/* A guest's end leaves QEMU paused and able to talk; a host's does not. */
static void on_shutdown(QemuVm *q, const QmpValue *data)
{
    const char *reason = qmp_string(data, "reason") ?: "";

    TABLE_FOREACH (row, shutdowns) {
        if (!streq(row->reason, reason) || q->seen.reason != END_NONE)
            continue;
        if (qmp_bool(data, "guest")) {
            qemu_end_begin(q, row->end, strf("%s", row->message));
            return;
        }
        _cleanup_(freep) char *line = vmm_log_last_line(q->log);
        q->seen.reason = row->end;
        q->seen.message = strf("%s%s%s", row->message, line ? ": " : "", line ?: "");
        qemu_end_announced(q);
    }
}

static void on_panicked(QemuVm *q, const QmpValue *data)
{
    if (q->seen.reason == END_NONE)
        qemu_end_begin(q, END_GUEST_PANIC, strf("the guest's kernel panicked"));
}

static void set_paused(QemuVm *q, bool paused)
{
    BackendEvent event = { .type = paused ? BACKEND_PAUSED : BACKEND_RESUMED };

    if (q->paused == paused)
        return;
    q->paused = paused;
    q->answered = true;
    if (q->state == QEMU_RUNNING)
        qemu_tell(q, &event);
}

static void on_stopped(QemuVm *q, const QmpValue *data)
{
    set_paused(q, true);
}

static void on_resumed(QemuVm *q, const QmpValue *data)
{
    set_paused(q, false);
}

static void on_network_closed(QemuVm *q, const QmpValue *data)
{
    const char *name = qmp_string(data, "netdev-id");

    if (q->state == QEMU_RUNNING && name && streq(name, COMMAND_LINE_NETWORK))
        qemu_network_closed(q);
}

static void on_migration(QemuVm *q, const QmpValue *data)
{
    qemu_template_loading(q, qmp_string(data, "status") ?: "");
}

static const struct {
    const char *name;
    void (*func)(QemuVm *q, const QmpValue *data);
    bool early; /* matters before the proof, too */
} events[] = {
    { "SHUTDOWN", on_shutdown },
    { "GUEST_PANICKED", on_panicked },
    { "STOP", on_stopped },
    { "RESUME", on_resumed },
    { "NETDEV_STREAM_DISCONNECTED", on_network_closed },
    { "MIGRATION", on_migration, true },
};

static void on_event(const char *name, const QmpValue *data, void *userdata)
{
    QemuVm *q = userdata;

    if (q->state == QEMU_OVER)
        return;
    TABLE_FOREACH (row, events) {
        /* Before the proof most events say nothing that query-status would not say better. */
        if (streq(row->name, name) && (row->early || q->state != QEMU_ADOPTING))
            row->func(q, data);
    }
}

/* --- the connection ------------------------------------------------------------------------------------------------ */

static void on_ready(unsigned major, unsigned minor, void *userdata)
{
    QemuVm *q = userdata;

    if (q->state != QEMU_STARTING)
        return;
    start_mark(q->vm.context->start, START_GREETED);
    if (major < QEMU_VERSION_MAJOR || (major == QEMU_VERSION_MAJOR && minor < QEMU_VERSION_MINOR))
        qemu_end_begin(q, END_START_FAILED,
                       strf("%s is version %u.%u; %d.%d or newer is needed", q->vm.context->definition->qemu,
                            major, minor, QEMU_VERSION_MAJOR, QEMU_VERSION_MINOR));
}

static char *closed_message(int error)
{
    if (error == -ETIMEDOUT)
        return strf("QEMU does not answer");
    return strf("QEMU does not speak QMP as it should: %s", strerror(-error));
}

static void on_closed(int error, void *userdata)
{
    QemuVm *q = userdata;

    if (q->state == QEMU_OVER)
        return;
    if (error == 0 || error == -ECONNRESET || error == -EPIPE)
        qemu_end_expected(q);
    else if (q->state == QEMU_ADOPTING && error == -ETIMEDOUT)
        qemu_doubt(q, false, strf("QEMU does not answer; it hangs, or another runner holds it"));
    else if (q->state == QEMU_ADOPTING)
        qemu_doubt(q, false, closed_message(error));
    else
        qemu_end_unresponsive(q, closed_message(error));
}

static const QmpHandlers handlers = { .ready = on_ready, .event = on_event, .closed = on_closed };

static int watch_process(QemuVm *q)
{
    q->process = sd_event_source_disable_unref(q->process);
    int r = sd_event_add_io(q->vm.context->event, &q->process, q->pidfd, EPOLLIN, qemu_on_process, q);
    if (r >= 0)
        r = sd_event_source_set_priority(q->process, SD_EVENT_PRIORITY_NORMAL + 2);
    return r;
}

int qemu_session_begin(QemuVm *q, usec_t greeting_timeout)
{
    const BackendContext *c = q->vm.context;

    int r = watch_process(q);
    if (r < 0)
        return r;
    int socket = socket_connect_at(c->vm_dir, QEMU_QMP_SOCKET, SOCK_STREAM | SOCK_NONBLOCK);
    if (socket == -ECONNREFUSED || socket == -ENOENT) {
        qemu_end_expected(q);
        return 0;
    }
    if (socket < 0)
        return socket;
    q->qmp = qmp_free(q->qmp);
    /* The clock is beyond all ids that were used before: a runner gives less than a command each microsecond. */
    uint64_t first_id = now_usec(CLOCK_MONOTONIC);
    if ((r = qmp_new(&q->qmp, c->event, socket, first_id, greeting_timeout, &handlers, q)) < 0)
        return r;
    r = qmp_command(q->qmp, "query-uuid", greeting_timeout, -1, on_uuid, q, NULL);
    if (r >= 0)
        r = qmp_command(q->qmp, "query-kvm", greeting_timeout, -1, on_kvm, q, NULL);
    if (r >= 0)
        r = qemu_spare_plug(q);
    return r < 0 ? r : qmp_command(q->qmp, "query-status", greeting_timeout, -1, on_status, q, NULL);
}

/* --- pause and resume ------------------------------------------------------------------------------------------------ */

static void on_answer(QemuVm *q, bool pause, int error, const char *description)
{
    if (q->state != QEMU_RUNNING || error == -ECONNRESET)
        return;
    _cleanup_(freep) char *message = strf("QEMU could not %s the guest: %s", pause ? "pause" : "resume",
                                          error == -EREMOTEIO ? description : strerror(-error));
    BackendEvent event = { .type = error < 0 ? BACKEND_REFUSED : pause ? BACKEND_PAUSED : BACKEND_RESUMED };
    if (error < 0)
        event.message = message;
    else if (q->answered)
        return;
    qemu_tell(q, &event);
}

static void on_pause_answer(int error, const QmpValue *value, const char *description, void *userdata)
{
    on_answer(userdata, true, error, description);
}

static void on_resume_answer(int error, const QmpValue *value, const char *description, void *userdata)
{
    on_answer(userdata, false, error, description);
}

static int order(Vm *vm, const char *command, QmpReplyFunc func)
{
    QemuVm *q = qemu_of(vm);

    if (q->state != QEMU_RUNNING)
        return -ESRCH;
    q->answered = false;
    return qmp_command(q->qmp, command, QMP_COMMAND_TIMEOUT, -1, func, q, NULL);
}

int qemu_pause(Vm *vm)
{
    return order(vm, "stop", on_pause_answer);
}

int qemu_resume(Vm *vm)
{
    return order(vm, "cont", on_resume_answer);
}
