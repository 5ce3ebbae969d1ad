/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a process holds of the host's memory, by its page tables: /proc/PID/smaps, and smaps_rollup, which has the sums alone. Both go through
 * every page that is there, about 15 ms for each GiB, and wait for whoever changes the process's mappings. Only its own user and root
 * may read them, and root alone where the process hides itself.
 */
#include <sys/types.h>

#include "base/units.h"

/* Bytes. */
typedef struct MemorySums {
    uint64_t size;     /* of the mappings, whether anything is there or not; only of PROCESS_MEMORY_MAPS */
    uint64_t resident; /* what is there of them, whoever else maps it, too */
    uint64_t
        proportional; /* the same, each page divided by how often it is mapped: all processes together give what is used */
    /* Of what is there: no page of a file that is mapped for this process alone, which is the file's until it is written to. */
    uint64_t own;
    uint64_t swapped; /* on the host's swap, divided likewise; no part of the others */
} MemorySums;

typedef struct ProcessMemory {
    MemorySums all;
    /* Of that, what a VMM has given to its guest: QEMU's guest has the only mappings that no child of its shall have (dc), and of a
     * memory file whoever else maps it. */
    MemorySums guest;
} ProcessMemory;

typedef enum ProcessMemoryDetail {
    PROCESS_MEMORY_SUMS,
    PROCESS_MEMORY_MAPS, /* tells the guest's apart; some milliseconds more, for the some hundred mappings of QEMU */
} ProcessMemoryDetail;

/* A process of so many mappings is not gone through. */
#define PROCESS_MEMORY_TEXT_MAX (16UL * 1024 * 1024)

/* Of the text of either file. 0, -ENODATA when there are no mappings (of a zombie), -EBADMSG for what the kernel does not say. */
int process_memory_parse(const char *text, size_t size, ProcessMemory *ret) _warn_unused_;

/*
 * proc: its directory /proc/PID, which stays that of this process, whoever has its number later. 0; -ESRCH when it has ended; -EACCES,
 * -EPERM when it is not ours to see; -EFBIG; or another negative errno. Blocks for as long as the process's mappings are being changed.
 */
int process_memory_read(int proc, ProcessMemoryDetail detail, ProcessMemory *ret) _warn_unused_;
