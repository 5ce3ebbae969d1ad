/* SPDX-License-Identifier: Apache-2.0 */
/* How a machine ends, and what is known of it when it has. */
#include <signal.h>

#include "backends/console.h"
#include "backends/libvirt/domain-calls.h"
#include "backends/libvirt/libvirt-vm.h"
#include "backends/vmm.h"
#include "base/log.h"
#include "base/strings.h"

/* A daemon that has not ended the domain by then may hang. */
#define KILL_PATIENCE (3 * USEC_PER_SEC)
#define KILL_INTERVAL (5 * USEC_PER_SEC)
/* From the guest's last words to the end of its processors. */
#define POWER_OFF_INTERVAL (500 * USEC_PER_MSEC)
#define GONE_INTERVAL (50 * USEC_PER_MSEC)

static int on_leave_deadline(sd_event_source *source, uint64_t when, void *userdata);

/* --- what is seen ---------------------------------------------------------------------------------------------------------- */

enum {
    ANY = -1,
    /* A better witness has a higher number. */
    WITNESS_RUIN = 1, /* libvirt saw the process go */
    WITNESS_SIGNAL,   /* QEMU was told to end; by whom, a later word may say */
    WITNESS_GUEST,    /* the guest's own doing */
    WITNESS_ORDER,    /* somebody's order to libvirt */
    WITNESS_PANIC,
    WITNESS_OURS, /* what podvisor does itself */
};

void libvirt_saw(LibvirtVm *l, unsigned weight, EndReason reason, char *message)
{
    if (weight <= l->seen_weight) {
        free(message);
        return;
    }
    l->seen_weight = weight;
    l->seen.reason = reason;
    free(l->seen.message);
    l->seen.message = message;
}

static const struct {
    int event, detail;
    unsigned weight;
    EndReason reason;
    const char *message;
} life_rows[] = {
    { VIR_DOMAIN_EVENT_SHUTDOWN, VIR_DOMAIN_EVENT_SHUTDOWN_HOST, WITNESS_SIGNAL, END_VMM_SIGNAL,
      "somebody on the host told QEMU to end, by a signal or a reset" },
    { VIR_DOMAIN_EVENT_SHUTDOWN, ANY, WITNESS_GUEST, END_GUEST_SHUTDOWN, "the guest powered off" },
    /* How it began was told before; this is also the end of one that was told to end. */
    { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, WITNESS_RUIN, END_GUEST_SHUTDOWN,
      "the guest powered off" },
    { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, WITNESS_ORDER, END_OPERATOR,
      "it was destroyed through libvirt, not by podvisor" },
    { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_CRASHED, WITNESS_PANIC, END_GUEST_PANIC,
      "the guest's kernel panicked" },
    { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED, WITNESS_ORDER, END_OPERATOR,
      "it was migrated to another host through libvirt, not by podvisor" },
    { VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SAVED, WITNESS_ORDER, END_OPERATOR,
      "it was saved to a file through libvirt, not by podvisor" },
    { VIR_DOMAIN_EVENT_STOPPED, ANY, WITNESS_RUIN, END_VMM_SIGNAL,
      "QEMU ended, or was killed, without a word to libvirt" },
    { VIR_DOMAIN_EVENT_CRASHED, ANY, WITNESS_PANIC, END_GUEST_PANIC, "the guest's kernel panicked" },
};

/* --- towards the end --------------------------------------------------------------------------------------------------------- */

/* A record that cannot be written now is written, or missed, at the end: the machine's end does not wait for it. */
static void record_seen(LibvirtVm *l)
{
    l->record.end.reason = l->seen.reason;
    (void)str_replace(&l->record.end.message, l->seen.message);
    (void)libvirt_step(l, DOMAIN_STEP_ENDING);
}

void libvirt_end_begin(LibvirtVm *l)
{
    l->state = LIBVIRT_ENDING;
    record_seen(l);
    if (!l->gone)
        libvirt_deadline(l, DOMAIN_LEAVE_TIMEOUT, on_leave_deadline);
}

static void finish(LibvirtVm *l);

void libvirt_on_life(LibvirtVm *l, int event, int detail)
{
    bool tell = l->state == LIBVIRT_RUNNING;

    l->stopped |= event == VIR_DOMAIN_EVENT_STOPPED;
    if (event == VIR_DOMAIN_EVENT_SUSPENDED || event == VIR_DOMAIN_EVENT_RESUMED) {
        libvirt_set_paused(l, event == VIR_DOMAIN_EVENT_SUSPENDED);
        return;
    }
    TABLE_FOREACH (row, life_rows) {
        if (row->event != event || (row->detail != ANY && row->detail != detail))
            continue;
        libvirt_saw(l, row->weight, row->reason, strf("%s", row->message));
        if (l->gone && event == VIR_DOMAIN_EVENT_STOPPED) {
            finish(l);
            return;
        }
        if (tell)
            libvirt_end_begin(l);
        BackendEvent ending = { .type = BACKEND_GUEST_ENDING, .message = l->seen.message };
        if (tell)
            libvirt_tell(l, &ending);
        return;
    }
}

/* The guest's own resets end QEMU; this one came from outside. */
void libvirt_on_reboot(LibvirtVm *l)
{
    libvirt_saw(l, WITNESS_GUEST + 1, END_GUEST_RESET, strf("the guest was reset"));
}

void libvirt_end_alone(LibvirtVm *l)
{
    libvirt_saw(l, WITNESS_GUEST, END_GUEST_SHUTDOWN, strf("the guest powered off"));
    libvirt_end_begin(l);
    libvirt_deadline(l, POWER_OFF_INTERVAL, on_leave_deadline);
    BackendEvent ending = { .type = BACKEND_GUEST_ENDING, .message = l->seen.message };
    libvirt_tell(l, &ending);
}

/* --- killing ------------------------------------------------------------------------------------------------------------------ */

/* By the kernel; a process that libvirt runs as another user may be beyond us. */
static int strike(LibvirtVm *l)
{
    return l->pidfd >= 0 && l->proved ? process_signal(l->pidfd, SIGKILL) : -ESRCH;
}

/* A daemon that has not been asked for the domain makes none. */
static int on_kill_patience(sd_event_source *source, uint64_t when, void *userdata)
{
    LibvirtVm *l = userdata;

    if (l->pidfd < 0 && !l->sent) {
        finish(l);
        return 0;
    }
    libvirt_deadline(l, DOMAIN_LEAVE_TIMEOUT, on_leave_deadline);
    libvirt_kill_away(l);
    return 0;
}

static int on_kill_again(sd_event_source *source, uint64_t when, void *userdata)
{
    LibvirtVm *l = userdata;

    l->kill_asked = false;
    libvirt_kill_go_on(l);
    return 0;
}

/* A domain whose process never came is gone when nobody has its lock. */
static int on_gone(sd_event_source *source, uint64_t when, void *userdata)
{
    LibvirtVm *l = userdata;

    if (vmm_is_locked(l->vm.context->vm_dir) > 0)
        libvirt_deadline(l, GONE_INTERVAL, on_gone);
    else
        finish(l);
    return 0;
}

static void on_destroyed(void *userdata, Job *job)
{
    LibvirtVm *l = userdata;
    bool known = job->error != -ENOENT && job->error != -EEXIST;

    if (l->state == LIBVIRT_OVER || job->error == -ECONNRESET || job->error == -ETIMEDOUT)
        return;
    if (l->pidfd < 0 && (job->error >= 0 || !known))
        libvirt_deadline(l, GONE_INTERVAL, on_gone);
    else if (job->error >= 0)
        libvirt_deadline(l, DOMAIN_LEAVE_TIMEOUT, on_leave_deadline);
    else if (!l->gone && strike(l) < 0) {
        _cleanup_(freep) char *why = job->why ? str_escape(job->why, strlen(job->why)) : NULL;
        libvirt_log(l, LOG_WARNING, "libvirt could not end the machine, and is asked again: %s",
                    why ?: strerror(-job->error));
        libvirt_deadline(l, KILL_INTERVAL, on_kill_again);
    }
}

void libvirt_kill_away(LibvirtVm *l)
{
    int r = strike(l);

    if (r >= 0 || r == -ESRCH || l->kill_waits)
        return;
    l->kill_waits = true;
    libvirt_log(
        l, LOG_WARNING,
        "it is to be killed, which only libvirt may do, and libvirt's daemon cannot be reached: it is "
        "done as soon as that is back");
}

void libvirt_kill_go_on(LibvirtVm *l)
{
    if (!l->kill_wanted || l->kill_asked || l->gone)
        return;
    if (!l->created && l->state == LIBVIRT_STARTING && !l->sent && !l->asked) {
        finish(l);
        return;
    }
    /* What libvirt is at comes first; its answer leads back here. */
    l->kill_asked =
        !l->asked && connection_is_open(l->connection) &&
        libvirt_call(l, libvirt_job(l, domain_call_destroy, DOMAIN_CALL_TIMEOUT, on_destroyed)) >= 0;
    if (l->kill_asked || l->asked)
        libvirt_deadline(l, KILL_PATIENCE, on_kill_patience);
    else
        libvirt_kill_away(l);
}

/* What was to end by itself has not. */
static int on_leave_deadline(sd_event_source *source, uint64_t when, void *userdata)
{
    LibvirtVm *l = userdata;

    l->kill_wanted = true;
    l->kill_asked = false;
    if (strike(l) < 0)
        libvirt_kill_go_on(l);
    libvirt_deadline(l, DOMAIN_LEAVE_TIMEOUT, on_leave_deadline);
    return 0;
}

int libvirt_kill(Vm *vm)
{
    LibvirtVm *l = libvirt_of(vm);

    if (l->state == LIBVIRT_IDLE || l->state == LIBVIRT_OVER)
        return -ESRCH;
    l->kill_wanted = true;
    libvirt_saw(l, WITNESS_OURS, END_KILLED, NULL);
    if (l->state == LIBVIRT_RUNNING)
        libvirt_end_begin(l);
    if (l->state != LIBVIRT_ADOPTING)
        libvirt_kill_go_on(l);
    return 0;
}

void libvirt_start_failed(LibvirtVm *l, char *message)
{
    bool made = l->created || l->pidfd >= 0;

    libvirt_saw(l, WITNESS_OURS, END_START_FAILED, message);
    if (!made) {
        libvirt_end(l, l->seen.reason, take_ptr(l->seen.message));
        return;
    }
    l->proved |= l->pidfd >= 0;
    l->kill_wanted = true;
    libvirt_end_begin(l);
    if (l->gone)
        finish(l);
    else
        libvirt_kill_go_on(l);
}

/* --- the end ------------------------------------------------------------------------------------------------------------------ */

static void sources_end(LibvirtVm *l)
{
    channels_drain(l->channels);
    l->channels = channels_free(l->channels);
    l->process = sd_event_source_disable_unref(l->process);
    l->deferred = sd_event_source_disable_unref(l->deferred);
    libvirt_deadline(l, USEC_INFINITY, NULL);
    l->pidfd = safe_close(l->pidfd);
}

void libvirt_end(LibvirtVm *l, EndReason reason, char *message)
{
    BackendEnd *end = &l->record.end;

    sources_end(l);
    schema_done(&backend_end_schema, end);
    *end = (BackendEnd){ .reason = reason, .exit_code = -1, .message = message };
    l->state = LIBVIRT_OVER;
    /* Without it the next runner finds a dead process and a free lock, and says that the end was not seen: true enough. */
    (void)libvirt_step(l, DOMAIN_STEP_ENDED);
    BackendEvent event = { .type = BACKEND_ENDED, .end = end };
    libvirt_tell(l, &event);
}

/* The guest's kernel may have said more than its end shows: an early panic looks like a reset. */
static bool end_by_panic(LibvirtVm *l)
{
    EndReason reason = l->seen.reason;

    if (reason != END_GUEST_RESET && reason != END_GUEST_PANIC && reason != END_GUEST_SHUTDOWN)
        return false;
    channels_drain(l->channels);
    _cleanup_(freep) char *panic = console_panic(l->vm.context->vm_dir);
    if (panic)
        libvirt_end(l, END_GUEST_PANIC, strf("the guest's kernel panicked: %s", panic));
    return panic != NULL;
}

static void finish(LibvirtVm *l)
{
    if (l->seen_weight <= WITNESS_SIGNAL && oom_seen(&l->oom))
        libvirt_end(l, END_VMM_OOM, strf("the host's kernel killed QEMU for want of memory"));
    else if (l->seen_weight == 0 && l->record.step < DOMAIN_STEP_RUNNING)
        libvirt_end(l, END_START_FAILED,
                    strf("%s", connection_is_open(l->connection)
                                   ? "QEMU ended while libvirt made the domain"
                                   : "libvirt's daemon was lost while it made the domain, and QEMU ended"));
    else if (l->seen_weight == 0)
        libvirt_end(l, END_VMM_SIGNAL, strf("QEMU ended, or was killed, and libvirt did not say why"));
    else if (!end_by_panic(l))
        libvirt_end(l, l->seen.reason, take_ptr(l->seen.message));
}

static int on_grace(sd_event_source *source, uint64_t when, void *userdata)
{
    finish(userdata);
    return 0;
}

int libvirt_on_process(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    LibvirtVm *l = userdata;

    l->gone = true;
    l->process = sd_event_source_disable_unref(l->process);
    /* libvirt's last word about the domain is waited for even when the reason is known: until then its name is taken. */
    if (connection_is_open(l->connection) && !l->unknown && !l->stopped)
        libvirt_deadline(l, l->asked ? DOMAIN_CREATE_TIMEOUT : DOMAIN_END_GRACE, on_grace);
    else
        finish(l);
    return 0;
}
