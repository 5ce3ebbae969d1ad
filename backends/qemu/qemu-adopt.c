/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking over: from the checkpoint to the process, from the process to QMP, and only QMP's answer makes it ours.
 *
 * Where an operator says `adopt` and the checkpoint is of no use, the kernel still knows who took the machine lock: the process
 * that became QEMU. Its identity is then proved like any other, and the checkpoint is written anew.
 */
#include "backends/qemu/qemu-vm.h"
#include "backends/vmm.h"
#include "base/file.h"
#include "base/strings.h"

void qemu_doubt(QemuVm *q, bool foreign, char *message)
{
    _cleanup_(freep) char *owned = message;
    BackendEvent event = { .type = BACKEND_DOUBTFUL, .foreign = foreign, .message = owned };

    q->state = QEMU_OVER;
    if (q->qmp)
        qmp_close(q->qmp);
    q->process = sd_event_source_disable_unref(q->process);
    q->pidfd = safe_close(q->pidfd);
    (void)qemu_deadline(q, USEC_INFINITY, NULL);
    qemu_tell(q, &event);
}

/* What can be known without a checkpoint. The accelerator QEMU says itself. */
static int record_rebuild(QemuVm *q)
{
    const RunDefinition *d = q->vm.context->definition;
    ProcessId id;

    int r = process_identify(vmm_lock_holder(q->vm.context->vm_dir, VMM_LOCK_FILE), &id);
    if (r < 0)
        return r;
    qemu_record_set_process(&q->record, &id);
    q->record.attempt = d->attempt;
    q->record.machine = d->pod.qemu.machine;
    q->record.started = now_usec(CLOCK_REALTIME);
    qemu_spare_rebuild(q);
    return str_replace(&q->record.qemu, d->qemu);
}

/* --- adopt --------------------------------------------------------------------------------------------------------- */

static int record_load(QemuVm *q)
{
    QemuRecord record;

    if (checkpoint_read(q->vm.context->vm_dir, &qemu_checkpoint, &record, NULL, NULL) != CHECKPOINT_GOOD)
        return record_rebuild(q);
    schema_done(qemu_checkpoint.schema, &q->record);
    q->record = record;
    return 0;
}

/* The process of the record; gone and the lock free: it has ended, and nobody saw how. */
static int on_adopt(sd_event_source *source, void *userdata)
{
    QemuVm *q = userdata;

    int r = record_load(q);
    ProcessId id = qemu_record_process(&q->record);
    if (r >= 0)
        r = q->pidfd = process_open(&id);
    if (r >= 0)
        r = qemu_session_begin(q, q->adopt_timeout);
    if (r >= 0)
        return 0;
    if (r == -ESRCH && vmm_is_locked(q->vm.context->vm_dir) == 0)
        qemu_end(q, END_LOST, -1, 0, strf("QEMU ended while no runner watched"));
    else if (r == -ESRCH)
        qemu_doubt(q, false, strf("the recorded process is gone, but another holds the machine's lock"));
    else
        qemu_doubt(q, false, strf("QEMU cannot be reached: %s", strerror(-r)));
    return 0;
}

int qemu_adopt(Vm *vm)
{
    QemuVm *q = qemu_of(vm);

    if (q->state != QEMU_IDLE && q->state != QEMU_OVER)
        return -EALREADY;
    int r = qemu_defer(q, on_adopt);
    if (r >= 0)
        q->state = QEMU_ADOPTING;
    return r;
}
