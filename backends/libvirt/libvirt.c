/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/libvirt/domain-xml.h"
#include "backends/libvirt/event-loop.h"
#include "backends/libvirt/libvirt-describe.h"
#include "backends/libvirt/libvirt-vm.h"
#include "backends/libvirt/libvirt.h"
#include "backends/vmm.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"

void libvirt_tell(LibvirtVm *l, const BackendEvent *event)
{
    const BackendContext *c = l->vm.context;

    c->on_event(c->userdata, event);
}

int libvirt_step(LibvirtVm *l, DomainStep step)
{
    const BackendContext *c = l->vm.context;

    l->record.step = step;
    return checkpoint_write(c->vm_dir, &libvirt_checkpoint, c->definition->uuid, c->definition->generation,
                            &l->record);
}

int libvirt_defer(LibvirtVm *l, sd_event_handler_t handler)
{
    l->deferred = sd_event_source_disable_unref(l->deferred);
    return sd_event_add_defer(l->vm.context->event, &l->deferred, handler, l);
}

void libvirt_deadline(LibvirtVm *l, usec_t delay, sd_event_time_handler_t handler)
{
    l->deadline = sd_event_source_disable_unref(l->deadline);
    if (delay == USEC_INFINITY)
        return;
    if (sd_event_add_time_relative(l->vm.context->event, &l->deadline, CLOCK_MONOTONIC, delay, 1, handler,
                                   l) >= 0)
        (void)sd_event_source_set_priority(l->deadline, SD_EVENT_PRIORITY_NORMAL + 3);
}

void libvirt_log(LibvirtVm *l, int level, const char *format, ...)
{
    const RunDefinition *d = l->vm.context->definition;
    LogFields fields;
    va_list args;

    va_start(args, format);
    _cleanup_(freep) char *text = strf_va(format, args);
    va_end(args);
    log_fields_of_machine(&fields, d);
    (void)log_full(level, 0, fields.rows, "Pod %s: %s", d->name, text ?: "something happened");
}

/* --- check --------------------------------------------------------------------------------------------------------- */

static char *check_program(const RunDefinition *d)
{
    if (!d->qemu)
        return strf("podvisord.conf names no QEMU program");
    if (access(d->qemu, X_OK) == 0)
        return NULL;
    if (errno == ENOENT)
        return strf(
            "QEMU is not installed: there is no %s; install the package qemu-system-x86, or set `qemu` in "
            "podvisord.conf",
            d->qemu);
    return strf("libvirt cannot run QEMU: %s: %s", d->qemu, strerror(errno));
}

static char *check_xml(const RunDefinition *d)
{
    if (d->pod.libvirt.xml && !d->libvirt_xml)
        return strf("libvirt.xml is set, but podvisord.conf does not allow it (libvirt_xml = true)");
    return NULL;
}

static int libvirt_check(const RunDefinition *d, char **ret_message)
{
    char *message = check_program(d);

    if (!message)
        message = check_xml(d);
    *ret_message = message;
    return message ? -EINVAL : 0;
}

/* --- the object ------------------------------------------------------------------------------------------------------ */

static Vm *libvirt_free(Vm *vm)
{
    if (!vm)
        return NULL;
    LibvirtVm *l = libvirt_of(vm);
    connection_free(l->connection);
    if (l->attached)
        event_loop_detach();
    channels_free(l->channels);
    sd_event_source_disable_unref(l->process);
    sd_event_source_disable_unref(l->deferred);
    sd_event_source_disable_unref(l->deadline);
    safe_close(l->pidfd);
    oom_watch_done(&l->oom);
    schema_done(&backend_end_schema, &l->seen);
    schema_done(libvirt_checkpoint.schema, &l->record);
    free(l->path);
    free(l->security_model);
    free(l);
    return NULL;
}

static int libvirt_new(const BackendContext *context, Vm **ret)
{
    LibvirtVm *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    *l = (LibvirtVm){ .vm = { &libvirt_backend, context }, .pidfd = -1, .born = tsc_sample() };
    int r = schema_init(libvirt_checkpoint.schema, &l->record);
    if (r >= 0 && (r = schema_init(&backend_end_schema, &l->seen)) < 0)
        schema_done(libvirt_checkpoint.schema, &l->record);
    if (r < 0) {
        free(l);
        return r;
    }
    *ret = &l->vm;
    return 0;
}

/* --- what was left ---------------------------------------------------------------------------------------------------- */

static int facts_of_record(LibvirtVm *l, BackendFacts *f, const DomainRecord *record,
                           const CheckpointEnvelope *e)
{
    Id128 boot;

    int r = id128_boot(&boot);
    if (r < 0)
        return r;
    ProcessId id = domain_record_process(record);
    _cleanup_(closep) int pidfd = process_open(&id);
    /* A number alone can be another's by now; who has the lock has not ended. */
    f->process = pidfd >= 0 && (id.start_time > 0 || vmm_is_locked(l->vm.context->vm_dir) > 0);
    f->same_machine = id128_equal(e->pod, l->vm.context->definition->uuid);
    f->same_boot = id128_equal(e->boot, boot);
    f->step = domain_step_to_backend(record->step);
    /* Its end had begun and been recorded, and now it is gone: that is how it ended. */
    if (record->step == DOMAIN_STEP_ENDING && !f->process)
        f->step = BACKEND_STEP_ENDED;
    if (f->step != BACKEND_STEP_ENDED)
        return 0;
    return schema_copy(&backend_end_schema, &record->end, &f->end);
}

static int libvirt_inspect(Vm *vm, BackendFacts *ret)
{
    LibvirtVm *l = libvirt_of(vm);
    BackendFacts f = { 0 };
    DomainRecord record;
    CheckpointEnvelope envelope;
    bool nameless = false;
    int r = 0;

    f.checkpoint = checkpoint_read(vm->context->vm_dir, &libvirt_checkpoint, &record, &envelope, &f.detail);
    if (f.checkpoint == CHECKPOINT_ABSENT)
        f.detail = (free(f.detail), NULL);
    if (f.checkpoint == CHECKPOINT_GOOD) {
        r = facts_of_record(l, &f, &record, &envelope);
        nameless = record.step == DOMAIN_STEP_CREATING && record.pid == 0;
        schema_done(libvirt_checkpoint.schema, &record);
        schema_done(&checkpoint_envelope_schema, &envelope);
    }
    /* Last: a process lets go of it before it is gone, so one that ends meanwhile is not a strange holder. */
    int locked = r < 0 ? r : vmm_is_locked(vm->context->vm_dir);
    if (locked < 0) {
        backend_facts_done(&f);
        return locked;
    }
    f.locked = locked > 0;
    /* Who took the lock while libvirt was asked is what libvirt made, until its connection says which process that is. */
    f.process |= nameless && f.locked;
    *ret = f;
    return 0;
}

static int libvirt_clean(Vm *vm)
{
    static const char *const files[] = { DOMAIN_XML_AGENT_SOCKET, DOMAIN_XML_CONSOLE_SOCKET,
                                         BACKEND_CONSOLE_FILE, VMM_LOCK_FILE, "libvirt.msgpack" };
    int dir = vm->context->vm_dir;

    int r = vmm_is_locked(dir);
    if (r != 0)
        return r > 0 ? -EBUSY : r;
    for (size_t i = 0; i < ELEMENTSOF(files) && r >= 0; i++)
        r = file_remove_at(dir, files[i]);
    return r;
}

static int libvirt_agent_connect(Vm *vm)
{
    return channels_agent(libvirt_of(vm)->channels);
}

const Backend libvirt_backend = {
    .name = "libvirt",
    .kind = BACKEND_LIBVIRT,
    .checkpoint = &libvirt_checkpoint,
    .has_agent = true,
    .describe = libvirt_describe,
    .check = libvirt_check,
    .new = libvirt_new,
    .free = libvirt_free,
    .inspect = libvirt_inspect,
    .start = libvirt_start,
    .adopt = libvirt_adopt,
    .agent_connect = libvirt_agent_connect,
    .stop = NULL, /* the agent is asked */
    .kill = libvirt_kill,
    .pause = libvirt_pause,
    .resume = libvirt_resume,
    .clean = libvirt_clean,
};
