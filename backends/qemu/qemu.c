/* SPDX-License-Identifier: Apache-2.0 */

#include "backends/qemu/qemu-describe.h"
#include "backends/qemu/qemu-vm.h"
#include "backends/qemu/qemu.h"
#include "backends/qemu/spare.h"
#include "backends/qemu/vmm-log.h"
#include "backends/vmm.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"

void qemu_tell(QemuVm *q, const BackendEvent *event)
{
    const BackendContext *c = q->vm.context;

    c->on_event(c->userdata, event);
}

int qemu_step(QemuVm *q, QemuStep step)
{
    const BackendContext *c = q->vm.context;

    q->record.step = step;
    return checkpoint_write(c->vm_dir, &qemu_checkpoint, c->definition->uuid, c->definition->generation,
                            &q->record);
}

int qemu_defer(QemuVm *q, sd_event_handler_t handler)
{
    q->deferred = sd_event_source_disable_unref(q->deferred);
    return sd_event_add_defer(q->vm.context->event, &q->deferred, handler, q);
}

int qemu_deadline(QemuVm *q, usec_t delay, sd_event_time_handler_t handler)
{
    q->deadline = sd_event_source_disable_unref(q->deadline);
    if (delay == USEC_INFINITY)
        return 0;
    int r =
        sd_event_add_time_relative(q->vm.context->event, &q->deadline, CLOCK_MONOTONIC, delay, 1, handler, q);
    if (r >= 0)
        r = sd_event_source_set_priority(q->deadline, SD_EVENT_PRIORITY_NORMAL + 3);
    return r;
}

/* --- check ------------------------------------------------------------------------------------------------------- */

static char *check_program(const RunDefinition *d)
{
    if (!d->qemu)
        return strf("podvisord.conf names no QEMU program");
    if (access(d->qemu, X_OK) == 0)
        return NULL;
    if (errno == ENOENT)
        return strf(
            "QEMU is not installed: there is no %s; install the package qemu-system-x86, or set `qemu` in "
            "podvisord.conf",
            d->qemu);
    return strf("QEMU cannot be run: %s: %s", d->qemu, strerror(errno));
}

static char *check_accelerator(const RunDefinition *d)
{
    Accelerator accelerator;
    KvmFacts facts = kvm_facts();
    _cleanup_(freep) char *why = NULL;

    if (accelerator_choose(d->pod.qemu.accelerator, &facts, &accelerator, &why) < 0)
        return strf("qemu.accelerator is \"kvm\", but %s", why ?: "KVM is not usable");
    if (accelerator == ACCELERATOR_TCG && d->pod.qemu.machine == MACHINE_MICROVM && !tsc_is_steady())
        return strf(
            "qemu.machine is \"microvm\", which without KVM needs a processor with a steady time stamp "
            "counter (constant_tsc, nonstop_tsc), and this host has none; set qemu.machine = \"q35\"");
    return NULL;
}

static char *check_network(const RunDefinition *d)
{
    if (d->pod.network.mode != NETWORK_USER)
        return NULL;
    if (!d->passt)
        return strf("network.mode is \"user\", and podvisord.conf names no passt program");
    if (access(d->passt, X_OK) == 0)
        return NULL;
    if (errno == ENOENT)
        return strf("network.mode is \"user\", and passt is not installed: there is no %s; install the "
                    "package passt, "
                    "or set `passt` in podvisord.conf",
                    d->passt);
    return strf("network.mode is \"user\", and passt cannot be run: %s: %s", d->passt, strerror(errno));
}

/* The pod file was checked for it; a definition that was frozen before may be otherwise. */
static char *check_shares(const RunDefinition *d)
{
    if (d->pod.qemu.machine == MACHINE_MICROVM)
        return strf("the volume %s is a share of mode \"live\", which needs qemu.machine = \"q35\"",
                    d->shares[0].volume ?: "?");
    if (!d->virtiofsd)
        return strf(
            "the volume %s is a share of mode \"live\", and podvisord.conf names no virtiofsd program",
            d->shares[0].volume ?: "?");
    if (access(d->virtiofsd, X_OK) == 0)
        return NULL;
    if (errno == ENOENT)
        return strf("the volume %s is a share of mode \"live\", and virtiofsd is not installed: there is no "
                    "%s; install "
                    "the package qemu-system-common, or set `virtiofsd` in podvisord.conf",
                    d->shares[0].volume ?: "?", d->virtiofsd);
    return strf("the volume %s is a share of mode \"live\", and virtiofsd cannot be run: %s: %s",
                d->shares[0].volume ?: "?", d->virtiofsd, strerror(errno));
}

static int qemu_check(const RunDefinition *d, char **ret_message)
{
    char *message = check_program(d);

    if (!message)
        message = check_accelerator(d);
    if (!message)
        message = check_network(d);
    if (!message && d->n_shares > 0)
        message = check_shares(d);
    *ret_message = message;
    return message ? -EINVAL : 0;
}

/* --- the object -------------------------------------------------------------------------------------------------- */

static int qemu_new(const BackendContext *context, Vm **ret)
{
    QemuVm *q = calloc(1, sizeof *q);

    if (!q)
        return -ENOMEM;
    *q = (QemuVm){ .vm = { &qemu_backend, context },
                   .pidfd = -1,
                   .log = -1,
                   .network = { .end = -1 },
                   .template = { .memory = -1, .state = -1, .socket = -1 },
                   .spare = { .claim = -1, .directory = -1, .bell = -1 },
                   .words = { .bell = -1, .memory = -1, .inotify = -1 },
                   .born = tsc_sample() };
    q->greeting_timeout = QEMU_GREETING_TIMEOUT;
    q->farewell_timeout = QEMU_FAREWELL_TIMEOUT;
    q->adopt_timeout = QEMU_ADOPT_TIMEOUT;
    q->ask_kvm = kvm_facts;
    int r = schema_init(qemu_checkpoint.schema, &q->record);
    if (r >= 0 && (r = schema_init(&backend_end_schema, &q->seen)) < 0)
        schema_done(qemu_checkpoint.schema, &q->record);
    if (r < 0) {
        free(q);
        return r;
    }
    *ret = &q->vm;
    return 0;
}

static Vm *qemu_free(Vm *vm)
{
    if (!vm)
        return NULL;
    QemuVm *q = qemu_of(vm);
    qmp_free(q->qmp);
    words_end(q);
    qemu_network_done(&q->network);
    qemu_template_done(&q->template);
    qemu_spare_done(&q->spare);
    qemu_shares_done(&q->shares);
    sd_event_source_disable_unref(q->process);
    sd_event_source_disable_unref(q->deferred);
    sd_event_source_disable_unref(q->deadline);
    safe_close(q->pidfd);
    safe_close(q->log);
    oom_watch_done(&q->oom);
    schema_done(&backend_end_schema, &q->seen);
    schema_done(qemu_checkpoint.schema, &q->record);
    free(q);
    return NULL;
}

/* --- what was left ------------------------------------------------------------------------------------------------- */

static int facts_of_record(QemuVm *q, BackendFacts *f, const QemuRecord *record, const CheckpointEnvelope *e)
{
    Id128 boot;

    int r = id128_boot(&boot);
    if (r < 0)
        return r;
    ProcessId id = qemu_record_process(record);
    _cleanup_(closep) int pidfd = process_open(&id);
    f->process = pidfd >= 0;
    f->same_machine = id128_equal(e->pod, q->vm.context->definition->uuid);
    f->same_boot = id128_equal(e->boot, boot);
    f->step = qemu_step_to_backend(record->step);
    /* Its end had begun and been recorded, and now it is gone: that is how it ended. */
    if (record->step == QEMU_STEP_ENDING && !f->process)
        f->step = BACKEND_STEP_ENDED;
    if (f->step != BACKEND_STEP_ENDED)
        return 0;
    return schema_copy(&backend_end_schema, &record->end, &f->end);
}

/* The lock is looked at last: a process lets go of it before it is gone, so one that ends meanwhile is not a strange holder. */
static int facts_of_lock(QemuVm *q, BackendFacts *f)
{
    int locked = vmm_is_locked(q->vm.context->vm_dir);

    f->locked = locked > 0;
    return MIN(locked, 0);
}

static int qemu_inspect(Vm *vm, BackendFacts *ret)
{
    QemuVm *q = qemu_of(vm);
    BackendFacts f = { 0 };
    QemuRecord record;
    CheckpointEnvelope envelope;
    int r = 0;

    f.checkpoint = checkpoint_read(vm->context->vm_dir, &qemu_checkpoint, &record, &envelope, &f.detail);
    if (f.checkpoint == CHECKPOINT_ABSENT)
        f.detail = (free(f.detail), NULL);
    if (f.checkpoint == CHECKPOINT_GOOD) {
        r = facts_of_record(q, &f, &record, &envelope);
        schema_done(qemu_checkpoint.schema, &record);
        schema_done(&checkpoint_envelope_schema, &envelope);
    }
    if (r >= 0)
        r = facts_of_lock(q, &f);
    if (r < 0)
        backend_facts_done(&f);
    else
        *ret = f;
    return r;
}

static void sweep_shares(int dir)
{
    QemuRecord record;

    if (checkpoint_read(dir, &qemu_checkpoint, &record, NULL, NULL) != CHECKPOINT_GOOD)
        return;
    qemu_shares_sweep(&record);
    schema_done(qemu_checkpoint.schema, &record);
}

static int qemu_clean(Vm *vm)
{
    static const char *const files[] = { QEMU_QMP_SOCKET,      QEMU_AGENT_SOCKET,   VMM_LOG_FILE,
                                         BACKEND_CONSOLE_FILE, QEMU_NETWORK_SOCKET, SPARE_IDENTITY_FILE,
                                         VMM_LOCK_FILE,        "qemu.msgpack" };
    int dir = vm->context->vm_dir;

    int r = vmm_is_locked(dir);
    if (r != 0)
        return r > 0 ? -EBUSY : r;
    sweep_shares(dir);
    for (size_t i = 0; i < ELEMENTSOF(files) && r >= 0; i++)
        r = file_remove_at(dir, files[i]);
    return r;
}

static int qemu_agent_connect(Vm *vm)
{
    return socket_connect_at(vm->context->vm_dir, QEMU_AGENT_SOCKET, SOCK_STREAM | SOCK_NONBLOCK);
}

const Backend qemu_backend = {
    .name = "qemu",
    .kind = BACKEND_QEMU,
    .checkpoint = &qemu_checkpoint,
    .has_agent = true,
    .describe = qemu_describe,
    .check = qemu_check,
    .new = qemu_new,
    .free = qemu_free,
    .inspect = qemu_inspect,
    .start = qemu_start,
    .adopt = qemu_adopt,
    .agent_connect = qemu_agent_connect,
    .stop = NULL, /* a guest without ACPI buttons: the agent is asked */
    .kill = qemu_kill,
    .pause = qemu_pause,
    .resume = qemu_resume,
    .clean = qemu_clean,
};
