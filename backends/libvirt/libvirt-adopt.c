/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking over. The process of the checkpoint, the lock that it holds, and libvirt's word that the domain is ours are the proof. Where
 * the daemon is away or hangs, the first two have to do: the checkpoint names a process by number, start time and boot,
 * nobody but our machine gets at the lock, and the agent's token proves the rest to whoever goes on. What libvirt knows comes when it is back.
 *
 * A start that was cut off before the process was recorded has only libvirt, and the process that connects to our sockets.
 */
#include "backends/libvirt/domain-calls.h"
#include "backends/libvirt/libvirt-vm.h"
#include "backends/vmm.h"
#include "base/log.h"
#include "base/strings.h"

void libvirt_doubt(LibvirtVm *l, bool foreign, char *message)
{
    _cleanup_(freep) char *owned = message;
    BackendEvent event = { .type = BACKEND_DOUBTFUL, .foreign = foreign, .message = owned };

    l->state = LIBVIRT_OVER;
    l->connection = connection_free(l->connection);
    l->channels = channels_free(l->channels);
    l->process = sd_event_source_disable_unref(l->process);
    l->pidfd = safe_close(l->pidfd);
    libvirt_deadline(l, USEC_INFINITY, NULL);
    libvirt_tell(l, &event);
}

static bool is_locked(const LibvirtVm *l)
{
    return vmm_is_locked(l->vm.context->vm_dir) > 0;
}

/* --- proved -------------------------------------------------------------------------------------------------------------- */

/* An earlier runner had begun to end it. */
static void carry_on_ending(LibvirtVm *l)
{
    BackendEnd end = take_struct(l->record.end);

    l->record.end.exit_code = -1;
    libvirt_saw(l, UINT32_MAX, end.reason, end.message);
    l->kill_wanted = end.reason == END_KILLED || end.reason == END_START_FAILED;
    libvirt_end_begin(l);
    if (l->kill_wanted)
        libvirt_kill_go_on(l);
}

static void proved(LibvirtVm *l, bool paused)
{
    l->proved = true;
    if (l->state != LIBVIRT_ADOPTING)
        return;
    if (l->record.step == DOMAIN_STEP_ENDING)
        carry_on_ending(l);
    else {
        l->record.paused = paused;
        (void)libvirt_step(l, DOMAIN_STEP_RUNNING);
        if (l->kill_wanted) {
            l->state = LIBVIRT_RUNNING;
            (void)libvirt_kill(&l->vm);
        } else
            libvirt_started(l);
    }
}

static bool proved_without_libvirt(LibvirtVm *l)
{
    bool enough = l->pidfd >= 0 && !l->nameless && l->record.step >= DOMAIN_STEP_RUNNING && is_locked(l);

    if (enough)
        proved(l, l->record.paused);
    return enough;
}

/* --- what libvirt says ----------------------------------------------------------------------------------------------------- */

static void on_known(LibvirtVm *l, const DomainFacts *f)
{
    l->created = true;
    l->record.accelerator = f->kvm ? ACCELERATOR_KVM : ACCELERATOR_TCG;
    if (l->record.step < DOMAIN_STEP_RUNNING) {
        l->state = LIBVIRT_STARTING;
        libvirt_start_made(l);
        return;
    }
    l->record.paused = f->state == VIR_DOMAIN_PAUSED;
    libvirt_adopt_proceed(l);
}

void libvirt_adopt_proceed(LibvirtVm *l)
{
    /* Else its process comes to our sockets, or on_late(). */
    if (l->created && l->pidfd >= 0)
        proved(l, l->record.paused);
}

static void on_unknown(LibvirtVm *l)
{
    if (l->pidfd < 0 && !is_locked(l))
        libvirt_end(l, END_LOST, strf("libvirt has no such domain, and no process has its lock"));
    else if (l->pidfd >= 0 && proved_without_libvirt(l)) {
        l->unknown = true;
        libvirt_log(l, LOG_WARNING,
                    "libvirt does not know the domain, but its process lives: the pod goes on");
    } else
        libvirt_doubt(l, false, strf("a machine has the lock, and libvirt knows nothing of it"));
}

static void on_looked(void *userdata, Job *job)
{
    LibvirtVm *l = userdata;

    l->asked = false;
    if (l->state != LIBVIRT_ADOPTING || job->error == -ECONNRESET || job->error == -ETIMEDOUT)
        return;
    if (job->uid != UINT64_MAX)
        channels_allow(l->channels, (uid_t)job->uid);
    if (job->error < 0) {
        _cleanup_(freep) char *why = job->why ? str_escape(job->why, strlen(job->why)) : NULL;
        if (!proved_without_libvirt(l))
            libvirt_doubt(
                l, false,
                strf("libvirt does not say what it knows of the domain: %s", why ?: strerror(-job->error)));
    } else if (!job->facts.found)
        on_unknown(l);
    else if (!job->facts.ours)
        libvirt_doubt(l, true, strf("the domain of this UUID is not podvisor's"));
    else
        on_known(l, &job->facts);
}

void libvirt_adopt_go_on(LibvirtVm *l)
{
    Job *job = l->asked ? NULL : libvirt_job(l, domain_call_look, DOMAIN_CALL_TIMEOUT, on_looked);

    if (!job)
        return;
    job->ask_uid = l->nameless;
    l->asked = libvirt_call(l, job) >= 0;
}

void libvirt_adopt_away(LibvirtVm *l, const char *why)
{
    l->asked = false;
    if (!proved_without_libvirt(l))
        return;
    l->away = true;
    libvirt_log(l, LOG_WARNING, "%s; the machine has proved itself without it", why);
}

/* --- deadlines --------------------------------------------------------------------------------------------------------------- */

static int on_late(sd_event_source *source, uint64_t when, void *userdata)
{
    LibvirtVm *l = userdata;

    libvirt_doubt(l, false,
                  l->created ? strf("libvirt has the domain, but no process of it comes to our sockets")
                             : strf("libvirt's daemon cannot be asked whose machine has the lock"));
    return 0;
}

static int on_patience(sd_event_source *source, uint64_t when, void *userdata)
{
    LibvirtVm *l = userdata;

    libvirt_deadline(l, DOMAIN_ADOPT_TIMEOUT, on_late);
    libvirt_adopt_away(l, "libvirt's daemon does not answer");
    return 0;
}

/* --- adopt ------------------------------------------------------------------------------------------------------------------- */

static void record_load(LibvirtVm *l)
{
    DomainRecord record;

    if (checkpoint_read(l->vm.context->vm_dir, &libvirt_checkpoint, &record, NULL, NULL) == CHECKPOINT_GOOD) {
        schema_done(libvirt_checkpoint.schema, &l->record);
        l->record = record;
        return;
    }
    /* What can be known without it. */
    l->record.attempt = l->vm.context->definition->attempt;
    l->record.started = now_usec(CLOCK_REALTIME);
    l->record.step = DOMAIN_STEP_RUNNING;
}

/* 1: there is none to open. */
static int process_find(LibvirtVm *l)
{
    ProcessId id = domain_record_process(&l->record);

    l->nameless = id.pid == 0;
    if (l->nameless)
        return 0;
    l->pidfd = process_open(&id);
    if (l->pidfd < 0)
        return l->pidfd;
    return libvirt_watch_process(l);
}

static int begin(LibvirtVm *l, char **message)
{
    ProcessId id = domain_record_process(&l->record);

    int r = libvirt_session_begin(l, message);
    if (r < 0)
        return r;
    if (!l->nameless)
        channels_expect(l->channels, &id);
    libvirt_deadline(l, DOMAIN_ADOPT_PATIENCE, on_patience);
    return 0;
}

static int on_adopt(sd_event_source *source, void *userdata)
{
    LibvirtVm *l = userdata;
    char *message = NULL;

    record_load(l);
    int r = process_find(l);
    if (r == -ESRCH && !is_locked(l)) {
        libvirt_end(l, l->record.end.reason ?: END_LOST, strf("QEMU ended while no runner watched"));
        return 0;
    }
    if (r == -ESRCH)
        libvirt_doubt(l, false, strf("the recorded process is gone, but another holds the machine's lock"));
    else if (r < 0 || (r = begin(l, &message)) < 0)
        libvirt_doubt(l, false, message ?: strf("the machine cannot be reached: %s", strerror(-r)));
    return 0;
}

int libvirt_adopt(Vm *vm)
{
    LibvirtVm *l = libvirt_of(vm);

    if (l->state != LIBVIRT_IDLE && l->state != LIBVIRT_OVER)
        return -EALREADY;
    int r = libvirt_defer(l, on_adopt);
    if (r < 0)
        return r;
    l->state = LIBVIRT_ADOPTING;
    l->created = l->proved = l->asked = l->unknown = l->gone = l->stopped = l->kill_wanted = l->kill_asked =
        false;
    l->seen_weight = 0;
    return r;
}
