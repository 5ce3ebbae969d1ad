/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the qemu backend must remember of a machine: RUN/vm/qemu.msgpack. Written before and after each step, so that every
 * point at which a runner can die has a name here.
 */
#include "backends/backend.h"
#include "base/process.h"

typedef enum QemuStep {
    QEMU_STEP_NONE, /* nothing was begun */
    QEMU_STEP_SPAWNING, /* a child is about to be made; one that exists waits at its gate and has never been QEMU */
    QEMU_STEP_SPAWNED, /* the process is recorded; QEMU runs, or its child is still at the gate */
    QEMU_STEP_RUNNING, /* QEMU proved to be this machine; from here on containers may run in it */
    QEMU_STEP_ENDING,  /* the guest has ended, or QEMU is to be killed; `end` says what was seen */
    QEMU_STEP_ENDED,   /* the process is gone; `end` says how */
    QEMU_STEP_MAX,
} QemuStep;
extern const EnumTable qemu_step_table;

/* Of a virtiofsd. */
typedef struct QemuShareRecord {
    char *volume;
    uint64_t pid; /* with start_time and boot: a ProcessId */
    uint64_t start_time;
    Id128 boot;
} QemuShareRecord;

typedef struct QemuRecord {
    QemuStep step;
    uint64_t attempt;
    uint64_t pid; /* with start_time and boot: a ProcessId */
    uint64_t start_time;
    Id128 boot;
    usec_t started; /* CLOCK_REALTIME */
    char *qemu;     /* the program */
    Machine machine;
    Accelerator accelerator; /* what was taken; ACCELERATOR_AUTO: not decided yet */
    char *accelerator_why;   /* why not KVM; NULL: it was not wanted, or is taken */
    bool copy;               /* it is a copy of a template */
    uint64_t state_fd;       /* then: QEMU's number of the template's state; 0: it has been loaded */
    Id128 spare; /* and by this UUID it proves itself, not by the pod's: it was a spare; null: it was none */
    char *spare_why; /* why it is none, where there was one */
    char *boot_why;  /* why it is none, where one was wanted; NULL: none was, or it is one */
    BackendEnd end;
    uint64_t said; /* bytes of what QEMU said that were told */
    QemuShareRecord *shares;
    size_t n_shares;
    Bytes extra;
} QemuRecord;

extern const CheckpointKind qemu_checkpoint;

ProcessId qemu_record_process(const QemuRecord *r);
void qemu_record_set_process(QemuRecord *r, const ProcessId *id);
BackendStep qemu_step_to_backend(QemuStep step);
