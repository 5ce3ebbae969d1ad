/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What several processes hold of the host's memory (base/process-memory.h), each asked with a deadline.
 *
 * Theory of operation
 * -------------------
 * Whoever reads a process's page tables waits for its mappings, which one that hangs may hold for ever. So a child of ours reads, one process
 * after the other, and writes down a pipe what it found. When a process has not been read within SURVEY_PATIENCE, the child is killed,
 * and another goes on with the next. After SURVEY_TIMEOUT the rest is given up.
 *
 * A number is not a process: podvisord's answer is some milliseconds old when it is read. The directory in /proc is opened first and stays
 * that of the process; who has the number then must have begun at the time that is known, or else before podvisord was asked: so it is
 * whom podvisord meant, since a number that was given away since then belongs to somebody younger.
 */
#include "base/process-memory.h"

#define SURVEY_PATIENCE (1 * USEC_PER_SEC)
#define SURVEY_TIMEOUT (5 * USEC_PER_SEC)

typedef struct MemoryProbe {
    pid_t pid;
    uint64_t start_time; /* as in ProcessId; 0: not known, and it began before `asked` */
    usec_t asked;        /* CLOCK_BOOTTIME */
    ProcessMemoryDetail detail;
    bool with_children; /* what those that it has started and that are its own now hold is added */
    /* What came of it: 0; -ESRCH, -EACCES, -EPERM, -EFBIG as process_memory_read() has them; -ESTALE: it is younger than it should be; -ETIMEDOUT; or
     * another negative errno. */
    int error;
    ProcessMemory memory; /* when error is 0 */
} MemoryProbe;

/* Fills in error and memory of each. Blocks, no longer than SURVEY_TIMEOUT. */
void memory_survey(MemoryProbe *probes, size_t n);

/* The same of one, in this process and for as long as it takes. */
void memory_probe(MemoryProbe *probe);
