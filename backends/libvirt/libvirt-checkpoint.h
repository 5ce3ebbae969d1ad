/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the libvirt backend must remember of a machine: RUN/vm/libvirt.msgpack. Written before and after each step, so that
 * every point at which a runner can die has a name here.
 */
#include "backends/backend.h"
#include "base/process.h"

typedef enum DomainStep {
    DOMAIN_STEP_NONE,     /* nothing was begun */
    DOMAIN_STEP_CREATING, /* libvirt is about to be asked for the domain, or has been; nobody knows the process */
    DOMAIN_STEP_MET,      /* the process is recorded; the domain is paused, or about to go on */
    DOMAIN_STEP_RUNNING, /* the guest runs; from here on containers may run in it */
    DOMAIN_STEP_ENDING,  /* the guest has ended, or the domain is to be destroyed; `end` says what was seen */
    DOMAIN_STEP_ENDED,   /* the process is gone; `end` says how */
    DOMAIN_STEP_MAX,
} DomainStep;
extern const EnumTable domain_step_table;

typedef struct DomainRecord {
    DomainStep step;
    uint64_t attempt;
    uint64_t pid; /* with start_time and boot: a ProcessId */
    uint64_t start_time;
    Id128 boot;
    usec_t started; /* CLOCK_REALTIME */
    char *uri;
    Accelerator accelerator; /* what was taken; ACCELERATOR_AUTO: not decided yet */
    bool paused;
    BackendEnd end;
    Bytes extra;
} DomainRecord;

extern const CheckpointKind libvirt_checkpoint;

ProcessId domain_record_process(const DomainRecord *r);
void domain_record_set_process(DomainRecord *r, const ProcessId *id);
BackendStep domain_step_to_backend(DomainStep step);
