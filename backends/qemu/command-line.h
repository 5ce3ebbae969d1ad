/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * QEMU's command line: a pure function of the frozen definition and of what was opened for it.
 *
 * What a pod file says gets in here as numbers, as rows of enum tables, and as the pod's name, which is escaped; nothing else of it
 * does. The program's path comes from podvisord's own configuration. All else is opened before and comes as a descriptor, so that
 * QEMU opens no file of the host but its own: its libraries and modules, its firmware, /dev/kvm.
 *
 * The choices behind the arguments:
 * - console in a ring inside of QEMU: bounded, costs the guest nothing, and is there when no runner was;
 * - a guest that ends leaves QEMU paused instead of gone (-action), so that a runner which was away finds the reason;
 * - -no-reboot, panic=-1 and pvpanic: a panic is told as a panic, early ones as a reset, and never becomes a second boot;
 * - control and agent sockets listen already when QEMU gets them, so that nobody polls for them to appear.
 */
#include "backends/qemu/disk-json.h"
#include "schemas/run-definition.h"

#define COMMAND_LINE_FD "/proc/self/fd/%d"
#define COMMAND_LINE_NETWORK "network0"         /* as QEMU's events name it */
#define COMMAND_LINE_CONSOLE "console"          /* the ring's id, for ringbuf-read */
enum { COMMAND_LINE_CONSOLE_SIZE = 64 * 1024 }; /* a power of two */

/* What the guest's memory is at the start (backends/qemu/template.h). */
typedef enum CommandLineMemory {
    MEMORY_NEW,      /* empty; QEMU's own */
    MEMORY_TEMPLATE, /* memory_fd, empty: a template is made of it */
    MEMORY_COPY, /* memory_fd, a template, of which what is written becomes QEMU's own: it waits for the rest of its state */
} CommandLineMemory;

typedef struct CommandLineShare {
    size_t index; /* of the volume */
    int fd;       /* connected with its virtiofsd */
} CommandLineShare;

typedef struct CommandLineInputs {
    Accelerator accelerator; /* ACCELERATOR_KVM or ACCELERATOR_TCG */
    CommandLineMemory memory;
    int memory_fd;
    uint64_t tsc_khz;         /* 0: the guest finds out by itself */
    int kernel_fd, initrd_fd; /* not of a MEMORY_COPY, which has them in its memory */
    int qmp_fd, agent_fd;     /* listening */
    int bell_fd;              /* rung by the console, see words.h */
    int network_fd;           /* listening, or the tap; -1: the pod has no network */
    const CommandLineDisk *disks;
    size_t n_disks;
    const DiskFile *volumes;
    size_t n_volumes;
    const CommandLineShare *shares; /* only of a machine with PCI */
    size_t n_shares;
} CommandLineInputs;

/* A strv whose first element is the program: 0 or -ENOMEM. */
int command_line_build(const RunDefinition *definition, const CommandLineInputs *inputs, char ***ret);
