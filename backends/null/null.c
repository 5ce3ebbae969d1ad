/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>

#include "backends/null/null-machine.h"
#include "backends/null/null-record.h"
#include "backends/null/null.h"
#include "backends/vmm.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"

#define HELLO_TIMEOUT (5 * USEC_PER_SEC)

typedef struct NullVm {
    Vm vm;
    NullRecord record;
    int pidfd;
    int socket;
    bool adopting;
    bool proved; /* it has told our uuid */
    bool told;   /* BACKEND_STARTED or BACKEND_DOUBTFUL was sent */
    bool killed;
    NullState state;
    ContainerReport *containers;
    sd_event_source *io;       /* what the machine says */
    sd_event_source *exit;     /* the machine's process has ended */
    sd_event_source *deadline; /* for the machine's first words */
    /* An end that is told from the event loop, since start() may not tell it itself. */
    sd_event_source *failure;
} NullVm;

static NullVm *null_of(Vm *vm)
{
    return CONTAINER_OF(vm, NullVm, vm);
}

static const RunDefinition *definition_of(const NullVm *n)
{
    return n->vm.context->definition;
}

static int record_save(NullVm *n)
{
    const RunDefinition *d = definition_of(n);
    return checkpoint_write(n->vm.context->vm_dir, &null_checkpoint, d->uuid, d->generation, &n->record);
}

static void tell(NullVm *n, const BackendEvent *event)
{
    n->vm.context->on_event(n->vm.context->userdata, event);
}

static void let_go(NullVm *n)
{
    n->io = sd_event_source_disable_unref(n->io);
    n->exit = sd_event_source_disable_unref(n->exit);
    n->deadline = sd_event_source_disable_unref(n->deadline);
    n->failure = sd_event_source_disable_unref(n->failure);
    n->socket = safe_close(n->socket);
    n->pidfd = safe_close(n->pidfd);
}

/* --- the end ------------------------------------------------------------------------------------------------- */

static void tell_ended(NullVm *n)
{
    /* An end that cannot be written is told all the same: the next runner finds the process gone. */
    n->record.step = BACKEND_STEP_ENDED;
    (void)record_save(n);
    let_go(n);
    tell(n, &(BackendEvent){ .type = BACKEND_ENDED, .end = &n->record.end });
}

static void end_set(NullVm *n, EndReason reason, char *message)
{
    n->record.end.reason = reason;
    free(n->record.end.message);
    n->record.end.message = message;
}

/* What the machine said last tells more than its exit status, which a runner that adopted it does not get. */
static void end_from_state(NullVm *n, int known)
{
    BackendEnd *end = &n->record.end;

    if (n->state == NULL_STOPPED)
        end_set(n, END_GUEST_SHUTDOWN, NULL);
    else if (n->state == NULL_DONE)
        end_set(n, END_COMPLETED, NULL);
    else if (known && end->exit_signal)
        end_set(n, END_VMM_SIGNAL,
                strf("the machine was killed by signal %llu", (unsigned long long)end->exit_signal));
    else if (known)
        end_set(n, END_VMM_EXIT, strf("the machine exited with status %lld", (long long)end->exit_code));
    else if (n->adopting && !n->proved)
        end_set(n, END_LOST, strdup("the machine was about to end when this runner came"));
    else if (n->killed)
        end_set(n, END_KILLED, NULL);
    else
        end_set(
            n, END_VMM_EXIT,
            strdup("the machine ended; it was started by an earlier runner, so its exit status is unknown"));
}

static int on_exit_of_machine(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    NullVm *n = userdata;

    n->record.end.exit_code = -1;
    int known = vmm_reap(n->pidfd, &n->record.end.exit_code, &n->record.end.exit_signal);
    end_from_state(n, known > 0);
    tell_ended(n);
    return 0;
}

static int on_failure(sd_event_source *source, void *userdata)
{
    tell_ended(userdata);
    return 0;
}

/* A start that failed: told as an end, from the event loop. */
static int fail_later(NullVm *n, EndReason reason, char *message)
{
    end_set(n, reason, message);
    n->record.end.exit_code = -1;
    return sd_event_add_defer(n->vm.context->event, &n->failure, on_failure, n);
}

/* --- the machine's words ------------------------------------------------------------------------------------- */

/* What is of init has ended well as soon as the machine works. */
static void container_fill(const NullVm *n, ContainerRole role, ContainerReport *c)
{
    const NullOptions *options = &definition_of(n)->pod.null;
    bool booting = n->state == NULL_BOOTING, done = n->state == NULL_DONE && role != CONTAINER_SIDECAR;
    bool stopped = n->state == NULL_STOPPED || (n->state == NULL_DONE && role == CONTAINER_SIDECAR);
    bool over = !booting && (done || stopped || role == CONTAINER_INIT);

    c->state = over ? CONTAINER_ENDED : booting ? CONTAINER_WAITING : CONTAINER_RUNNING;
    c->started = booting ? 0 : usec_add(n->record.started, options->start_delay);
    c->ended = over && c->ended == 0 ? now_usec(CLOCK_REALTIME) : c->ended;
    if (role == CONTAINER_INIT) {
        c->exit_code = over ? 0 : -1;
        return;
    }
    c->exit_code = done ? (int64_t)options->exit_code : -1;
    c->exit_signal = stopped ? SIGTERM : 0;
}

static void containers_fill(NullVm *n)
{
    const PodDefinition *pod = &definition_of(n)->pod;

    for (size_t i = 0; i < pod_n_containers(pod); i++)
        container_fill(n, pod_container_role(pod, i), &n->containers[i]);
}

static void order(NullVm *n, NullOrder what)
{
    const char *word = enum_to_string(&null_order_table, (int)what);
    /* A machine that takes no order is dead or hangs: its pidfd or the runner's deadline tells. */
    (void)packet_send(n->socket, word, strlen(word), -1);
}

static void tell_started(NullVm *n)
{
    n->told = true;
    n->deadline = sd_event_source_disable_unref(n->deadline);
    n->record.step = BACKEND_STEP_RUNNING;
    (void)record_save(n);
    tell(n, &(BackendEvent){
                .type = BACKEND_STARTED,
                .vmm = { .pid = (pid_t)n->record.pid,
                         .started = n->record.started,
                         .paused = n->state == NULL_PAUSED },
            });
}

static void tell_containers(NullVm *n)
{
    containers_fill(n);
    tell(n, &(BackendEvent){ .type = BACKEND_CONTAINERS,
                             .containers = n->containers,
                             .n_containers = pod_n_containers(&definition_of(n)->pod) });
}

static void state_changed(NullVm *n, NullState state)
{
    NullState before = n->state;
    bool first = !n->told;

    n->state = state;
    if (first)
        tell_started(n);
    if (!first && state == NULL_PAUSED)
        tell(n, &(BackendEvent){ .type = BACKEND_PAUSED });
    if (!first && before == NULL_PAUSED && (state == NULL_WORKING || state == NULL_BOOTING))
        tell(n, &(BackendEvent){ .type = BACKEND_RESUMED });
    if (state != NULL_PAUSED)
        tell_containers(n);
    if (state == NULL_STOPPED || state == NULL_DONE) {
        tell(n, &(BackendEvent){ .type = BACKEND_GUEST_ENDING });
        order(n, NULL_QUIT);
    }
}

static void doubt(NullVm *n, bool foreign, const char *message)
{
    n->told = true;
    let_go(n);
    tell(n, &(BackendEvent){ .type = BACKEND_DOUBTFUL, .foreign = foreign, .message = message });
}

/* A machine whose checkpoint was lost tells its pid itself; whoever speaks as our uuid from our socket is the machine. */
static int process_watch(NullVm *n, ProcessId id);

static void hello(NullVm *n, char *words)
{
    const char *uuid = strsep(&words, " ");
    uint64_t pid = 0;
    Id128 id;

    if (id128_parse(uuid, &id) < 0 || !id128_equal(id, definition_of(n)->uuid)) {
        doubt(n, true, "the machine that runs there has another identity");
        return;
    }
    n->proved = true;
    if (n->pidfd >= 0)
        return;
    ProcessId process;
    if (!words || parse_unsigned(words, &pid) < 0 || process_identify((pid_t)pid, &process) < 0 ||
        process_watch(n, process) < 0)
        doubt(n, false, "the machine's process cannot be found");
}

static void words_take(NullVm *n, char *words)
{
    const char *key = strsep(&words, " ");
    int state;

    if (!words)
        return;
    if (streq(key, "hello"))
        hello(n, words);
    else if (streq(key, "state") && n->proved && (state = enum_from_string(&null_state_table, words)) >= 0)
        state_changed(n, (NullState)state);
}

static int on_words(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    NullVm *n = userdata;
    Bytes packet = { 0 };

    ssize_t size = packet_receive(fd, NULL_PACKET_MAX, &packet, NULL);
    if (size > 0 && bytes_terminate(&packet) == 0)
        words_take(n, (char *)packet.data);
    else if (size != -EAGAIN && size != -ENOMEM)
        n->io = sd_event_source_disable_unref(n->io); /* the process ends, or hangs; its pidfd tells */
    bytes_done(&packet);
    return 0;
}

static int on_deadline(sd_event_source *source, uint64_t now, void *userdata)
{
    NullVm *n = userdata;

    if (n->adopting) {
        doubt(n, false, "the machine that runs there does not say who it is");
        return 0;
    }
    end_set(n, END_VMM_UNRESPONSIVE, strdup("the machine did not answer within 5s"));
    (void)process_signal(n->pidfd, SIGKILL);
    return 0;
}

static int process_watch(NullVm *n, ProcessId id)
{
    int pidfd = process_open(&id);
    if (pidfd < 0)
        return pidfd;
    n->pidfd = pidfd;
    n->record.pid = (uint64_t)id.pid;
    n->record.start_time = id.start_time;
    return sd_event_add_io(n->vm.context->event, &n->exit, pidfd, EPOLLIN, on_exit_of_machine, n);
}

static int machine_connect(NullVm *n)
{
    int r = socket_connect_at(n->vm.context->vm_dir, NULL_SOCKET_FILE, SOCK_SEQPACKET | SOCK_NONBLOCK);
    if (r < 0)
        return r;
    n->socket = r;
    if ((r = sd_event_add_io(n->vm.context->event, &n->io, n->socket, EPOLLIN, on_words, n)) < 0)
        return r;
    return sd_event_add_time_relative(n->vm.context->event, &n->deadline, CLOCK_MONOTONIC, HELLO_TIMEOUT, 0,
                                      on_deadline, n);
}

/* --- operations ---------------------------------------------------------------------------------------------- */

static int null_check(const RunDefinition *definition, char **ret_message)
{
    return 0;
}

static Vm *null_free(Vm *vm)
{
    NullVm *n = vm ? null_of(vm) : NULL;

    if (!n)
        return NULL;
    let_go(n);
    schema_done(&null_record_schema, &n->record);
    free(n->containers);
    free(n);
    return NULL;
}

static int null_new(const BackendContext *context, Vm **ret)
{
    const PodDefinition *pod = &context->definition->pod;
    NullVm *n = calloc(1, sizeof *n);

    if (!n)
        return -ENOMEM;
    n->vm = (Vm){ .backend = &null_backend, .context = context };
    n->pidfd = n->socket = -1;
    n->containers = calloc(MAX(pod_n_containers(pod), (size_t)1), sizeof *n->containers);
    if (!n->containers || schema_init(&null_record_schema, &n->record) < 0) {
        null_free(&n->vm);
        return -ENOMEM;
    }
    for (size_t i = 0; i < pod_n_containers(pod); i++)
        n->containers[i] = (ContainerReport){ .name = pod_container(pod, i)->name, .exit_code = -1 };
    *ret = &n->vm;
    return 0;
}

static int record_load(NullVm *n, BackendFacts *facts)
{
    CheckpointEnvelope envelope = { 0 };
    NullRecord record;

    facts->checkpoint =
        checkpoint_read(n->vm.context->vm_dir, &null_checkpoint, &record, &envelope, &facts->detail);
    if (facts->checkpoint == CHECKPOINT_ABSENT) {
        free(facts->detail);
        facts->detail = NULL;
    }
    if (facts->checkpoint != CHECKPOINT_GOOD)
        return 0;

    Id128 boot;
    int r = id128_boot(&boot);
    facts->same_boot = r >= 0 && id128_equal(boot, envelope.boot);
    facts->same_machine = id128_equal(envelope.pod, definition_of(n)->uuid);
    schema_done(&checkpoint_envelope_schema, &envelope);
    schema_done(&null_record_schema, &n->record);
    n->record = record;
    return r;
}

static ProcessId process_of(const NullVm *n)
{
    ProcessId id = { .pid = (pid_t)n->record.pid, .start_time = n->record.start_time };
    (void)id128_boot(&id.boot);
    return id;
}

static int null_inspect(Vm *vm, BackendFacts *ret)
{
    NullVm *n = null_of(vm);
    BackendFacts facts = { 0 };

    int r = record_load(n, &facts);
    if (r >= 0 && facts.checkpoint == CHECKPOINT_GOOD) {
        facts.step = n->record.step;
        r = schema_copy(&backend_end_schema, &n->record.end, &facts.end);
    }
    if (r >= 0 && facts.same_boot) {
        ProcessId id = process_of(n);
        _cleanup_(closep) int pidfd = process_open(&id);
        facts.process = pidfd >= 0;
    }
    if (r >= 0 && (r = vmm_is_locked(vm->context->vm_dir)) >= 0)
        facts.locked = r;
    if (r < 0) {
        backend_facts_done(&facts);
        return r;
    }
    *ret = facts;
    return 0;
}

static int machine_arguments(const NullVm *n, int socket, char ***ret)
{
    const RunDefinition *d = definition_of(n);
    const NullOptions *o = &d->pod.null;
    _cleanup_(strv_freep) char **v = NULL;
    char uuid[ID128_TEXT_SIZE];

    int r = strv_append(&v, "/proc/self/exe");
    if (r >= 0)
        r = strv_append(&v, NULL_MACHINE_VERB);
    if (r >= 0)
        r = strv_append(&v, id128_format(d->uuid, uuid));
    if (r >= 0)
        r = strv_appendf(&v, "%d", socket);
    const uint64_t numbers[] = { o->start_delay, o->run_time, o->exit_code, o->ignore_stop };
    for (size_t i = 0; r >= 0 && i < ELEMENTSOF(numbers); i++)
        r = strv_appendf(&v, "%llu", (unsigned long long)numbers[i]);
    if (r < 0)
        return r;
    *ret = take_ptr(v);
    return 0;
}

/* From the gate to the exec; the process is recorded before it is let go. */
static int machine_spawn(NullVm *n, VmmChild *child, char **ret_message)
{
    _cleanup_(strv_freep) char **arguments = NULL;

    _cleanup_(closep) int socket =
        socket_listen_at(n->vm.context->vm_dir, NULL_SOCKET_FILE, SOCK_SEQPACKET | SOCK_NONBLOCK);
    if (socket < 0)
        return socket;
    int r = machine_arguments(n, socket, &arguments);
    if (r < 0)
        return r;
    VmmCommand command = {
        .arguments = arguments,
        .vm_dir = n->vm.context->vm_dir,
        .fds = &socket,
        .n_fds = 1,
        .stderr_fd = -1,
    };
    if ((r = vmm_fork(&command, child)) < 0)
        return r;
    n->record.started = now_usec(CLOCK_REALTIME);
    if ((r = process_watch(n, child->id)) < 0 || (r = record_save(n)) < 0)
        return r;
    start_mark(n->vm.context->start, START_SPAWNED);
    return vmm_release(child, ret_message);
}

static int null_start(Vm *vm)
{
    NullVm *n = null_of(vm);
    VmmChild child = { .pidfd = -1, .gate = -1 };
    _cleanup_(freep) char *message = NULL;

    schema_done(&null_record_schema, &n->record);
    n->record.step = BACKEND_STEP_STARTING;
    int r = record_save(n);
    if (r < 0)
        return r;
    if (definition_of(n)->pod.null.fail_start)
        return fail_later(n, END_START_FAILED, strdup("the pod file says that each start fails"));
    r = machine_spawn(n, &child, &message);
    if (r >= 0)
        r = machine_connect(n);
    if (r < 0) {
        if (child.gate < 0 && child.pidfd >= 0)
            (void)process_signal(child.pidfd, SIGKILL);
        n->exit = sd_event_source_disable_unref(n->exit);
        r = fail_later(n, END_START_FAILED,
                       strf("the machine could not be started: %s", message ?: strerror(-r)));
    }
    vmm_child_done(&child);
    return r;
}

static int null_adopt(Vm *vm)
{
    NullVm *n = null_of(vm);
    ProcessId id = process_of(n);

    n->adopting = true;
    n->told = n->proved = false;
    let_go(n);
    int r = process_watch(n, id);
    if (r < 0 && r != -ESRCH)
        return r;
    return machine_connect(n);
}

static int null_order(Vm *vm, NullOrder what)
{
    NullVm *n = null_of(vm);

    if (n->socket < 0)
        return -ENOTCONN;
    order(n, what);
    return 0;
}

static int null_stop(Vm *vm)
{
    return null_order(vm, NULL_STOP);
}

static int null_pause(Vm *vm)
{
    return null_order(vm, NULL_PAUSE);
}

static int null_resume(Vm *vm)
{
    return null_order(vm, NULL_RESUME);
}

static int null_kill(Vm *vm)
{
    NullVm *n = null_of(vm);

    if (n->pidfd < 0)
        return n->failure ? 0 : -ESRCH;
    n->killed = true;
    int r = process_signal(n->pidfd, SIGKILL);
    return r == -ESRCH ? 0 : r;
}

static int null_clean(Vm *vm)
{
    int dir = vm->context->vm_dir, r = vmm_is_locked(dir);

    if (r != 0)
        return r < 0 ? r : -EBUSY;
    static const char *const files[] = { NULL_SOCKET_FILE, BACKEND_CONSOLE_FILE, VMM_LOCK_FILE,
                                         "null.msgpack" };
    TABLE_FOREACH (file, files)
        if ((r = file_remove_at(dir, *file)) < 0)
            return r;
    return 0;
}

static int null_describe(const char *program, BackendDescription *ret)
{
    return 0;
}

const Backend null_backend = {
    .name = "null",
    .kind = BACKEND_NULL,
    .checkpoint = &null_checkpoint,
    .has_agent = false,
    .describe = null_describe,
    .check = null_check,
    .new = null_new,
    .free = null_free,
    .inspect = null_inspect,
    .start = null_start,
    .adopt = null_adopt,
    .stop = null_stop,
    .kill = null_kill,
    .pause = null_pause,
    .resume = null_resume,
    .clean = null_clean,
};
