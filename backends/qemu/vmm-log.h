/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What QEMU itself says (standard output and error): its first VMM_LOG_SIZE bytes, in a sealed memory file.
 *
 * A pipe would end with the runner, a file in the run path could fill the host's memory, and a limit on file sizes would
 * hit disks too. A memory file that is sealed at its size takes what fits, refuses the rest, needs nobody to read it, and a
 * later runner finds it as QEMU's descriptor 2.
 */
#include <sys/types.h>

#include "base/bytes.h"

enum { VMM_LOG_SIZE = 16 * 1024 };

#define VMM_LOG_FILE "qemu.log"

/* A descriptor to become QEMU's 1 and 2, or negative errno. */
int vmm_log_new(void) _warn_unused_;
/* The log of a QEMU that another runner started; negative errno when its descriptor 2 is no such file. */
int vmm_log_of(pid_t pid) _warn_unused_;

/* How a QEMU ended that is a child of ours, and the last line that it said: a sentence without its full stop (malloc'ed); NULL: no memory. Call it when
 * the pidfd is readable; reaps. */
char *vmm_log_end(int pidfd, int log);

/* Copies what was said to vm_dir/qemu.log, if anything was. 0 or negative errno. */
int vmm_log_store(int log, int vm_dir);
/* What was said beyond the first `offset` bytes, appended to ret. 0 or -ENOMEM. */
int vmm_log_read_from(int log, size_t offset, Bytes *ret);
/* The last line, escaped and without the program's name (malloc'ed); NULL when nothing was said. */
char *vmm_log_last_line(int log);
