/* SPDX-License-Identifier: Apache-2.0 */
/* What podvisord asks of a runner, and when it gets its answer: a runner in this process, a backend without a VMM, the test as podvisord. */
#include <sys/socket.h>

#include "base/socket.h"
#include "runner/runner-state.h"
#include "runner/supervisor-link.h"
#include "schemas/log-file.h"
#include "tests/unit/runner/fake-backend.h"
#include "tests/unit/test.h"

#define SOCKET "podvisord"

/* --- a backend that does as it is told ------------------------------------------------------------------------------- */

static const Backend fake_backend = {
    .name = "fake",
    .kind = BACKEND_NULL,
    .checkpoint = &fake_kind,
    .check = backend_check,
    .new = backend_new,
    .free = backend_free,
    .inspect = backend_inspect,
    .start = backend_nothing,
    .adopt = backend_nothing,
    .kill = backend_nothing,
    .stop = backend_nothing,
    .pause = backend_nothing,
    .resume = backend_nothing,
    .clean = backend_nothing,
};

/* --- a runner whose machine runs, and podvisord ------------------------------------------------------------------------ */

typedef struct Fixture {
    TestDir dir;
    Runner *runner;
    int podvisord; /* the connection */
} Fixture;

static void run(Fixture *f)
{
    int r;

    while ((r = sd_event_run(f->runner->event, 0)) > 0)
        ;
    assert_success(r);
}

static void backend_tells(Fixture *f, BackendEventType type, const char *message)
{
    BackendEvent event = { .type = type, .vmm = { .pid = 1 }, .message = (char *)(uintptr_t)message };

    the_vm.context->on_event(the_vm.context->userdata, &event);
    run(f);
}

static void definition_write(Fixture *f)
{
    RunDefinition d;

    assert_success(schema_init(&run_definition_schema, &d));
    d.name = strdup("web");
    d.uuid.bytes[0] = 5;
    d.attempt = 1;
    d.supervisor_socket = strf("%s/" SOCKET, f->dir.path);
    d.log_target = LOG_TARGET_FILES;
    d.log_dir = strdup(f->dir.path);
    d.log_size = LOG_FILE_SIZE_MIN;
    d.pod.backend = BACKEND_NULL;
    assert_success(checkpoint_write(f->dir.fd, &run_definition_kind, d.uuid, 1, &d));
    schema_done(&run_definition_schema, &d);
}

static void ask(Fixture *f, RunnerMessageType type, uint64_t id, const void *body)
{
    Bytes b = { 0 };

    assert_success(message_to_bytes(&runner_protocol, (int)type, id, body, &b));
    assert_success(packet_send(f->podvisord, b.data, b.size, -1));
    bytes_done(&b);
    run(f);
}

/* The next reply, whatever is reported before it; false: there is none. */
static bool next_reply(Fixture *f, Message *ret)
{
    for (;;) {
        _cleanup_(bytes_done) Bytes packet = { 0 };
        _cleanup_(closep) int fd = -1;
        if (packet_receive(f->podvisord, RUNNER_PACKET_MAX, &packet, &fd) <= 0)
            return false;
        assert_success(message_from_bytes(&runner_protocol, packet.data, packet.size, ret));
        if (ret->type == RUNNER_REPLY)
            return true;
        message_done(ret);
    }
}

static void expect_reply(Fixture *f, uint64_t id, int error, const char *message)
{
    Message m;

    assert_true(next_reply(f, &m));
    const RunnerReply *reply = m.body;
    assert_int_equal(m.id, id);
    assert_int_equal(reply->error, -error);
    if (message)
        assert_string_equal(reply->message, message);
    message_done(&m);
}

static void expect_silence(Fixture *f)
{
    Message m;

    assert_false(next_reply(f, &m));
}

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_open("test", LOG_EMERG);
    f->dir = test_dir_new();
    definition_write(f);
    _cleanup_(closep) int listener = socket_listen_at(f->dir.fd, SOCKET, SOCK_SEQPACKET | SOCK_NONBLOCK);
    assert_success(listener);
    assert_success(runner_new(&fake_backend, dup(f->dir.fd), false, &f->runner));
    assert_success(runner_begin(f->runner));
    f->podvisord = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(f->podvisord >= 0);
    backend_tells(f, BACKEND_STARTED, NULL);
    assert_true(runner_dispatch(f->runner, RUNNER_EVENT_WORKING));
    ask(f, RUNNER_WELCOME, 0, &(RunnerWelcome){ .protocol = RUNNER_PROTOCOL_VERSION });
    expect_silence(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    runner_free(f->runner);
    safe_close(f->podvisord);
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void a_pause_is_answered_when_the_machine_stands_still(void **state)
{
    Fixture *f = *state;
    ask(f, RUNNER_PAUSE, 7, NULL);
    expect_silence(f);
    backend_tells(f, BACKEND_PAUSED, NULL);
    expect_reply(f, 7, 0, NULL);
    ask(f, RUNNER_PAUSE, 8, NULL);
    expect_reply(f, 8, 0, NULL);
    ask(f, RUNNER_RESUME, 9, NULL);
    expect_silence(f);
    backend_tells(f, BACKEND_RESUMED, NULL);
    expect_reply(f, 9, 0, NULL);
    expect_silence(f);
}

static void a_pause_that_is_refused_after_all_says_why(void **state)
{
    Fixture *f = *state;
    ask(f, RUNNER_PAUSE, 7, NULL);
    ask(f, RUNNER_PAUSE, 8, NULL);
    expect_silence(f);
    backend_tells(f, BACKEND_REFUSED, "the daemon would not");
    expect_reply(f, 8, -EIO, "the daemon would not");
    expect_reply(f, 7, -EIO, "the daemon would not");
    expect_silence(f);
    assert_int_equal(f->runner->record.report.state, RUNNER_RUNNING);
}

static void a_pause_that_a_stop_overtakes_is_told_so(void **state)
{
    Fixture *f = *state;
    ask(f, RUNNER_PAUSE, 7, NULL);
    ask(f, RUNNER_STOP, 8, &(RunnerStop){ .timeout = USEC_PER_MINUTE });
    expect_reply(f, 7, -ECANCELED, "it ends");
    expect_reply(f, 8, 0, NULL);
}

static void more_pauses_than_can_wait_are_refused(void **state)
{
    Fixture *f = *state;
    for (uint64_t id = 1; id <= LINK_AWAITING_MAX; id++)
        ask(f, RUNNER_PAUSE, id, NULL);
    expect_silence(f);
    ask(f, RUNNER_PAUSE, 99, NULL);
    expect_reply(f, 99, -EBUSY, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pause_is_answered_when_the_machine_stands_still, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pause_that_is_refused_after_all_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pause_that_a_stop_overtakes_is_told_so, setup, teardown),
        cmocka_unit_test_setup_teardown(more_pauses_than_can_wait_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
