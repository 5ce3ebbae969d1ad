/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "supervisor/supervisor.h"
#include "supervisor/volume-sweep.h"

static const char *const places[] = { PATHS_SHARES, PATHS_SCRATCH };

/* The files in there for which gone() is true. */
static void sweep_place(const Supervisor *s, const char *place,
                        bool (*gone)(const Supervisor *s, const Pod *pod, const char *file), const Pod *pod)
{
    _cleanup_(closep) int directory = dir_open_at(s->state_dir, place);
    int copy = directory < 0 ? -1 : fcntl(directory, F_DUPFD_CLOEXEC, 0);
    _cleanup_(closedirp) DIR *d = copy < 0 ? NULL : fdopendir(copy);

    if (!d)
        safe_close(copy);
    for (struct dirent *e; d && (e = readdir(d));)
        if (!streq(e->d_name, ".") && !streq(e->d_name, "..") && gone(s, pod, e->d_name))
            (void)file_remove_at(directory, e->d_name);
}

/* Names of pods have no dots. */
static size_t name_length(const char *file)
{
    return strcspn(file, ".");
}

static bool is_of(const Supervisor *s, const Pod *pod, const char *file)
{
    size_t n = strlen(pod->name);

    return name_length(file) == n && strncmp(file, pod->name, n) == 0;
}

/* What is unfinished begins with a dot, and so has the name of no pod. */
static bool is_of_no_machine(const Supervisor *s, const Pod *pod, const char *file)
{
    for (size_t i = 0; i < s->n_pods; i++)
        if (is_of(s, s->pods[i], file))
            return !s->pods[i]->observed.doubt && !reconcile_alive(&s->pods[i]->observed);
    return true;
}

void volume_sweep(const Pod *pod)
{
    TABLE_FOREACH (place, places)
        sweep_place(pod->supervisor, *place, is_of, pod);
}

void volume_sweep_all(Supervisor *s)
{
    TABLE_FOREACH (place, places)
        sweep_place(s, *place, is_of_no_machine, NULL);
}

void volume_scratch_use(const Pod *pod, uint64_t *ret_used, uint64_t *ret_size)
{
    enum { BLOCK = 512 };
    uint64_t used = 0, size = 0;
    struct stat st;

    for (size_t i = 0; pod->has_running && i < pod->running.n_volumes; i++) {
        const VolumeDefinition *v = &pod->running.volumes[i];
        if (!volume_is_of_machine(v) || !reconcile_alive(&pod->observed))
            continue;
        _cleanup_(freep) char *path = strf(PATHS_SCRATCH "/%s.%s.raw", pod->name, v->name);
        size += v->size;
        if (path && fstatat(pod->supervisor->state_dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
            used += (uint64_t)st.st_blocks * BLOCK;
    }
    *ret_used = used;
    *ret_size = size;
}
