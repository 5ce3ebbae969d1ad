/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What pods really cost of the host's memory: guest + VMM + runner + network + shares = total.
 *
 * Each part is proportional (PSS): a page that several processes map counts as a part of a page for each. So what pods share,
 * a template, QEMU's program, is divided among them, and the sum over all processes is what is in use. It is read by this program when it
 * is asked for (cli/memory-survey.h), and costs podvisord nothing.
 */
#include "cli/client.h"
#include "cli/memory-survey.h"

typedef enum PodMemoryPart {
    POD_MEMORY_GUEST, /* what the VMM has given to its guest */
    POD_MEMORY_VMM,   /* the rest of it */
    POD_MEMORY_RUNNER,
    POD_MEMORY_NETWORK, /* podvisor-uplink and passt */
    POD_MEMORY_SHARES,  /* virtiofsd, without the guest's memory, which counts there */
    POD_MEMORY_PART_MAX,
} PodMemoryPart;
extern const EnumTable pod_memory_part_table;

typedef struct PodMemory {
    /* What the machine's process and the runner hold is known; of the others, `missing` says whose is not. */
    bool known;
    uint64_t total;
    uint64_t guest, vmm, runner, network, shares;
    uint64_t guest_size;     /* by the definition */
    uint64_t guest_resident; /* of that, in the host's memory */
    uint64_t guest_own;      /* of that, no page of the template */
    uint64_t swapped;        /* on the host's swap, and no part of the above */
    char **missing;          /* "process 4711, the machine's: ...": what is not in the sum, and why */
} PodMemory;
extern const Schema pod_memory_schema;

uint64_t pod_memory_part(const PodMemory *memory, PodMemoryPart part);

/* The processes of a pod, from its status, as questions. asked: CLOCK_BOOTTIME of before podvisord was asked. */
enum { POD_PROBES_MAX = 2 + HELPERS_MAX };
typedef struct PodProbe {
    size_t pod;         /* its place in the list */
    const char *whose;  /* static */
    PodMemoryPart part; /* of a VMM: POD_MEMORY_VMM */
} PodProbe;
/* Pure. Returns how many, POD_PROBES_MAX at most. */
size_t pod_memory_probes(const PodStatus *status, size_t pod, usec_t asked, PodProbe *ret_meaning,
                         MemoryProbe *ret_probes);
/* Pure: what the answer is to the sum. 0 or -ENOMEM. */
int pod_memory_add(PodMemory *memory, const PodProbe *meaning, const MemoryProbe *answer);

/* Pure: what is known to be there and not known as a process, of a machine that an older runner started. 0 or -ENOMEM. */
int pod_memory_add_unknown(PodMemory *memory, const PodStatus *status);

/* One for each pod of the list, in its order, for pod_memories_free(). 0 or -ENOMEM. Blocks as memory_survey() does. */
int pod_memories_read(const PodList *list, usec_t asked, PodMemory **ret);
void pod_memories_free(PodMemory *memories, size_t n);
