/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A machine of the qemu backend with a tiny guest in a directory of its own, and what its runner would be told. */
#include <fcntl.h>
#include <signal.h>

#include "backends/qemu/qemu.h"
#include "base/process.h"
#include "tests/unit/qemu/tiny-guest.h"

typedef struct TestMachine {
    TestDir dir;
    RunDefinition definition;
    BackendContext context;
    StartTimes start;
    Vm *vm;
    int told[BACKEND_EVENT_MAX];
    BackendVmm vmm;
    BackendEnd end;
    bool foreign;
    char *message;
    Bytes said[LOG_STREAM_MAX];
} TestMachine;

static inline void machine_on_event(void *userdata, const BackendEvent *event)
{
    TestMachine *m = userdata;

    m->told[event->type]++;
    if (event->type == BACKEND_STARTED)
        m->vmm = event->vmm;
    if (event->type == BACKEND_DOUBTFUL)
        m->foreign = event->foreign;
    if (event->type == BACKEND_OUTPUT) {
        Bytes *b = &m->said[event->output.stream];
        assert_success(bytes_append(b, event->output.data, event->output.size));
        assert_success(bytes_terminate(b));
    }
    if (event->message)
        assert_success(str_replace(&m->message, event->message));
    if (event->end) {
        schema_done(&backend_end_schema, &m->end);
        assert_success(schema_copy(&backend_end_schema, event->end, &m->end));
    }
}

static inline TestMachine *machine_new(TinyGuest guest)
{
    TestMachine *m = calloc(1, sizeof *m);
    RunDefinition *d = &m->definition;

    assert_non_null(m);
    m->dir = test_dir_new_in_memory();
    tiny_guest_write(m->dir.fd, "kernel", guest);
    assert_success(file_replace_at(m->dir.fd, "initrd", "none", 4, 0600));
    assert_success(schema_init(&run_definition_schema, d));
    assert_success(schema_init(&backend_end_schema, &m->end));
    assert_success(id128_random(&d->uuid));
    d->name = strdup("web");
    d->qemu = strdup("/usr/bin/qemu-system-x86_64");
    d->kernel = strf("%s/kernel", m->dir.path);
    d->initrd = strf("%s/initrd", m->dir.path);
    d->pod.qemu.accelerator = ACCELERATOR_TCG;
    d->pod.memory = UINT64_C(96) << 20;
    d->attempt = 1;
    m->context = (BackendContext){ .run_dir = m->dir.fd,
                                   .vm_dir = dir_make_at(m->dir.fd, "vm", 0700),
                                   .definition = d,
                                   .start = &m->start,
                                   .on_event = machine_on_event,
                                   .userdata = m };
    assert_true(m->context.vm_dir >= 0);
    assert_success(sd_event_new(&m->context.event));
    assert_success(qemu_backend.new(&m->context, &m->vm));
    return m;
}

/* As a runner that dies: nothing is said to anybody. */
static inline void machine_forget(TestMachine *m)
{
    m->vm = qemu_backend.free(m->vm);
    memset(m->told, 0, sizeof m->told);
    assert_success(qemu_backend.new(&m->context, &m->vm));
}

static inline void machine_run_until(TestMachine *m, BackendEventType type)
{
    usec_t end = now_usec(CLOCK_MONOTONIC) + 30 * USEC_PER_SEC;

    while (!m->told[type] && now_usec(CLOCK_MONOTONIC) < end)
        assert_success(sd_event_run(m->context.event, USEC_PER_SEC));
    if (!m->told[type])
        fail_msg("no event \"%s\"; message: %s; end: %s, %s", enum_to_string(&backend_event_table, (int)type),
                 m->message ?: "none", enum_to_string(&end_reason_table, (int)m->end.reason),
                 m->end.message ?: "no message");
}

static inline void machine_start(TestMachine *m)
{
    assert_success(qemu_backend.start(m->vm));
    machine_run_until(m, BACKEND_STARTED);
}

static inline BackendFacts machine_facts(TestMachine *m)
{
    BackendFacts f;
    assert_success(qemu_backend.inspect(m->vm, &f));
    return f;
}

/* Ends whatever runs, by the process that STARTED named. */
static inline void machine_done(TestMachine *m)
{
    if (m->told[BACKEND_STARTED] && !m->told[BACKEND_ENDED]) {
        assert_success(qemu_backend.kill(m->vm));
        machine_run_until(m, BACKEND_ENDED);
    }
    qemu_backend.free(m->vm);
    sd_event_unref(m->context.event);
    safe_close(m->context.vm_dir);
    schema_done(&run_definition_schema, &m->definition);
    schema_done(&backend_end_schema, &m->end);
    test_dir_done(&m->dir);
    for (size_t i = 0; i < LOG_STREAM_MAX; i++)
        bytes_done(&m->said[i]);
    free(m->message);
    free(m);
}

static inline _unused_ char *machine_file(TestMachine *m, const char *name)
{
    Bytes b = { 0 };

    if (file_read_at(m->context.vm_dir, name, 1024 * 1024, &b) < 0)
        return NULL;
    assert_success(bytes_terminate(&b));
    return (char *)b.data;
}
