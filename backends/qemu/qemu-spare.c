/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>

#include "backends/qemu/disks.h"
#include "backends/qemu/qemu-vm.h"
#include "backends/qemu/spare.h"
#include "backends/qemu/vmm-log.h"
#include "base/file.h"
#include "base/strings.h"

/* Each is three commands, and all of them are given at once, besides some more. */
enum { DISKS_MAX = (QMP_QUEUE_MAX - 8) / 3 };

void qemu_spare_done(QemuSpare *s)
{
    s->claim = safe_close(s->claim);
    s->directory = safe_close(s->directory);
    s->bell = safe_close(s->bell);
    s->taken = false;
}

void qemu_spare_hear(QemuSpare *s, const Message *m, int *fd)
{
    if (m->type == TEMPLATE_SPARE && s->claim < 0) {
        s->is = *(const TemplateSpare *)m->body;
        s->claim = take_fd(fd);
    } else if (m->type == TEMPLATE_DIRECTORY && s->directory < 0)
        s->directory = take_fd(fd);
    else if (m->type == TEMPLATE_BELL && s->bell < 0)
        s->bell = take_fd(fd);
}

/* --- taking ------------------------------------------------------------------------------------------------------------------------ */

static bool is_there(const QemuVm *q)
{
    const QemuSpare *s = &q->spare;

    return s->claim >= 0 && s->directory >= 0 && s->bell >= 0 && q->record.copy;
}

/* why is taken over. */
static void let_go(QemuVm *q, char *why)
{
    qemu_spare_done(&q->spare);
    free(q->record.spare_why);
    q->record.spare_why = why;
    q->record.spare = (Id128){ 0 };
}

static int move(const QemuVm *q, const char *name)
{
    return renameat(q->spare.directory, name, q->vm.context->vm_dir, name) < 0 ? -errno : 0;
}

int qemu_spare_network(QemuVm *q)
{
    if (!is_there(q))
        return 0;
    int r = move(q, QEMU_NETWORK_SOCKET);
    if (r < 0)
        let_go(q, strf("its network's socket cannot be taken: %s", strerror(-r)));
    return r >= 0;
}

/* Who holds the lock in its directory is what it is about; QMP's word comes later. */
static int identify(QemuVm *q, ProcessId *ret)
{
    const QemuSpare *s = &q->spare;
    ProcessId id = { .pid = (pid_t)s->is.pid, .start_time = s->is.start_time };

    int r = id128_boot(&id.boot);
    if (r < 0)
        return r;
    _cleanup_(closep) int pidfd = process_open(&id);
    if (pidfd < 0)
        return pidfd;
    if (vmm_lock_holder(s->directory, VMM_LOCK_FILE) != id.pid)
        return -ESRCH;
    q->pidfd = take_fd(&pidfd);
    *ret = id;
    return 0;
}

static int take(QemuVm *q)
{
    static const char *const files[] = { QEMU_QMP_SOCKET, QEMU_AGENT_SOCKET, SPARE_IDENTITY_FILE };
    const RunDefinition *d = q->vm.context->definition;
    ProcessId id;

    int r = d->n_images + d->n_disks > DISKS_MAX ? -E2BIG : identify(q, &id);
    if (r < 0)
        return r;
    qemu_record_set_process(&q->record, &id);
    q->record.spare = q->spare.is.uuid;
    q->record.said = q->record.state_fd = 0;
    q->record.started = now_usec(CLOCK_REALTIME);
    /* Before anything is done: a runner that finds this, and no lock, waits for the end of the process. */
    r = qemu_step(q, QEMU_STEP_SPAWNED);
    TABLE_FOREACH (file, files)
        if (r >= 0)
            r = move(q, *file);
    return r;
}

static int on_late(sd_event_source *source, uint64_t when, void *userdata)
{
    (void)qemu_spare_doubt(userdata, strdup("it did not answer"));
    return 0;
}

/* From the beginning, since what its network is connected to is the spare. */
static void take_failed(QemuVm *q, int error)
{
    q->pidfd = safe_close(q->pidfd);
    let_go(q, error == -ESRCH   ? strdup("it had ended")
              : error == -E2BIG ? strdup("it cannot be given so many disks")
                                : strf("it cannot be taken: %s", strerror(-error)));
    qemu_network_done(&q->network);
    qemu_start_go_on(q);
}

int qemu_spare_take(QemuVm *q)
{
    QemuSpare *s = &q->spare;

    /* Of whatever was here before. */
    (void)file_remove_at(q->vm.context->vm_dir, SPARE_IDENTITY_FILE);
    if (!is_there(q)) {
        qemu_spare_done(s);
        return 0;
    }
    int r = take(q);
    if (r >= 0)
        r = qemu_deadline(q, SPARE_TIMEOUT, on_late);
    if (r < 0) {
        take_failed(q, r);
        return -EAGAIN;
    }
    start_mark(q->vm.context->start, START_SPAWNED);
    q->words.bell = take_fd(&s->bell);
    q->log = vmm_log_of((pid_t)s->is.pid);
    q->ours = s->taken = true;
    return 1;
}

/* --- disks ------------------------------------------------------------------------------------------------------------------------- */

static void on_plugged(int error, const QmpValue *value, const char *description, void *userdata)
{
    QemuVm *q = userdata;

    if (error >= 0 || error == -ECONNRESET || q->state != QEMU_STARTING)
        return;
    char *why = strf("it does not take a disk: %s", description ?: strerror(-error));
    if (!qemu_spare_doubt(q, why))
        free(why);
}

/* node is taken over. */
static int add_node(QemuVm *q, int fd, unsigned set, char *node)
{
    int r = node ? 0 : -ENOMEM;

    if (r >= 0)
        r = qmp_command(q->qmp, "add-fd", QMP_COMMAND_TIMEOUT, fd, on_plugged, q, "{s:i}", "fdset-id",
                        (int)set);
    if (r >= 0)
        r = qmp_command_json(q->qmp, "blockdev-add", QMP_COMMAND_TIMEOUT, on_plugged, q, node);
    free(node);
    return r;
}

/* device is taken over. */
static int add_device(QemuVm *q, char *device)
{
    int r =
        device ? qmp_command_json(q->qmp, "device_add", QMP_COMMAND_TIMEOUT, on_plugged, q, device) : -ENOMEM;
    free(device);
    return r;
}

/* The first one has a place, of which the guest's kernel has found out already what it is. */
static int plug_image(QemuVm *q, const CommandLineDisk *d)
{
    int r = add_node(q, d->fd, disk_set(d->id), disk_image_node(d));

    if (r < 0 || d->id != 0)
        return r < 0 ? r : add_device(q, disk_image_device(d));
    return qmp_command(q->qmp, "qom-set", QMP_COMMAND_TIMEOUT, -1, on_plugged, q, "{s:s, s:s, s:s}", "path",
                       "/machine/peripheral/disk0", "property", "drive", "value", "image0");
}

static int plug_volume(QemuVm *q, const DiskFile *d)
{
    int r = add_node(q, d->fd, disk_set(d->id), disk_volume_node(d));

    return r < 0 ? r : add_device(q, disk_volume_device(d));
}

int qemu_spare_plug(QemuVm *q)
{
    _cleanup_(freep) char *message = NULL;
    Disks disks;

    if (!q->spare.taken)
        return 0;
    int r = disks_open(&disks, q->vm.context, &message);
    if (r < 0)
        return r; /* the copy that follows says why */
    for (size_t i = 0; r >= 0 && i < disks.n_items; i++)
        r = plug_image(q, &disks.items[i]);
    for (size_t i = 0; r >= 0 && i < disks.n_volumes; i++)
        r = plug_volume(q, &disks.volumes[i]);
    disks_close(&disks);
    return r;
}

int qemu_spare_commit(QemuVm *q)
{
    QemuSpare *s = &q->spare;

    if (!s->taken || s->claim < 0)
        return 0;
    int r = q->record.spare_why ? -ECANCELED : move(q, VMM_LOCK_FILE);
    if (r < 0)
        return r;
    start_mark(q->vm.context->start, START_PLUGGED);
    /* Its guardian finds that it is gone, and ends. */
    s->claim = safe_close(s->claim);
    s->directory = safe_close(s->directory);
    return 0;
}

/* --- doubts ------------------------------------------------------------------------------------------------------------------------ */

bool qemu_spare_is_taken(const QemuVm *q)
{
    return q->spare.taken;
}

bool qemu_spare_doubt(QemuVm *q, char *message)
{
    if (!q->spare.taken || q->kill_wanted)
        return false;
    if (q->record.spare_why)
        free(message);
    else
        q->record.spare_why = message;
    (void)qemu_deadline(q, USEC_INFINITY, NULL);
    (void)process_signal(q->pidfd, SIGKILL);
    return true;
}

bool qemu_spare_strays(QemuVm *q, const char *status)
{
    return q->spare.taken &&
           qemu_spare_doubt(q, strf("it did not stand still, but was \"%.20s\"", status ?: "?"));
}

bool qemu_spare_give_up(QemuVm *q)
{
    if (!q->spare.taken || q->kill_wanted)
        return false;
    char *why = take_ptr(q->record.spare_why);
    /* Waking it is the template's affair, which writes the reason down as its own. */
    if (!why)
        why = take_ptr(q->record.boot_why);
    q->record.boot_why = (free(q->record.boot_why), NULL);
    let_go(q, why ?: strdup("it ended"));
    q->vm.context->start->at[START_PLUGGED] = 0;
    return true;
}

/* --- identity ---------------------------------------------------------------------------------------------------------------------- */

Id128 qemu_spare_uuid(const QemuVm *q)
{
    return id128_is_null(q->record.spare) ? q->vm.context->definition->uuid : q->record.spare;
}

/* Whoever took a spare has put it there, before the lock. One that is of an earlier machine is not what this one says. */
void qemu_spare_rebuild(QemuVm *q)
{
    _cleanup_(bytes_done) Bytes text = { 0 };

    if (file_read_at(q->vm.context->vm_dir, SPARE_IDENTITY_FILE, ID128_TEXT_SIZE, &text) >= 0 &&
        bytes_terminate(&text) >= 0 && id128_parse((const char *)text.data, &q->record.spare) >= 0)
        q->record.copy = true;
}

char *qemu_started_by(const QemuRecord *r)
{
    if (!id128_is_null(r->spare))
        return strdup(STARTED_BY_SPARE);
    if (r->copy && r->spare_why)
        return strf(STARTED_BY_TEMPLATE ", not from a spare of it: %s", r->spare_why);
    if (r->copy)
        return strdup(STARTED_BY_TEMPLATE);
    return r->boot_why ? strf("by a boot, not from a template: %s", r->boot_why) : NULL;
}
