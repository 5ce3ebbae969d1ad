/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A runner in the test's process, with a backend that does as it is told, and a fake agent at the other end of its channel. */
#include <fcntl.h>
#include <sys/socket.h>

#include "runner/agent-glue.h"
#include "runner/runner-state.h"
#include "schemas/log-file.h"
#include "tests/unit/runner/fake-agent.h"
#include "tests/unit/runner/fake-backend.h"

/* --- a backend that does as it is told ------------------------------------------------------------------------------- */

typedef struct Fixture {
    TestDir dir;
    Runner *runner;
    FakeAgent agent;
    int ends[16]; /* of channels that the runner has opened and no fake agent has taken yet */
    size_t n_ends;
    unsigned kills;
} Fixture;

static Fixture *the;
static int backend_agent_connect(Vm *vm)
{
    int pair[2];

    if (the->n_ends == ELEMENTSOF(the->ends))
        return -EAGAIN;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    the->ends[the->n_ends++] = pair[0];
    return pair[1];
}

static int backend_kill(Vm *vm)
{
    the->kills++;
    return 0;
}

static const Backend fake_backend = {
    .name = "fake",
    .kind = BACKEND_NULL,
    .checkpoint = &fake_kind,
    .has_agent = true,
    .check = backend_check,
    .new = backend_new,
    .free = backend_free,
    .inspect = backend_inspect,
    .start = backend_nothing,
    .adopt = backend_nothing,
    .agent_connect = backend_agent_connect,
    .kill = backend_kill,
    .pause = backend_nothing,
    .resume = backend_nothing,
    .clean = backend_nothing,
};

static void backend_tells(const BackendEvent *event)
{
    the_vm.context->on_event(the_vm.context->userdata, event);
    fake_run(&the->agent);
}

static void machine_ends(EndReason seen, uint64_t signal)
{
    BackendEnd end = { .reason = seen, .exit_code = -1, .exit_signal = signal };
    backend_tells(&(BackendEvent){ .type = BACKEND_ENDED, .end = &end });
}

/* --- a pod that has just been started -------------------------------------------------------------------------------- */

static void container_add(RunDefinition *d, const char *name, const char *digest)
{
    ContainerDefinition *c = field_append(schema_field(&pod_schema, "containers"), &d->pod);
    RunImage *image = field_append(schema_field(&run_definition_schema, "images"), d);

    assert_success(str_replace(&c->name, name));
    assert_success(str_replace(&c->image, "busybox"));
    assert_success(str_replace(&image->container, name));
    assert_success(str_replace(&image->digest, digest));
    assert_success(strv_append(&image->command, "sh"));
}

/* A secret, and a volume that is a disk. */
static void storage_add(RunDefinition *d)
{
    VolumeDefinition *v = field_append(schema_field(&pod_schema, "volumes"), &d->pod);
    SecretDefinition *secret = field_append(schema_field(&pod_schema, "secrets"), &d->pod);
    RunDisk *disk = field_append(schema_field(&run_definition_schema, "disks"), d);

    v->type = VOLUME_DISK;
    assert_success(str_replace(&v->name, "data"));
    assert_success(str_replace(&v->source, "/srv/data"));
    assert_success(str_replace(&secret->name, "key"));
    assert_success(str_replace(&secret->source, "/etc/keys/key"));
    assert_success(str_replace(&disk->volume, "data"));
    assert_success(str_replace(&disk->directory, "/srv"));
    assert_success(str_replace(&disk->file, "data"));
}

static void definition_write(Fixture *f, bool storage)
{
    RunDefinition d;

    assert_success(schema_init(&run_definition_schema, &d));
    d.name = strdup("web");
    d.uuid.bytes[0] = 5;
    d.attempt = 1;
    d.supervisor_socket = strf("%s/nobody", f->dir.path);
    d.log_target = LOG_TARGET_FILES;
    d.log_dir = strdup(f->dir.path);
    d.log_size = LOG_FILE_SIZE_MIN;
    d.pod.backend = BACKEND_NULL;
    container_add(&d, "one", "sha256:a");
    container_add(&d, "two", "sha256:b");
    container_add(&d, "three", "sha256:a");
    if (storage)
        storage_add(&d);
    assert_success(checkpoint_write(f->dir.fd, &run_definition_kind, d.uuid, 1, &d));
    schema_done(&run_definition_schema, &d);
}

/* The next channel that the runner opens; the loop runs until there is one. */
static void channel_next(Fixture *f)
{
    fake_done(&f->agent);
    while (f->n_ends == 0)
        assert_success(sd_event_run(f->runner->event, UINT64_MAX));
    fake_init_channel(&f->agent, f->runner->event, f->ends[0]);
    memmove(f->ends, f->ends + 1, --f->n_ends * sizeof f->ends[0]);
}

static int begin(void **state, bool storage)
{
    Fixture *f = the = calloc(1, sizeof *f);

    assert_non_null(f);
    log_open("test", LOG_EMERG);
    f->agent.fd = -1;
    f->dir = test_dir_new();
    definition_write(f, storage);
    assert_success(runner_new(&fake_backend, dup(f->dir.fd), false, &f->runner));
    assert_success(runner_begin(f->runner));
    the_vm.context->on_event(the_vm.context->userdata,
                             &(BackendEvent){ .type = BACKEND_STARTED, .vmm = { .pid = 1 } });
    channel_next(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    fake_done(&f->agent);
    f->runner = runner_free(f->runner);
    while (f->n_ends > 0)
        safe_close(f->ends[--f->n_ends]);
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

static RunnerState state_of(const Fixture *f)
{
    return f->runner->record.report.state;
}

/* The agent of a fresh guest takes what it is to run. */
static inline void configure(Fixture *f)
{
    fake_welcome(&f->agent);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    assert_int_equal(state_of(f), RUNNER_RUNNING);
}

/* The next question about the clock is answered by one that is off by so much; its step comes back. */
static int64_t clock_answer(Fixture *f, int64_t off)
{
    const AgentClock *question = fake_expect(&f->agent, AGENT_CLOCK);
    int64_t step = question->step;
    usec_t time = (usec_t)((int64_t)now_usec(CLOCK_REALTIME) + off);
    fake_say(&f->agent, AGENT_CLOCK, 0, &(AgentClock){ .round = question->round, .time = time });
    return step;
}
