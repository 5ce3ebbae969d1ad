/* SPDX-License-Identifier: Apache-2.0 */
/* How a machine ends, and what is known of it when it has. */
#include <signal.h>

#include "backends/console.h"
#include "backends/qemu/qemu-vm.h"
#include "backends/qemu/vmm-log.h"
#include "backends/vmm.h"
#include "base/strings.h"
#include "schemas/formats.h"

static void seen_set(QemuVm *q, EndReason reason, char *message)
{
    q->seen.reason = reason;
    free(q->seen.message);
    q->seen.message = message;
    /* The record too, so that a runner that comes later knows what began here. */
    q->record.end.reason = reason;
    (void)str_replace(&q->record.end.message, message);
}

/* --- towards the end -------------------------------------------------------------------------------------------------- */

static int on_leave_deadline(sd_event_source *source, uint64_t when, void *userdata);

static void leave(QemuVm *q, usec_t timeout)
{
    q->state = QEMU_LEAVING;
    (void)qemu_deadline(q, timeout, on_leave_deadline);
}

static void strike(QemuVm *q)
{
    q->state = QEMU_LEAVING;
    (void)qemu_deadline(q, USEC_INFINITY, NULL);
    if (q->qmp)
        qmp_close(q->qmp);
    if (q->pidfd >= 0 && q->ours)
        (void)process_signal(q->pidfd, SIGKILL);
}

static int on_leave_deadline(sd_event_source *source, uint64_t when, void *userdata)
{
    QemuVm *q = userdata;

    if (!q->ours) {
        qemu_doubt(q, false, strf("QEMU has closed its control socket, but its process goes on"));
        return 0;
    }
    if (q->seen.reason == END_NONE)
        seen_set(q, END_VMM_UNRESPONSIVE, strf("QEMU closed its control socket and did not end"));
    strike(q);
    return 0;
}

void qemu_end_expected(QemuVm *q)
{
    if (q->state == QEMU_ADOPTING)
        (void)qemu_deadline(q, QEMU_LEAVE_TIMEOUT, on_leave_deadline);
    else if (q->state != QEMU_LEAVING)
        leave(q, QEMU_LEAVE_TIMEOUT);
}

void qemu_end_announced(QemuVm *q)
{
    leave(q, q->farewell_timeout);
}

void qemu_end_unresponsive(QemuVm *q, char *message)
{
    if (qemu_spare_doubt(q, message))
        return;
    if (q->seen.reason == END_NONE)
        seen_set(q, END_VMM_UNRESPONSIVE, message);
    else
        free(message);
    strike(q);
}

/* A guest that ended leaves QEMU waiting for `quit`; one that is to be killed gets the signal. */
static void let_go(QemuVm *q)
{
    if (q->seen.reason == END_KILLED ||
        qmp_command(q->qmp, "quit", QMP_COMMAND_TIMEOUT, -1, NULL, NULL, NULL) < 0)
        strike(q);
    else
        leave(q, QEMU_LEAVE_TIMEOUT);
}

static void on_console(int error, const QmpValue *value, const char *description, void *userdata)
{
    QemuVm *q = userdata;
    const char *text = qmp_text(value);

    if (q->state != QEMU_ENDING)
        return;
    if (error == 0 && text)
        words_of_console(q, text);
    if (error == -ETIMEDOUT || error == -ECONNRESET)
        strike(q);
    else
        let_go(q);
}

void qemu_end_begin(QemuVm *q, EndReason reason, char *message)
{
    bool tell = q->state == QEMU_RUNNING && reason != END_KILLED;

    seen_set(q, reason, message);
    q->state = QEMU_ENDING;
    /* A record that cannot be written now is written, or missed, at the end: the machine's end does not wait for it. */
    (void)qemu_step(q, QEMU_STEP_ENDING);
    if (qmp_command(q->qmp, "ringbuf-read", QEMU_CONSOLE_TIMEOUT, -1, on_console, q, "{s:s, s:i, s:s}",
                    "device", "console", "size", BACKEND_CONSOLE_MAX, "format", "base64") < 0)
        strike(q);
    if (tell) {
        BackendEvent event = { .type = BACKEND_GUEST_ENDING, .message = q->seen.message };
        qemu_tell(q, &event);
    }
}

int qemu_kill(Vm *vm)
{
    QemuVm *q = qemu_of(vm);

    if (q->state == QEMU_IDLE || q->state == QEMU_OVER)
        return -ESRCH;
    q->kill_wanted = true;
    if (q->state == QEMU_RUNNING)
        qemu_end_begin(q, END_KILLED, NULL);
    else if (q->ours) {
        if (q->seen.reason == END_NONE)
            seen_set(q, END_KILLED, NULL);
        strike(q);
    } else if (q->state == QEMU_STARTING && q->pidfd < 0)
        qemu_start_go_on(q); /* it may wait for its network */
    return 0;
}

/* --- the end ---------------------------------------------------------------------------------------------------------- */

static void sources_end(QemuVm *q)
{
    words_of_vmm(q);
    words_end(q);
    qemu_network_done(&q->network);
    qemu_spare_done(&q->spare);
    qemu_shares_end(q);
    q->qmp = q->qmp ? (qmp_close(q->qmp), q->qmp) : NULL;
    q->process = sd_event_source_disable_unref(q->process);
    q->deferred = sd_event_source_disable_unref(q->deferred);
    (void)qemu_deadline(q, USEC_INFINITY, NULL);
    q->pidfd = safe_close(q->pidfd);
}

void qemu_end(QemuVm *q, EndReason reason, int64_t code, uint64_t signal, char *message)
{
    BackendEnd *end = &q->record.end;

    schema_done(&backend_end_schema, end);
    *end = (BackendEnd){ .reason = reason, .exit_code = code, .exit_signal = signal, .message = message };
    sources_end(q);
    q->state = QEMU_OVER;
    (void)vmm_log_store(q->log, q->vm.context->vm_dir);
    /* Without it the next runner finds a dead process and a free lock, and says that the end was not seen: true enough. */
    (void)qemu_step(q, QEMU_STEP_ENDED);
    BackendEvent event = { .type = BACKEND_ENDED, .end = end };
    qemu_tell(q, &event);
}

/* The guest's kernel may have said more than its end shows: an early panic looks like a reset. */
static void end_as_seen(QemuVm *q, int64_t code, uint64_t signal)
{
    char *message = take_ptr(q->seen.message);
    EndReason reason = q->seen.reason;
    _cleanup_(freep) char *panic = NULL;

    if (reason == END_GUEST_RESET || reason == END_GUEST_PANIC || reason == END_GUEST_SHUTDOWN)
        panic = console_panic(q->vm.context->vm_dir);
    if (panic) {
        free(message);
        message = strf("the guest's kernel panicked: %s", panic);
        reason = END_GUEST_PANIC;
    }
    qemu_end(q, reason, code, signal, message);
}

static void end_by_signal(QemuVm *q, uint64_t signal, bool starting)
{
    _cleanup_(freep) char *name = signal_format((int)signal), *line = vmm_log_last_line(q->log);
    bool crashed = signal != SIGKILL;

    if (signal == SIGKILL && oom_seen(&q->oom))
        qemu_end(q, END_VMM_OOM, -1, signal, strf("the host's kernel killed QEMU for want of memory"));
    else
        qemu_end(q, starting && crashed ? END_START_FAILED : END_VMM_SIGNAL, -1, signal,
                 strf("QEMU was killed by %s%s%s", name ?: "a signal", crashed && line ? ": " : "",
                      crashed && line ? line : ""));
}

static void end_by_exit(QemuVm *q, int64_t code, bool starting)
{
    _cleanup_(freep) char *line = vmm_log_last_line(q->log);

    qemu_end(q, starting ? END_START_FAILED : END_VMM_EXIT, code, 0,
             strf("QEMU exited with status %lld%s%s", (long long)code, line ? ": " : "", line ?: ""));
}

int qemu_on_process(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    QemuVm *q = userdata;
    int64_t code = -1;
    uint64_t signal = 0;
    /* LEAVING comes before, when QMP's end was read first; only STARTED moves the record on. */
    bool starting = q->record.step == QEMU_STEP_SPAWNED;

    int r = vmm_reap(q->pidfd, &code, &signal);
    char *blame = q->seen.reason == END_NONE ? qemu_shares_blame(q) : NULL;
    if (blame) {
        qemu_end(q, starting ? END_START_FAILED : END_SHARE_LOST, code, signal, blame);
        return 0;
    }
    if (starting && (r > 0 || qemu_spare_is_taken(q)) && q->seen.reason == END_NONE && qemu_start_again(q))
        return 0;
    if (q->seen.reason != END_NONE)
        end_as_seen(q, code, signal);
    else if (r <= 0)
        qemu_end(q, END_LOST, -1, 0,
                 strf("QEMU ended; another runner had started it, so its exit status is not known"));
    else if (signal > 0)
        end_by_signal(q, signal, starting);
    else
        end_by_exit(q, code, starting);
    return 0;
}
