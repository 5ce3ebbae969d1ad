/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start: all that can be said on the command line is said there, so that QEMU's first instruction of the guest comes
 * without a further word from us. The steps, each of which may end the start with a sentence:
 *
 *     plan      accelerator; the second sample of the clock (a moment later, when the first is too young)
 *     template  qemu-template.c, where machines are copies of one: then nothing boots; and where one of those waits already, qemu-spare.c
 *               takes it, in the place of open and spawn
 *     network   qemu-network.c, where the pod has one: the start goes on when it is there
 *     open      images, kernel, sockets, log; qemu-shares.c, where the pod has shares that are live
 *     spawn     checkpoint SPAWNING, child at its gate, checkpoint SPAWNED with the process, gate opened
 *     session   qemu-session.c: QMP, the proof of identity, checkpoint RUNNING, STARTED
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backends/qemu/command-line.h"
#include "backends/qemu/disks.h"
#include "backends/qemu/qemu-vm.h"
#include "backends/qemu/vmm-log.h"
#include "backends/vmm.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"

/* What a start opens for QEMU, and closes again once QEMU has it. */
typedef struct Launch {
    Disks disks;
    int kernel, initrd;
    int qmp, agent; /* listening */
    int log, bell;
    char **arguments;
    VmmChild child;
} Launch;

static void launch_done(Launch *l)
{
    disks_close(&l->disks);
    l->kernel = safe_close(l->kernel);
    l->initrd = safe_close(l->initrd);
    l->qmp = safe_close(l->qmp);
    l->agent = safe_close(l->agent);
    l->log = safe_close(l->log);
    l->bell = safe_close(l->bell);
    l->arguments = strv_free(l->arguments);
    vmm_child_done(&l->child);
}

/* Each step: 0, or negative errno with *message (may be NULL: then the error is all there is to say). */

/* A file, and QEMU may open it by its descriptor: whoever opened it may have more rights than QEMU has. */
static int boot_file_check(int fd)
{
    struct stat st;
    char path[40];

    (void)snprintf(path, sizeof path, COMMAND_LINE_FD, fd);
    if (fstat(fd, &st) < 0 || access(path, R_OK) < 0)
        return -errno;
    return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

static int boot_file_open(const BackendContext *c, const char *name, const char *path, int *ret,
                          char **message)
{
    int fd = *ret = backend_boot_file_open(c, name, path);

    int r = fd < 0 ? fd : boot_file_check(fd);
    if (r < 0)
        *message = strf("the guest's %s cannot be opened: %s: %s", name, path ?: "no file",
                        r == -EINVAL ? "it is no file" : strerror(-r));
    return r;
}

static int launch_open(QemuVm *q, Launch *l, char **message)
{
    const BackendContext *c = q->vm.context;

    int r = disks_open(&l->disks, c, message);
    if (r >= 0 && !q->record.copy)
        r = boot_file_open(c, RUN_KERNEL, c->definition->kernel, &l->kernel, message);
    if (r >= 0 && !q->record.copy)
        r = boot_file_open(c, RUN_INITRD, c->definition->initrd, &l->initrd, message);
    if (r >= 0)
        r = qemu_shares_make(q, message);
    if (r < 0)
        return r;
    if ((l->qmp = socket_listen_at(c->vm_dir, QEMU_QMP_SOCKET, SOCK_STREAM)) < 0)
        r = l->qmp;
    else if ((l->agent = socket_listen_at(c->vm_dir, QEMU_AGENT_SOCKET, SOCK_STREAM)) < 0)
        r = l->agent;
    if (r < 0)
        *message = strf("its sockets cannot be made: %s", strerror(-r));
    else if ((r = l->log = vmm_log_new()) < 0 || (r = l->bell = console_bell_new()) < 0)
        *message = strf("its log cannot be made: %s", strerror(-r));
    return MIN(r, 0);
}

static int launch_arguments(QemuVm *q, Launch *l)
{
    const RunDefinition *d = q->vm.context->definition;
    TscSample now = tsc_sample();
    CommandLineInputs inputs = {
        .accelerator = q->record.accelerator,
        .memory = q->record.copy ? MEMORY_COPY : MEMORY_NEW,
        .memory_fd = q->template.memory,
        .kernel_fd = l->kernel,
        .initrd_fd = l->initrd,
        .qmp_fd = l->qmp,
        .agent_fd = l->agent,
        .bell_fd = l->bell,
        .network_fd = q->network.end,
        .disks = l->disks.items,
        .n_disks = l->disks.n_items,
        .volumes = l->disks.volumes,
        .n_volumes = l->disks.n_volumes,
    };
    CommandLineShare shares[VOLUMES_MAX];

    for (size_t i = 0; i < q->shares.n && i < VOLUMES_MAX; i++)
        shares[inputs.n_shares++] =
            (CommandLineShare){ q->shares.items[i].index, q->shares.items[i].connection };
    inputs.shares = shares;
    if (q->record.accelerator == ACCELERATOR_TCG && tsc_is_steady())
        inputs.tsc_khz = tsc_khz(&q->born, &now);
    return command_line_build(d, &inputs, &l->arguments);
}

static int launch_fork(QemuVm *q, Launch *l, char **message)
{
    int fds[CONTAINERS_MAX + 2 * VOLUMES_MAX + 6] = { l->qmp, l->agent, l->bell };
    size_t n = 3;

    fds[n++] = q->record.copy ? q->template.memory : l->kernel;
    fds[n++] = q->record.copy ? q->template.state : l->initrd;
    if (q->network.end >= 0)
        fds[n++] = q->network.end;
    for (size_t i = 0; i < l->disks.n_items; i++)
        fds[n++] = l->disks.items[i].fd;
    for (size_t i = 0; i < l->disks.n_volumes; i++)
        fds[n++] = l->disks.volumes[i].fd;
    for (size_t i = 0; i < q->shares.n; i++)
        fds[n++] = q->shares.items[i].connection;
    VmmCommand command = {
        .arguments = l->arguments,
        .vm_dir = q->vm.context->vm_dir,
        .fds = fds,
        .n_fds = n,
        .stderr_fd = l->log,
    };
    int r = vmm_fork(&command, &l->child);
    if (r < 0)
        *message = strf("its process cannot be made: %s", strerror(-r));
    return r;
}

static int launch_record(QemuVm *q, QemuStep step, char **message)
{
    int r = qemu_step(q, step);

    if (r < 0)
        *message = strf("its checkpoint cannot be written: %s", strerror(-r));
    return r;
}

static int launch_spawn(QemuVm *q, Launch *l, char **message)
{
    q->record.pid = q->record.said = 0;
    q->record.state_fd = q->record.copy ? (uint64_t)q->template.state : 0;
    q->record.started = now_usec(CLOCK_REALTIME);
    int r = launch_record(q, QEMU_STEP_SPAWNING, message);
    if (r >= 0)
        r = launch_fork(q, l, message);
    if (r < 0)
        return r;
    qemu_record_set_process(&q->record, &l->child.id);
    if ((r = launch_record(q, QEMU_STEP_SPAWNED, message)) < 0)
        return r;
    if ((r = vmm_release(&l->child, message)) < 0)
        return r;
    start_mark(q->vm.context->start, START_SPAWNED);
    q->pidfd = take_fd(&l->child.pidfd);
    q->log = take_fd(&l->log);
    q->words.bell = take_fd(&l->bell);
    qemu_template_done(&q->template);
    /* QEMU alone has it now: with QEMU it closes, and so does what the uplink is connected to. */
    q->network.end = safe_close(q->network.end);
    q->ours = true;
    return qemu_shares_watch(q);
}

static int launch(QemuVm *q, char **message)
{
    Launch l = { .kernel = -1,
                 .initrd = -1,
                 .qmp = -1,
                 .agent = -1,
                 .log = -1,
                 .bell = -1,
                 .child = { .pidfd = -1, .gate = -1 } };

    int r = launch_open(q, &l, message);
    if (r >= 0)
        r = launch_arguments(q, &l);
    if (r >= 0)
        r = launch_spawn(q, &l, message);
    launch_done(&l);
    return r;
}

/* --- plan ------------------------------------------------------------------------------------------------------- */

static int plan_accelerator(QemuVm *q, char **message)
{
    KvmFacts facts = q->ask_kvm();
    QemuRecord *r = &q->record;

    r->accelerator_why = (free(r->accelerator_why), NULL);
    int error = accelerator_choose(q->vm.context->definition->pod.qemu.accelerator, &facts, &r->accelerator,
                                   &r->accelerator_why);
    if (error < 0)
        *message = strf("KVM is not usable: %s", r->accelerator_why ?: strerror(-error));
    return error;
}

static int plan(QemuVm *q, char **message)
{
    const RunDefinition *d = q->vm.context->definition;

    q->record.attempt = d->attempt;
    q->record.machine = d->pod.qemu.machine;
    int r = str_replace(&q->record.qemu, d->qemu);
    return r < 0 || q->retried ? r : plan_accelerator(q, message);
}

static int on_start(sd_event_source *source, void *userdata);

static int on_clock(sd_event_source *source, uint64_t when, void *userdata)
{
    return on_start(source, userdata);
}

/* True when the samples are too close and the start goes on in a moment. */
static bool wait_for_clock(QemuVm *q)
{
    TscSample now = tsc_sample();
    usec_t distance = tsc_distance(&q->born, &now);

    if (q->record.accelerator != ACCELERATOR_TCG || distance >= TSC_DISTANCE_MIN || !tsc_is_steady())
        return false;
    return qemu_deadline(q, TSC_DISTANCE_MIN - distance, on_clock) >= 0;
}

static void start_failed(QemuVm *q, int error, char *message)
{
    char *sentence = strf("QEMU could not be started: %s", message ?: strerror(-error));

    free(message);
    if (q->pidfd >= 0)
        qemu_end_unresponsive(q, sentence);
    else
        qemu_end(q, END_START_FAILED, -1, 0, sentence);
}

static int on_start(sd_event_source *source, void *userdata)
{
    QemuVm *q = userdata;
    char *message = NULL;

    if (q->kill_wanted) {
        qemu_end(q, END_KILLED, -1, 0, NULL);
        return 0;
    }
    int r = plan(q, &message);
    if (r >= 0 && !qemu_template_decide(q))
        return 0;
    if (r >= 0)
        q->record.copy = q->template.memory >= 0;
    if (r >= 0 && !q->record.copy && wait_for_clock(q))
        return 0;
    if (r >= 0 && (r = qemu_network_make(q, &message)) == 0)
        return 0;
    if (r >= 0 && (r = qemu_spare_take(q)) == -EAGAIN)
        return 0;
    if (r == 0)
        r = launch(q, &message);
    if (r >= 0)
        r = qemu_session_begin(q, q->greeting_timeout);
    if (r < 0)
        start_failed(q, r, message);
    return 0;
}

void qemu_start_go_on(QemuVm *q)
{
    int r = qemu_defer(q, on_start);

    if (r < 0)
        start_failed(q, r, NULL);
}

void qemu_start_network_failed(QemuVm *q, const char *message)
{
    if (q->kill_wanted)
        qemu_end(q, END_KILLED, -1, 0, NULL);
    else
        qemu_end(q, END_START_FAILED, -1, 0, strf("its network cannot be made: %s", message));
}

int qemu_start(Vm *vm)
{
    QemuVm *q = qemu_of(vm);

    if (q->state != QEMU_IDLE)
        return -EALREADY;
    /* The sockets and the checkpoint of a machine that runs must not even be touched. */
    int r = vmm_is_locked(vm->context->vm_dir);
    if (r != 0)
        return r > 0 ? -EWOULDBLOCK : r;
    r = qemu_defer(q, on_start);
    if (r >= 0)
        q->state = QEMU_STARTING;
    return r;
}

/* KVM had failed and `auto` was asked for. */
static bool give_up_kvm(QemuVm *q)
{
    QemuRecord *r = &q->record;

    if (q->retried || q->kill_wanted || r->accelerator != ACCELERATOR_KVM ||
        q->vm.context->definition->pod.qemu.accelerator != ACCELERATOR_AUTO)
        return false;
    _cleanup_(freep) char *line = vmm_log_last_line(q->log);
    r->accelerator_why =
        (free(r->accelerator_why), strf("QEMU failed with KVM: %s", line ?: "it gave no reason"));
    r->accelerator = ACCELERATOR_TCG;
    q->retried = true;
    return true;
}

bool qemu_start_again(QemuVm *q)
{
    if (!qemu_spare_give_up(q) && !qemu_template_give_up(q) && !give_up_kvm(q))
        return false;
    q->ours = false;
    q->state = QEMU_STARTING;
    (void)qemu_deadline(q, USEC_INFINITY, NULL);
    q->qmp = qmp_free(q->qmp);
    q->process = sd_event_source_disable_unref(q->process);
    q->pidfd = safe_close(q->pidfd);
    words_of_vmm(q);
    words_end(q);
    q->log = safe_close(q->log);
    qemu_network_done(&q->network);
    return qemu_defer(q, on_start) >= 0;
}
