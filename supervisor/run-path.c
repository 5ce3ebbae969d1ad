/* SPDX-License-Identifier: Apache-2.0 */
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

int run_path_remove(int pods, const char *name)
{
    return tree_remove_at(pods, name);
}
