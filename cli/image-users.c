/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>

#include "base/file.h"
#include "base/lock-holders.h"
#include "base/strings.h"
#include "cli/image-users.h"
#include "schemas/checkpoint.h"
#include "schemas/formats.h"
#include "schemas/run-definition.h"

/* The lock is looked at and never opened: the machine may write to its directory. */
static bool machine_runs(int run_path)
{
    struct stat st;

    return fstatat(run_path, RUN_VM_DIR "/" RUN_MACHINE_LOCK_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) && lock_holders(&st, NULL, NULL);
}

static bool has_image(int run_path, const char *digest)
{
    RunDefinition definition;
    bool found = false;

    if (checkpoint_read(run_path, &run_definition_kind, &definition, NULL, NULL) != CHECKPOINT_GOOD)
        return false;
    for (size_t i = 0; i < definition.n_images; i++)
        found |= streq_ptr(definition.images[i].digest, digest);
    schema_done(&run_definition_schema, &definition);
    return found;
}

static int is_pod(const struct dirent *entry)
{
    return format_name.valid(entry->d_name);
}

char **image_users(const Paths *paths, const char *digest)
{
    _cleanup_(freep) char *path = strf("%s/" PATHS_PODS, paths->run);
    _cleanup_(closep) int pods = path ? dir_open_at(AT_FDCWD, path) : -1;
    struct dirent **entries;
    char **users = NULL;

    int n = pods < 0 ? 0 : scandirat(pods, ".", &entries, is_pod, alphasort);
    for (int i = 0; i < n; i++) {
        _cleanup_(closep) int run_path = dir_open_at(pods, entries[i]->d_name);
        if (run_path >= 0 && has_image(run_path, digest) && machine_runs(run_path))
            (void)strv_append(&users, entries[i]->d_name);
        free(entries[i]);
    }
    if (pods >= 0 && n >= 0)
        free(entries);
    return users;
}
