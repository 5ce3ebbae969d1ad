/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The run path of a pod, as far as it is podvisord's: RUN/supervisor.msgpack and RUN/definition.msgpack. RUN/vm/ is made here
 * for the runner; nothing of it is read, only its locks are asked before it is removed.
 *
 * The order in which a run path comes to be is what recovery (supervisor/recovery.h) relies on:
 *     the directory · the record (MACHINE_LAUNCHING) · vm/ · the frozen definition · the runner · the record (MACHINE_LIVE)
 *
 * `pods` is the directory of all run paths. Errors are negative errno.
 */
#include "schemas/run-definition.h"
#include "supervisor/pod-record.h"

/* Makes the run path if need be, and replaces the record in it, of this boot. */
int run_path_write_record(int pods, PodRecord *record) _warn_unused_;
/* Makes vm/ and replaces the frozen definition; the run path is there. */
int run_path_freeze(int pods, const RunDefinition *definition) _warn_unused_;
/* The frozen definition has all of `pod` that can be changed live, and is of this generation, from now on. It is there. */
int run_path_change(int pods, const char *name, const PodDefinition *pod, uint64_t generation) _warn_unused_;
/* 0: nobody holds a lock in there, so no machine runs; -EBUSY: somebody does; else it cannot be told. */
int run_path_check_locks(int pods, const char *name) _warn_unused_;
/* Removes all of it, the record last: until then it says that nothing runs. Repeatable. -EBUSY, with nothing done, while a machine or a runner holds its lock in there. */
int run_path_remove(int pods, const char *name) _warn_unused_;
