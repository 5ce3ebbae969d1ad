/* SPDX-License-Identifier: Apache-2.0 */
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "supervisor/libvirt-access.h"

#include "supervisor/sources.h"
#include "supervisor/volumes.h"

/* --- whose ------------------------------------------------------------------------------------------------------------- */

static int fail(char **ret_error, int error, char *text)
{
    *ret_error = text;
    return error;
}

/* By name or by number; NULL: nobody. */
static const struct passwd *find_user(const char *name)
{
    uint64_t number;

    return parse_unsigned(name, &number) == 0 ? getpwuid((uid_t)number) : getpwnam(name);
}

static const struct group *find_group(const char *name)
{
    uint64_t number;

    return parse_unsigned(name, &number) == 0 ? getgrgid((gid_t)number) : getgrnam(name);
}

int libvirt_user_find(const char *configured, LibvirtUser *ret, char **ret_error)
{
    const char *colon = strchr(configured, ':');
    _cleanup_(freep) char *name =
        strndup(configured, colon ? (size_t)(colon - configured) : strlen(configured));
    const struct passwd *user = name ? find_user(name) : NULL;

    if (!name)
        return -ENOMEM;
    if (!user)
        return fail(ret_error, -ENOENT,
                    strf("there is no user \"%s\", as whom libvirt runs machines: either libvirt is not "
                         "installed, or libvirt_user in podvisord.conf is wrong",
                         name));
    LibvirtUser found = { .uid = user->pw_uid, .gid = user->pw_gid, .first_gid = user->pw_gid };
    /* A distribution may put libvirt's user into a group that others are in, too, such as that of /dev/kvm. */
    const struct group *group = find_group(colon ? colon + 1 : user->pw_name);
    if (colon && !group)
        return fail(ret_error, -ENOENT,
                    strf("there is no group \"%s\", which libvirt_user in podvisord.conf names", colon + 1));
    if (group)
        found.gid = group->gr_gid;
    found.name = take_ptr(name);
    *ret = found;
    return 0;
}

bool libvirt_access_needed(const PodDefinition *pod)
{
    return pod->backend == BACKEND_LIBVIRT && pod->libvirt.uri != LIBVIRT_URI_SESSION && geteuid() == 0;
}

/* --- looking ----------------------------------------------------------------------------------------------------------- */

/* As the kernel decides it, but for lists of access rights, which can only give more. */
static bool allows(const struct stat *st, const LibvirtUser *user, mode_t wanted)
{
    if (user->uid == 0)
        return true;
    if (st->st_uid == user->uid)
        return (st->st_mode >> 6 & wanted) == wanted;
    if (st->st_gid == user->gid || st->st_gid == user->first_gid)
        return (st->st_mode >> 3 & wanted) == wanted;
    return (st->st_mode & wanted) == wanted;
}

static const char *wanted_words(const struct stat *st, mode_t wanted)
{
    if (S_ISDIR(st->st_mode))
        return "pass through";
    return wanted & S_IWOTH ? "read and write" : "read";
}

static int check_one(const LibvirtUser *user, const char *path, const char *whole, mode_t wanted,
                     char **ret_error)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return fail(
            ret_error, -errno,
            strf("libvirt's user \"%s\" cannot use %s: %s: %s", user->name, whole, path, strerror(errno)));
    if (allows(&st, user, wanted))
        return 0;
    return fail(ret_error, -EACCES,
                strf("libvirt's user \"%s\" cannot use %s: it may not %s %s (mode %04o, user %u, group %u)",
                     user->name, whole, wanted_words(&st, wanted), path, st.st_mode & 07777, st.st_uid,
                     st.st_gid));
}

int libvirt_access_check(const LibvirtUser *user, const char *path, mode_t mode, char **ret_error)
{
    _cleanup_(freep) char *part = strdup(path);
    int r = part ? check_one(user, "/", path, S_IXOTH, ret_error) : -ENOMEM;

    for (char *slash = part ? strchr(part + 1, '/') : NULL; r >= 0 && slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        r = check_one(user, part, path, S_IXOTH, ret_error);
        *slash = '/';
    }
    return r < 0 ? r : check_one(user, path, path, mode, ret_error);
}

/* --- giving ------------------------------------------------------------------------------------------------------------ */

/* The group gets these rights, and no others, unless everybody has them. */
static int give(int fd, gid_t gid, mode_t wanted)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if ((st.st_mode & wanted) == wanted)
        return 0;
    mode_t mode = (st.st_mode & (mode_t)~S_IRWXG & 07777) | wanted << 3;
    if (st.st_gid != gid && fchown(fd, (uid_t)-1, gid) < 0)
        return -errno;
    return (st.st_mode & 07777) != mode && fchmod(fd, mode) < 0 ? -errno : 0;
}

/* Takes fd. */
static int give_directory(int dir, gid_t gid)
{
    _cleanup_(closep) int fd = dir;

    return fd < 0 ? fd : give(fd, gid, S_IXOTH);
}

static int give_run_path(const Supervisor *s, const char *pod, gid_t gid)
{
    _cleanup_(closep) int run_path = dir_open_at(s->pods_dir, pod);

    int r = run_path < 0 ? run_path : give_directory(dir_open_at(s->run_dir, "."), gid);
    if (r >= 0)
        r = give_directory(dir_open_at(s->pods_dir, "."), gid);
    if (r >= 0)
        r = give_directory(dir_open_at(s->pods_dir, pod), gid);
    return r < 0 ? r : give_directory(dir_open_at(run_path, RUN_VM_DIR), gid);
}

static int give_images(const Supervisor *s, const RunDefinition *d, gid_t gid)
{
    _cleanup_(closep) int images = dir_open_at(s->state_dir, PATHS_IMAGES);
    _cleanup_(closep) int blobs = images < 0 ? images : dir_open_at(images, "blobs");
    int r = blobs < 0 ? blobs : give_directory(dir_open_at(s->state_dir, "."), gid);

    if (r >= 0)
        r = give(images, gid, S_IXOTH);
    if (r >= 0)
        r = give(blobs, gid, S_IXOTH);
    for (size_t i = 0; r >= 0 && i < d->n_images; i++) {
        const char *slash = strrchr(d->images[i].path, '/');
        _cleanup_(closep) int fd =
            file_open_at(blobs, slash ? slash + 1 : d->images[i].path, O_RDONLY | O_NONBLOCK, 0);
        r = fd < 0 ? fd : give(fd, gid, S_IROTH);
    }
    return r;
}

static mode_t disk_rights(const RunDefinition *d, const RunDisk *disk)
{
    const VolumeDefinition *v = run_disk_volume(d, disk, NULL);

    return v && volume_is_read_only(v) ? S_IROTH : S_IROTH | S_IWOTH;
}

/* Those in podvisord's own directories. */
static int give_disks(const Supervisor *s, const RunDefinition *d, gid_t gid)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < d->n_disks; i++) {
        const char *own = source_own_name(s, d->disks[i].directory);
        if (!own)
            continue;
        _cleanup_(closep) int directory = dir_open_at(s->state_dir, own);
        _cleanup_(closep) int fd = directory < 0 ? directory : volume_open(d, &d->disks[i]);
        r = fd < 0 ? fd : give(directory, gid, S_IXOTH);
        if (r >= 0)
            r = give(fd, gid, disk_rights(d, &d->disks[i]));
    }
    return r;
}

static int give_all(const Supervisor *s, const RunDefinition *d, const LibvirtUser *user, char **ret_error)
{
    int r = give_run_path(s, d->name, user->gid);

    if (r >= 0)
        r = give_images(s, d, user->gid);
    if (r >= 0)
        r = give_disks(s, d, user->gid);
    if (r < 0)
        *ret_error = strf("the pod cannot be opened to libvirt's user \"%s\": %s", user->name, strerror(-r));
    return r;
}

/* All that QEMU opens by its path. */
static int check_all(const Supervisor *s, const RunDefinition *d, const LibvirtUser *user, char **ret_error)
{
    _cleanup_(freep) char *vm = strf("%s/" PATHS_PODS "/%s/" RUN_VM_DIR, s->paths->run, d->name);
    int r = vm ? libvirt_access_check(user, vm, S_IXOTH, ret_error) : -ENOMEM;

    if (r >= 0)
        r = libvirt_access_check(user, d->kernel, S_IROTH, ret_error);
    if (r >= 0)
        r = libvirt_access_check(user, d->initrd, S_IROTH, ret_error);
    for (size_t i = 0; r >= 0 && i < d->n_images; i++)
        r = libvirt_access_check(user, d->images[i].path, S_IROTH, ret_error);
    for (size_t i = 0; r >= 0 && i < d->n_disks; i++) {
        _cleanup_(freep) char *path = run_disk_path(&d->disks[i]);
        r = path ? libvirt_access_check(user, path, disk_rights(d, &d->disks[i]), ret_error) : -ENOMEM;
    }
    return r;
}

/* A machine of another backend is nothing to libvirt's group. */
static int close_vm(const Supervisor *s, const char *pod)
{
    struct stat st;
    _cleanup_(closep) int run_path = dir_open_at(s->pods_dir, pod);
    _cleanup_(closep) int vm = run_path < 0 ? run_path : dir_open_at(run_path, RUN_VM_DIR);

    if (vm < 0)
        return vm == -ENOENT ? 0 : vm;
    if (fstat(vm, &st) < 0)
        return -errno;
    return (st.st_mode & 0077) && fchmod(vm, 0700) < 0 ? -errno : 0;
}

/* All pods' units are in it, where the host has it. */
static int check_group(const Supervisor *s, const LibvirtUser *user, char **ret_error)
{
    const struct group *shared = s->units ? getgrnam("kvm") : NULL;

    if (!shared || shared->gr_gid != user->gid)
        return 0;
    return fail(ret_error, -EINVAL,
                strf("the group of libvirt's user \"%s\" is kvm, in which all pods are: name another in "
                     "podvisord.conf, libvirt_user = \"USER:GROUP\"",
                     user->name));
}

int libvirt_access_give(const Supervisor *s, const RunDefinition *d, char **ret_error)
{
    LibvirtUser user = { 0 };

    if (s->units && d->pod.backend == BACKEND_LIBVIRT && d->pod.libvirt.uri == LIBVIRT_URI_SESSION)
        return fail(ret_error, -EINVAL,
                    strdup("libvirt.uri is \"qemu:///session\", which a pod with a unit of systemd has not: "
                           "its user is there for the pod alone"));
    if (!libvirt_access_needed(&d->pod))
        return close_vm(s, d->name);
    int r = libvirt_user_find(s->config->libvirt_user, &user, ret_error);
    if (r < 0)
        return r;
    r = check_group(s, &user, ret_error);
    if (r >= 0)
        r = give_all(s, d, &user, ret_error);
    if (r >= 0)
        r = check_all(s, d, &user, ret_error);
    free(user.name);
    return r;
}
