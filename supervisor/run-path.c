/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/file.h>

#include "base/file.h"
#include "supervisor/run-path.h"

int run_path_write_record(int pods, PodRecord *record)
{
    int r = id128_boot(&record->boot);
    if (r < 0)
        return r;
    _cleanup_(closep) int dir = dir_make_at(pods, record->name, 0700);
    return dir < 0 ? dir : checkpoint_write(dir, &pod_record_kind, record->uuid, record->generation, record);
}

int run_path_freeze(int pods, const RunDefinition *definition)
{
    _cleanup_(closep) int dir = dir_open_at(pods, definition->name);
    if (dir < 0)
        return dir;
    _cleanup_(closep) int vm = dir_make_at(dir, RUN_VM_DIR, 0700);
    if (vm < 0)
        return vm;
    return checkpoint_write(dir, &run_definition_kind, definition->uuid, definition->generation, definition);
}

int run_path_change(int pods, const char *name, const PodDefinition *pod, uint64_t generation)
{
    _cleanup_(closep) int dir = dir_open_at(pods, name);
    RunDefinition d;

    if (dir < 0)
        return dir;
    if (checkpoint_read(dir, &run_definition_kind, &d, NULL, NULL) != CHECKPOINT_GOOD)
        return -EBADMSG;
    int r = schema_take_live(&pod_schema, pod, &d.pod);
    d.generation = generation;
    if (r >= 0)
        r = checkpoint_write(dir, &run_definition_kind, d.uuid, d.generation, &d);
    schema_done(&run_definition_schema, &d);
    return r;
}

/* 1: held; 0: free, or not there; negative errno: it cannot be told. */
static int lock_held(int vm, const char *file)
{
    /* Whoever may write in there could put anything in the place of the lock: a pipe must not make us wait. */
    _cleanup_(closep) int fd = file_open_at(vm, file, O_RDONLY | O_NONBLOCK, 0);

    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    if (flock(fd, LOCK_SH | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 1 : -errno;
    /* The machine's lock is flock(2)'s, which a child inherits, or the record locks of a QEMU whose disk it is; the runner's is a
     * record lock. */
    return file_has_record_lock(fd);
}

int run_path_check_locks(int pods, const char *name)
{
    static const char *const locks[] = { RUN_MACHINE_LOCK_FILE, RUN_RUNNER_LOCK_FILE };
    _cleanup_(closep) int dir = dir_open_at(pods, name);
    _cleanup_(closep) int vm = dir < 0 ? dir : dir_open_at(dir, RUN_VM_DIR);

    if (vm < 0)
        return vm == -ENOENT ? 0 : vm;
    TABLE_FOREACH (lock, locks) {
        int r = lock_held(vm, *lock);
        if (r != 0)
            return r < 0 ? r : -EBUSY;
    }
    return 0;
}

int run_path_remove(int pods, const char *name)
{
    int r = run_path_check_locks(pods, name);
    if (r < 0)
        return r;

    _cleanup_(closep) int dir = dir_open_at(pods, name);
    if (dir < 0)
        return dir == -ENOENT ? 0 : dir;
    r = tree_remove_at(dir, RUN_VM_DIR);
    if (r >= 0)
        r = file_remove_at(dir, RUN_DEFINITION_FILE);
    if (r >= 0)
        r = file_remove_at(dir, RUN_SUPERVISOR_FILE);
    return r < 0 ? r : tree_remove_at(pods, name);
}
