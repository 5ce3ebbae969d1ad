/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/libvirt/libvirt-checkpoint.h"

enum { LIBVIRT_CHECKPOINT_VERSION = 1 };

DEFINE_ENUM_TABLE(domain_step, "step of the domain",
                  DOMAIN_STEP_MAX, [DOMAIN_STEP_NONE] = { "none", "nothing was begun" },
                  [DOMAIN_STEP_CREATING] = { "creating", "libvirt was about to be asked for the domain" },
                  [DOMAIN_STEP_MET] = { "met", "the domain's process was known" },
                  [DOMAIN_STEP_RUNNING] = { "running", "the guest was let go" },
                  [DOMAIN_STEP_ENDING] = { "ending", "the guest had ended, or was to be killed" },
                  [DOMAIN_STEP_ENDED] = { "ended", "the end of the process had been seen" });

static const Field domain_record_fields[] = {
    { F_ENUM(DomainRecord, step, domain_step_table), .doc = "How far it has come." },
    { F_UNSIGNED(DomainRecord, attempt), .doc = "The number of this life of the machine." },
    { F_UNSIGNED(DomainRecord, pid), .max = INT32_MAX, .doc = "QEMU's process; 0: not known." },
    { F_UNSIGNED(DomainRecord, start_time), .doc = "When that process began, in clock ticks of the boot." },
    { F_ID128(DomainRecord, boot), .doc = "The boot of the host in which it began." },
    { F_DURATION(DomainRecord, started), .doc = "When libvirt was asked for the domain." },
    { F_STRING(DomainRecord, uri), .doc = "The daemon that has the domain." },
    { F_ENUM(DomainRecord, accelerator, accelerator_table), .doc = "What runs the guest's processors." },
    { F_BOOL(DomainRecord, paused), .doc = "Whether the guest was paused." },
    { F_GROUP(DomainRecord, end, backend_end_schema), .doc = "How it ended." },
};
static DEFINE_SCHEMA_EXTRA(domain_record_schema, DomainRecord, "libvirt",
                           "What the libvirt backend remembers of a machine.", domain_record_fields);

const CheckpointKind libvirt_checkpoint = {
    .name = "libvirt",
    .version = LIBVIRT_CHECKPOINT_VERSION,
    .schema = &domain_record_schema,
};

static const BackendStep backend_steps[] = {
    [DOMAIN_STEP_NONE] = BACKEND_STEP_NONE,      [DOMAIN_STEP_CREATING] = BACKEND_STEP_STARTING,
    [DOMAIN_STEP_MET] = BACKEND_STEP_STARTING,   [DOMAIN_STEP_RUNNING] = BACKEND_STEP_RUNNING,
    [DOMAIN_STEP_ENDING] = BACKEND_STEP_RUNNING, [DOMAIN_STEP_ENDED] = BACKEND_STEP_ENDED,
};
_Static_assert(ELEMENTSOF(backend_steps) == DOMAIN_STEP_MAX, "a step has no row");

BackendStep domain_step_to_backend(DomainStep step)
{
    return backend_steps[step];
}

ProcessId domain_record_process(const DomainRecord *r)
{
    return (ProcessId){ .pid = (pid_t)r->pid, .start_time = r->start_time, .boot = r->boot };
}

void domain_record_set_process(DomainRecord *r, const ProcessId *id)
{
    r->pid = (uint64_t)id->pid;
    r->start_time = id->start_time;
    r->boot = id->boot;
}
