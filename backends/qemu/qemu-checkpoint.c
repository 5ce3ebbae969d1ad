/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/qemu/qemu-checkpoint.h"

enum { QEMU_CHECKPOINT_VERSION = 1 };

DEFINE_ENUM_TABLE(qemu_step, "step of QEMU",
                  QEMU_STEP_MAX, [QEMU_STEP_NONE] = { "none", "nothing was begun" },
                  [QEMU_STEP_SPAWNING] = { "spawning", "QEMU was about to be started" },
                  [QEMU_STEP_SPAWNED] = { "spawned", "QEMU was started" },
                  [QEMU_STEP_RUNNING] = { "running", "QEMU proved to be this machine" },
                  [QEMU_STEP_ENDING] = { "ending", "the guest had ended, or QEMU was to be killed" },
                  [QEMU_STEP_ENDED] = { "ended", "QEMU's end had been seen" });

static const Field share_record_fields[] = {
    { F_STRING(QemuShareRecord, volume), .flags = FIELD_KEY, .doc = "The volume." },
    { F_UNSIGNED(QemuShareRecord, pid), .max = INT32_MAX, .doc = "The process of virtiofsd." },
    { F_UNSIGNED(QemuShareRecord, start_time), .doc = "When it began, in clock ticks of the boot." },
    { F_ID128(QemuShareRecord, boot), .doc = "The boot of the host in which it began." },
};
static DEFINE_SCHEMA(share_record_schema, QemuShareRecord, "share in use",
                     "What shares a directory of the host.", share_record_fields);

static const Field qemu_record_fields[] = {
    { F_ENUM(QemuRecord, step, qemu_step_table), .doc = "How far it has come." },
    { F_UNSIGNED(QemuRecord, attempt), .doc = "The number of this life of the machine." },
    { F_UNSIGNED(QemuRecord, pid), .max = INT32_MAX, .doc = "QEMU's process; 0 for none." },
    { F_UNSIGNED(QemuRecord, start_time), .doc = "When that process began, in clock ticks of the boot." },
    { F_ID128(QemuRecord, boot), .doc = "The boot of the host in which it began." },
    { F_DURATION(QemuRecord, started), .doc = "When QEMU was started." },
    { F_STRING(QemuRecord, qemu), .doc = "The QEMU program." },
    { F_ENUM(QemuRecord, machine, machine_table), .doc = "The kind of machine." },
    { F_ENUM(QemuRecord, accelerator, accelerator_table), .doc = "What runs the guest's processors." },
    { F_STRING(QemuRecord, accelerator_why), .doc = "Why that is not KVM." },
    { F_BOOL(QemuRecord, copy), .doc = "Whether it began as a copy of a template." },
    { F_UNSIGNED(QemuRecord, state_fd), .doc = "QEMU's descriptor of that template's state." },
    { F_ID128(QemuRecord, spare), .doc = "By which UUID it proves itself, where it was a spare." },
    { F_STRING(QemuRecord, spare_why), .doc = "Why the spare was not taken that there was." },
    { F_STRING(QemuRecord, boot_why), .doc = "Why it booted, where it was to be a copy." },
    { F_GROUP(QemuRecord, end, backend_end_schema), .doc = "How it ended." },
    { F_UNSIGNED(QemuRecord, said), .doc = "How many bytes of what QEMU said were told." },
    { F_LIST(QemuRecord, shares, share_record_schema), .max = VOLUMES_MAX,
      .doc = "The shares that are live." },
};
static DEFINE_SCHEMA_EXTRA(qemu_record_schema, QemuRecord, "qemu",
                           "What the qemu backend remembers of a machine.", qemu_record_fields);

const CheckpointKind qemu_checkpoint = {
    .name = "qemu",
    .version = QEMU_CHECKPOINT_VERSION,
    .schema = &qemu_record_schema,
};

static const BackendStep backend_steps[] = {
    [QEMU_STEP_NONE] = BACKEND_STEP_NONE,        [QEMU_STEP_SPAWNING] = BACKEND_STEP_STARTING,
    [QEMU_STEP_SPAWNED] = BACKEND_STEP_STARTING, [QEMU_STEP_RUNNING] = BACKEND_STEP_RUNNING,
    [QEMU_STEP_ENDING] = BACKEND_STEP_RUNNING,   [QEMU_STEP_ENDED] = BACKEND_STEP_ENDED,
};
_Static_assert(ELEMENTSOF(backend_steps) == QEMU_STEP_MAX, "a step has no row");

BackendStep qemu_step_to_backend(QemuStep step)
{
    return backend_steps[step];
}

ProcessId qemu_record_process(const QemuRecord *r)
{
    return (ProcessId){ .pid = (pid_t)r->pid, .start_time = r->start_time, .boot = r->boot };
}

void qemu_record_set_process(QemuRecord *r, const ProcessId *id)
{
    r->pid = (uint64_t)id->pid;
    r->start_time = id->start_time;
    r->boot = id->boot;
}
