/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "base/strings.h"
#include "supervisor/introduction.h"
#include "supervisor/libvirt-access.h"
#include "supervisor/supervisor.h"
#include "supervisor/unit.h"
#include "supervisor/volumes.h"

bool peer_is_of_a_pod(pid_t pid, uid_t uid)
{
    _cleanup_(freep) char *name = unit_pod_of_process(pid);

    return name != NULL;
}

static bool is_of_pod(pid_t pid, const char *pod)
{
    _cleanup_(freep) char *name = unit_pod_of_process(pid);

    return name && streq(name, pod);
}

static bool alive(const Pod *pod)
{
    return pod->observed.phase != MACHINE_NONE && pod->observed.phase != MACHINE_ENDED;
}

/* --- the visit ---------------------------------------------------------------------------------------------------- */

/* An operator's `systemctl start`, or another unit's: what `podvisor start` is. */
static const char *wish_start(Pod *pod)
{
    VerbCall call = { 0 };

    if (!pod->wanted.declared)
        return "no pod of this name is declared (`podvisor list` shows those that are)";
    if (!pod->wanted.defined)
        return "its definition has never been right (`podvisor status` shows the errors)";
    int r = pod_verb_start(pod, &call);
    free(call.error.message);
    return r < 0 ? "it cannot be started now (`podvisor status` says why)" : NULL;
}

const char *pod_introduce(Pod *pod, RunnerLink *link)
{
    if (!is_of_pod(runner_link_pid(link), pod->name))
        return "it is not of the pod's unit";
    if (pod->observed.doubt)
        return "it cannot be told what runs of this pod; an operator has to decide (`podvisor status` says "
               "how)";
    if (pod->visitor && !runner_link_hung_up(pod->visitor))
        return "another runner of the pod waits already";
    if (pod->observed.runner && !process_ended(pod->runner_pidfd))
        return "another runner of the pod is at work";
    const char *why = alive(pod) ? NULL : wish_start(pod);
    if (why)
        return why;
    pod_drop_visitor(pod);
    pod->visitor = link;
    pod->observed.visiting = true;
    runner_link_bind(link, pod);
    pod_due(pod);
    return NULL;
}

void pod_drop_visitor(Pod *pod)
{
    RunnerLink *link = take_ptr(pod->visitor);

    pod->observed.visiting = false;
    runner_link_free(link);
}

/* One that was called by nobody but an operator leaves since the operator has thought better of it. */
void pod_visitor_lost(Pod *pod)
{
    VerbCall call = { 0 };

    pod->visitor = NULL;
    pod->observed.visiting = false;
    if (!alive(pod)) {
        (void)pod_verb_stop(pod, &call);
        free(call.error.message);
    }
    pod_due(pod);
}

/* --- the run path --------------------------------------------------------------------------------------------------- */

/* What was podvisord's, or the user's before; a strange file stays what it is. */
static int give_entry(int dir, const char *name, uid_t before, const struct ucred *to)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (st.st_uid != before && st.st_uid != geteuid())
        return 0;
    if (st.st_uid == to->uid && st.st_gid == to->gid)
        return 0;
    return fchownat(dir, name, to->uid, to->gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int give_entries(int fd, uid_t before, const struct ucred *to)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    int r = 0;

    if (!d) {
        safe_close(copy);
        return -errno;
    }
    for (struct dirent *e; r >= 0 && (e = readdir(d));)
        if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
            r = give_entry(fd, e->d_name, before, to);
    closedir(d);
    return r;
}

/* Its entries first: a new owner of the directory could put others in their place. Who else may pass through it, its group,
 * was settled at the launch (supervisor/libvirt-access.h), and stays as it is. */
static int give_vm(int run_path, const struct ucred *to, bool keep_group)
{
    struct stat st;

    _cleanup_(closep) int vm = dir_make_at(run_path, RUN_VM_DIR, 0700);
    if (vm < 0)
        return vm;
    if (fstat(vm, &st) < 0)
        return -errno;
    gid_t group = keep_group ? st.st_gid : to->gid;
    if (st.st_uid == to->uid && st.st_gid == group)
        return 0;
    int r = give_entries(vm, st.st_uid, to);
    if (r < 0)
        return r;
    return fchown(vm, to->uid, group) < 0 ? -errno : 0;
}

/* Readable for the runner, and writable for nobody. */
static int give_definition(int run_path, const struct ucred *to)
{
    _cleanup_(closep) int fd = file_open_at(run_path, RUN_DEFINITION_FILE, O_RDONLY, 0);

    if (fd < 0)
        return fd;
    if (fchown(fd, to->uid, to->gid) < 0 || fchmod(fd, 0400) < 0)
        return -errno;
    return 0;
}

static int give_run_path(int run_path, const struct ucred *to, bool keep_group)
{
    int r = give_vm(run_path, to, keep_group);

    if (r >= 0)
        r = give_definition(run_path, to);
    /* So that the runner gets there; it cannot list or change anything. */
    return r >= 0 && fchmod(run_path, 0711) < 0 ? -errno : r;
}

/* --- admission ------------------------------------------------------------------------------------------------------ */

static int send_file(RunnerLink *link, const char *name, const char *path)
{
    RunnerImage body = { .digest = (char *)(uintptr_t)name };

    _cleanup_(closep) int fd = path ? file_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0) : -ENOENT;
    /* The machine may run already, without need of the file; one that starts will say what it misses. */
    if (fd < 0)
        return 0;
    return runner_link_send(link, RUNNER_IMAGE, &body, fd);
}

/* As an image: a machine that runs has its disks, and one that starts will say what it misses. */
static int send_disk(RunnerLink *link, const RunDefinition *d, const RunDisk *disk)
{
    _cleanup_(freep) char *name = run_disk_name(disk);
    _cleanup_(closep) int fd = volume_open(d, disk);
    RunnerImage body = { .digest = name };

    if (!name)
        return -ENOMEM;
    return fd < 0 ? 0 : runner_link_send(link, RUNNER_IMAGE, &body, fd);
}

static int send_admission(Pod *pod, const RunDefinition *d)
{
    RunnerAdmission body = {
        .backend = (char *)(uintptr_t)enum_to_string(&backend_kind_table, (int)d->pod.backend),
        .log_level = pod->supervisor->config->log_level,
    };

    int r = send_file(pod->visitor, RUN_KERNEL, d->kernel);
    if (r >= 0)
        r = send_file(pod->visitor, RUN_INITRD, d->initrd);
    for (size_t i = 0; r >= 0 && i < d->n_images; i++)
        if (run_definition_disk(d, i) == i)
            r = send_file(pod->visitor, d->images[i].digest, d->images[i].path);
    for (size_t i = 0; r >= 0 && i < d->n_disks; i++)
        r = send_disk(pod->visitor, d, &d->disks[i]);
    return r < 0 ? r : runner_link_send(pod->visitor, RUNNER_ADMIT, &body, -1);
}

static int watch_visitor(Pod *pod, struct ucred *ret)
{
    ProcessId id;

    int r = runner_link_peer(pod->visitor, ret);
    if (r < 0)
        return r;
    _cleanup_(closep) int pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
    if (pidfd < 0)
        return -errno;
    /* Asked again, so that the pidfd cannot be of a stranger that has the number now. */
    if ((r = process_identify(ret->pid, &id)) < 0)
        return r;
    if (!is_of_pod(ret->pid, pod->name) || process_ended(pidfd))
        return -ESRCH;
    return pod_watch_runner(pod, &id, take_fd(&pidfd));
}

static int admit(Pod *pod, RunDefinition *d)
{
    struct ucred peer;

    int r = watch_visitor(pod, &peer);
    if (r < 0)
        return r;
    _cleanup_(closep) int run_path = dir_open_at(pod->supervisor->pods_dir, pod->name);
    r = run_path < 0 ? run_path : give_run_path(run_path, &peer, libvirt_access_needed(&d->pod));
    return r < 0 ? r : send_admission(pod, d);
}

int pod_admit(Pod *pod)
{
    _cleanup_(closep) int run_path = dir_open_at(pod->supervisor->pods_dir, pod->name);
    RunDefinition d;
    int r = run_path < 0 ? run_path : -EBADMSG;

    if (run_path >= 0 && checkpoint_read(run_path, &run_definition_kind, &d, NULL, NULL) == CHECKPOINT_GOOD) {
        r = admit(pod, &d);
        schema_done(&run_definition_schema, &d);
    }
    pod_drop_visitor(pod);
    if (r >= 0 && pod->supervisor->launcher->ops->arrived)
        pod->supervisor->launcher->ops->arrived(pod->supervisor->launcher, pod->name);
    return r;
}
