/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "backends/qemu/qemu-vm.h"
#include "backends/qemu/vmm-log.h"
#include "backends/share-process.h"
#include "backends/vmm.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"
#include "schemas/formats.h"

#define SHARE_SOCKET "share"

/* --- making --------------------------------------------------------------------------------------------------------- */

/* Both ends of a connection, since virtiofsd takes only a socket that listens. Nobody else finds it. */
static int connection_new(int vm_dir, int *ret_listener, int *ret_connection)
{
    _cleanup_(closep) int listener = socket_listen_at(vm_dir, SHARE_SOCKET, SOCK_STREAM);
    if (listener < 0)
        return listener;
    _cleanup_(closep) int connection = socket_connect_at(vm_dir, SHARE_SOCKET, SOCK_STREAM);
    int r = file_remove_at(vm_dir, SHARE_SOCKET);
    if (connection < 0 || r < 0)
        return connection < 0 ? connection : r;
    *ret_listener = take_fd(&listener);
    *ret_connection = take_fd(&connection);
    return 0;
}

static void tell_process(QemuVm *q, const ProcessId *id)
{
    const BackendEvent event = {
        .type = BACKEND_HELPER,
        .helper = { .kind = HELPER_SHARE, .pid = (uint64_t)id->pid, .start_time = id->start_time },
    };

    qemu_tell(q, &event);
}

static int record_share(QemuVm *q, const QemuShare *s, const ProcessId *id)
{
    QemuShareRecord *record = field_append(schema_field(qemu_checkpoint.schema, "shares"), &q->record);

    if (!record)
        return -ENOMEM;
    record->pid = (uint64_t)id->pid;
    record->start_time = id->start_time;
    record->boot = id->boot;
    return str_replace(&record->volume, s->volume);
}

static int make(QemuVm *q, const RunDisk *share, QemuShare *s, char **message)
{
    const BackendContext *c = q->vm.context;
    const VolumeDefinition *v = run_share_volume(c->definition, share, &s->index);
    _cleanup_(closep) int listener = -1;
    ShareProcess p = { .pidfd = -1 };

    if (!v || str_empty(share->directory) || str_empty(share->file))
        return -EINVAL;
    int r = str_replace(&s->volume, v->name);
    if (r >= 0)
        r = connection_new(c->vm_dir, &listener, &s->connection);
    if (r >= 0)
        r = s->log = vmm_log_new();
    if (r < 0)
        return r;
    const ShareCommand command = { .program = c->definition->virtiofsd,
                                   .directory = share->directory,
                                   .file = share->file,
                                   .read_only = volume_is_read_only(v),
                                   .listener = listener,
                                   .log = s->log };
    if ((r = share_process_start(&command, &p, message)) < 0)
        return r;
    s->pidfd = p.pidfd;
    tell_process(q, &p.id);
    return record_share(q, s, &p.id);
}

static void forget_records(QemuRecord *record)
{
    const Field *list = schema_field(qemu_checkpoint.schema, "shares");

    for (size_t i = 0; i < record->n_shares; i++)
        schema_done(list->schema, &record->shares[i]);
    free(record->shares);
    record->shares = NULL;
    record->n_shares = 0;
}

int qemu_shares_make(QemuVm *q, char **message)
{
    const RunDefinition *d = q->vm.context->definition;
    _cleanup_(freep) char *why = NULL;
    int r = 0;

    qemu_shares_done(&q->shares);
    forget_records(&q->record);
    if (d->n_shares == 0)
        return 0;
    if (!(q->shares.items = calloc(d->n_shares, sizeof *q->shares.items)))
        return -ENOMEM;
    for (size_t i = 0; r >= 0 && i < d->n_shares; i++) {
        QemuShare *s = &q->shares.items[q->shares.n++];
        *s = (QemuShare){ .vm = q, .connection = -1, .pidfd = -1, .log = -1 };
        if ((r = make(q, &d->shares[i], s, &why)) >= 0)
            continue;
        _cleanup_(freep) char *path = run_disk_path(&d->shares[i]);
        *message = strf("the share of volume %s cannot be used: %s: %s", d->shares[i].volume ?: "?",
                        path ?: "?", why ?: strerror(-r));
    }
    return r;
}

/* --- their ends ------------------------------------------------------------------------------------------------------- */

static void note_end(QemuShare *s)
{
    int64_t code = -1;
    uint64_t signal = 0;
    _cleanup_(freep) char *words = s->log >= 0 ? vmm_log_last_line(s->log) : NULL, *how = NULL;

    int r = vmm_reap(s->pidfd, &code, &signal);
    if (r == -EBUSY)
        return;
    if (r <= 0)
        how = strdup("another runner had started it, so how is not known");
    else if (signal > 0)
        how = signal_format((int)signal);
    else
        how = strf("exit status %lld", (long long)code);
    s->end = strf("virtiofsd of the share %s ended: %s%s%s", s->volume, how ?: "?", words ? ": " : "",
                  words ?: "");
    s->abnormal = r > 0 && (signal > 0 || code != 0);
    s->source = sd_event_source_disable_unref(s->source);
    s->pidfd = safe_close(s->pidfd);
}

static const QemuShare *first_ended(const QemuShares *s, bool abnormal)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->items[i].end && (s->items[i].abnormal || !abnormal))
            return &s->items[i];
    return NULL;
}

static void fail(QemuVm *q)
{
    const QemuShare *s = first_ended(&q->shares, true) ?: first_ended(&q->shares, false);

    if (s && q->state == QEMU_RUNNING)
        qemu_end_begin(q, END_SHARE_LOST, strdup(s->end));
}

static int on_grace(sd_event_source *source, uint64_t when, void *userdata)
{
    QemuVm *q = userdata;

    q->shares.grace = sd_event_source_disable_unref(q->shares.grace);
    fail(q);
    return 0;
}

/* Before QEMU runs its end says enough, and a machine that is adopted has to prove itself first. */
void qemu_shares_keep(QemuVm *q)
{
    QemuShares *s = &q->shares;

    if (q->state != QEMU_RUNNING || !first_ended(s, false))
        return;
    bool at_once = first_ended(s, true) && !process_ended(q->pidfd);
    if (!at_once && (s->grace || sd_event_add_time_relative(q->vm.context->event, &s->grace, CLOCK_MONOTONIC,
                                                            SHARE_GRACE, 1, on_grace, q) >= 0))
        return;
    fail(q);
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    QemuShare *s = userdata;
    QemuVm *q = s->vm;

    note_end(s);
    qemu_shares_keep(q);
    return 0;
}

static int watch(QemuShare *s)
{
    int r = sd_event_add_io(s->vm->vm.context->event, &s->source, s->pidfd, EPOLLIN, on_end, s);

    /* Before QEMU's, which may end because of this. */
    return r < 0 ? r : sd_event_source_set_priority(s->source, SD_EVENT_PRIORITY_NORMAL + 1);
}

int qemu_shares_watch(QemuVm *q)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < q->shares.n; i++) {
        q->shares.items[i].connection = safe_close(q->shares.items[i].connection);
        r = watch(&q->shares.items[i]);
    }
    return r;
}

char *qemu_shares_blame(QemuVm *q)
{
    for (size_t i = 0; i < q->shares.n; i++)
        if (q->shares.items[i].pidfd >= 0 && process_ended(q->shares.items[i].pidfd))
            note_end(&q->shares.items[i]);
    const QemuShare *s = first_ended(&q->shares, true);
    return s ? strdup(s->end) : NULL;
}

/* --- those of another runner -------------------------------------------------------------------------------------------- */

static ProcessId identity(const QemuShareRecord *r)
{
    return (ProcessId){ .pid = (pid_t)r->pid, .start_time = r->start_time, .boot = r->boot };
}

void qemu_shares_adopt(QemuVm *q)
{
    const QemuRecord *record = &q->record;

    if (q->shares.n > 0 || record->n_shares == 0)
        return;
    if (!(q->shares.items = calloc(record->n_shares, sizeof *q->shares.items)))
        return;
    for (size_t i = 0; i < record->n_shares; i++) {
        ProcessId id = identity(&record->shares[i]);
        QemuShare *s = &q->shares.items[q->shares.n++];
        *s = (QemuShare){ .vm = q, .connection = -1, .log = -1, .pidfd = process_open(&id) };
        (void)str_replace(&s->volume, record->shares[i].volume);
        if (s->pidfd == -ESRCH)
            s->end = strf("virtiofsd of the share %s ended while no runner watched", s->volume ?: "?");
        else if (s->pidfd >= 0)
            (void)watch(s);
    }
}

/* One whose start time was hidden from us has only a number, which may be another's by now. */
void qemu_shares_sweep(const QemuRecord *record)
{
    for (size_t i = 0; i < record->n_shares; i++) {
        ProcessId id = identity(&record->shares[i]);
        _cleanup_(closep) int pidfd = id.start_time > 0 ? process_open(&id) : -1;
        if (pidfd >= 0)
            (void)process_signal(pidfd, SIGKILL);
    }
}

/* --- letting go ------------------------------------------------------------------------------------------------------------ */

void qemu_shares_end(QemuVm *q)
{
    qemu_shares_sweep(&q->record);
    for (size_t i = 0; i < q->shares.n; i++)
        if (q->shares.items[i].pidfd >= 0)
            (void)waitid(P_PIDFD, (id_t)q->shares.items[i].pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
    qemu_shares_done(&q->shares);
}

void qemu_shares_done(QemuShares *s)
{
    for (size_t i = 0; i < s->n; i++) {
        sd_event_source_disable_unref(s->items[i].source);
        safe_close(s->items[i].connection);
        safe_close(s->items[i].pidfd);
        safe_close(s->items[i].log);
        free(s->items[i].volume);
        free(s->items[i].end);
    }
    free(s->items);
    s->grace = sd_event_source_disable_unref(s->grace);
    s->items = NULL;
    s->n = 0;
}
