/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "guest/agent/beneath.h"
#include "guest/agent/files.h"
#include "guest/agent/mounts.h"
#include "schemas/formats.h"

#define INCOMING ".incoming"
#define NEXT ".next"

/* The store, and each container's copy: far more than any pod has, and far less than it could do harm with. */
#define FILES_SIZE "size=64m"

static int files_open(const Platform *p)
{
    static const char *const options[] = { "mode=0755", FILES_SIZE, NULL };
    _cleanup_(freep) char *path = strf("%s/files", p->run);

    if (!path)
        return -ENOMEM;
    int r = dir_make_path(path, 0755);
    if (r >= 0 && !mount_is_at(path))
        r = mount_at("tmpfs", NULL, options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, path);
    return r < 0 ? r : dir_open_at(AT_FDCWD, path);
}

static int store_open(const Platform *p)
{
    _cleanup_(closep) int files = files_open(p);

    return files < 0 ? files : dir_make_at(files, "store", 0700);
}

static char *store_name(PodFileKind kind, const char *name)
{
    return strf("%s.%s", enum_to_string(&pod_file_kind_table, (int)kind), name);
}

/* --- what comes ------------------------------------------------------------------------------------------------------- */

void files_intake_done(FileIntake *in)
{
    free(in->name);
    *in = (FileIntake){ 0 };
}

static int begin(FileIntake *in, const AgentFile *piece)
{
    files_intake_done(in);
    in->name = strdup(piece->name);
    in->kind = piece->kind;
    in->begun = in->name != NULL;
    return in->begun ? 0 : -ENOMEM;
}

static int check(const FileIntake *in, const AgentFile *piece)
{
    if (!in->begun || in->kind != piece->kind || !streq(in->name, piece->name) || in->size != piece->offset)
        return -EINVAL;
    return piece->data.size > POD_FILE_CONTENT_MAX - in->size ? -EFBIG : 0;
}

static int append(int store, const FileIntake *in, const AgentFile *piece)
{
    int flags = O_WRONLY | O_CREAT | (in->size == 0 ? O_TRUNC : O_APPEND);
    _cleanup_(closep) int fd = file_open_at(store, INCOMING, flags, 0600);

    return fd < 0 ? fd : write_all(fd, piece->data.data, piece->data.size);
}

static int take(const Platform *p, FileIntake *in, const AgentFile *piece)
{
    int r = piece->offset == 0 ? begin(in, piece) : 0;

    if (r < 0 || (r = check(in, piece)) < 0)
        return r;
    _cleanup_(closep) int store = store_open(p);
    r = store < 0 ? store : append(store, in, piece);
    if (r < 0)
        return r;
    in->size += piece->data.size;
    if (!piece->last)
        return 0;
    _cleanup_(freep) char *name = store_name(in->kind, in->name);
    return !name ? -ENOMEM : renameat(store, INCOMING, store, name) < 0 ? -errno : 1;
}

int files_take(const Platform *p, FileIntake *in, const AgentFile *piece, Failure *f)
{
    if (!piece->name || !format_name.valid(piece->name))
        return failure_say(f, -EINVAL, "a file has no name that is one");
    int r = take(p, in, piece);
    if (r < 0)
        failure_set(f, r, "the %s %s could not be taken",
                    enum_to_string(&pod_file_kind_table, (int)piece->kind), piece->name);
    if (r != 0)
        files_intake_done(in);
    return r;
}

/* --- what containers have --------------------------------------------------------------------------------------------- */

/* What a mount asks for; false: it is of a volume. */
typedef struct Wanted {
    PodFileKind kind;
    const char *name;
    mode_t mode;
    uint32_t user, group;
} Wanted;

static bool wanted_of(const MountDefinition *m, Wanted *ret)
{
    static const mode_t modes[POD_FILE_KIND_MAX] = { [POD_FILE_SECRET] = 0400, [POD_FILE_CONFIG] = 0444 };
    PodFileKind kind = m->secret ? POD_FILE_SECRET : POD_FILE_CONFIG;
    int mode = m->mode ? file_mode_from_string(m->mode) : -EINVAL;
    Wanted w = { .kind = kind,
                 .name = m->secret ?: m->config,
                 .mode = mode < 0 ? modes[kind] : (mode_t)mode };

    if (m->owner)
        (void)owner_from_string(m->owner, &w.user, &w.group);
    *ret = w;
    return w.name != NULL;
}

static char *container_path(const Platform *p, const ContainerDefinition *d)
{
    return strf("%s/files/containers/%s", p->run, d->name);
}

static void file_name(char name[24], size_t mount)
{
    (void)snprintf(name, 24, "%zu", mount);
}

static bool is_right(int dir, const char *name, const Bytes *content, const Wanted *w)
{
    _cleanup_(bytes_done) Bytes there = { 0 };
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || (st.st_mode & 07777) != w->mode ||
        st.st_uid != w->user || st.st_gid != w->group ||
        file_read_at(dir, name, POD_FILE_CONTENT_MAX, &there) < 0)
        return false;
    bool right = there.size == content->size &&
                 (there.size == 0 || memcmp(there.data, content->data, there.size) == 0);
    if (there.size > 0)
        explicit_bzero(there.data, there.size);
    return right;
}

/* Nobody sees it before it has its content, its owner and its mode. */
static int put(int dir, const char *name, const Bytes *content, const Wanted *w)
{
    int r = file_remove_at(dir, NEXT);
    if (r < 0)
        return r;
    _cleanup_(closep) int fd = file_open_at(dir, NEXT, O_WRONLY | O_CREAT | O_EXCL, 0600);
    r = fd < 0 ? fd : write_all(fd, content->data ?: (const uint8_t *)"", content->size);
    if (r < 0)
        return r;
    if (fchown(fd, w->user, w->group) < 0 || fchmod(fd, w->mode) < 0 || renameat(dir, NEXT, dir, name) < 0)
        return -errno;
    return 0;
}

static int give(int store, int dir, size_t mount, const Wanted *w)
{
    _cleanup_(freep) char *source = store_name(w->kind, w->name);
    Bytes content = { 0 };
    char name[24];

    if (!source)
        return -ENOMEM;
    file_name(name, mount);
    int r = file_read_at(store, source, POD_FILE_CONTENT_MAX, &content);
    if (r >= 0 && !is_right(dir, name, &content, w))
        r = put(dir, name, &content, w);
    if (content.size > 0)
        explicit_bzero(content.data, content.size);
    bytes_done(&content);
    return r;
}

static bool has_files(const ContainerDefinition *d)
{
    Wanted w;

    for (size_t i = 0; i < d->n_mounts; i++)
        if (wanted_of(&d->mounts[i], &w))
            return true;
    return false;
}

int files_give(const Platform *p, const ContainerDefinition *d, Failure *f)
{
    Wanted w = { .name = "?" };

    if (!has_files(d))
        return 0;
    _cleanup_(freep) char *path = container_path(p, d);
    _cleanup_(closep) int store = store_open(p);
    int r = store < 0 ? store : path ? dir_make_path(path, 0755) : -ENOMEM;
    _cleanup_(closep) int dir = r < 0 ? r : dir_open_at(AT_FDCWD, path);
    r = MIN(dir, 0);
    for (size_t i = 0; r >= 0 && i < d->n_mounts; i++)
        if (wanted_of(&d->mounts[i], &w))
            r = give(store, dir, i, &w);
    return r < 0 ? failure_set(f, r, "the %s %s could not be given to the container",
                               enum_to_string(&pod_file_kind_table, (int)w.kind), w.name)
                 : 0;
}

/* --- what a container sees ------------------------------------------------------------------------------------------------ */

static int mount_directory(const Platform *p, const ContainerDefinition *d, int root)
{
    _cleanup_(freep) char *path = container_path(p, d);
    if (!path)
        return -ENOMEM;
    _cleanup_(closep) int target = make_directory_beneath(root, FILES_DIRECTORY, BENEATH_NO_SYMLINKS);
    if (target < 0)
        return target;
    _cleanup_(closep) int view = mount_view(
        AT_FDCWD, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return view < 0 ? view : mount_attach(view, target);
}

/* In the place of a file, or of an earlier link, that the image or the container has there. */
static int link_at(int root, const char *path, const char *target)
{
    const char *slash = strrchr(path, '/');
    _cleanup_(freep) char *above = slash > path ? strndup(path, (size_t)(slash - path)) : strdup("/");
    struct stat st;

    if (!above)
        return -ENOMEM;
    _cleanup_(closep) int dir = make_directory_beneath(root, above, 0);
    if (dir < 0)
        return dir;
    if (fstatat(dir, slash + 1, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return -EISDIR;
    if (unlinkat(dir, NEXT, 0) < 0 && errno != ENOENT)
        return -errno;
    if (symlinkat(target, dir, NEXT) < 0 || renameat(dir, NEXT, dir, slash + 1) < 0)
        return -errno;
    return 0;
}

int files_mount(const Platform *p, const ContainerDefinition *d, int root, Failure *f)
{
    Wanted w;
    char name[24];

    if (!has_files(d))
        return 0;
    int r = mount_directory(p, d, root);
    if (r < 0)
        return failure_set(f, r, "%s could not be mounted", FILES_DIRECTORY);
    for (size_t i = 0; i < d->n_mounts; i++) {
        if (!wanted_of(&d->mounts[i], &w))
            continue;
        file_name(name, i);
        _cleanup_(freep) char *target = strf("%s/%s", FILES_DIRECTORY, name);
        r = target ? link_at(root, d->mounts[i].path, target) : -ENOMEM;
        if (r < 0)
            return failure_set(f, r, "the %s %s could not be put at %s",
                               enum_to_string(&pod_file_kind_table, (int)w.kind), w.name, d->mounts[i].path);
    }
    return 0;
}
