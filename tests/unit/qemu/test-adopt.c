/* SPDX-License-Identifier: Apache-2.0 */
/* Real QEMU: what a runner finds that comes after another, and what it does with it. */
#include "tests/unit/qemu/machine.h"

#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "backends/qemu/qemu-vm.h"
#include "backends/vmm.h"
#include "tests/unit/guard.h"

/* Another process starts the machine, stays until `until` was told, and is gone then. */
enum { ELSEWHERE_FAILED = 1, ELSEWHERE_ENDED = 3 };

/* By another process, which is gone when this returns. False: the machine ended in its presence, before the event. */
static bool start_elsewhere(TestMachine *m, BackendEventType until)
{
    int status;

    pid_t pid = fork();
    if (pid == 0) {
        /* The loop's descriptors are not shared with the parent's. */
        if (sd_event_new(&m->context.event) < 0 || qemu_backend.start(m->vm) < 0)
            _exit(ELSEWHERE_FAILED);
        while (!m->told[until] && !m->told[BACKEND_ENDED])
            if (sd_event_run(m->context.event, 30 * USEC_PER_SEC) <= 0)
                _exit(ELSEWHERE_FAILED);
        _exit(m->told[until] ? 0 : ELSEWHERE_ENDED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != ELSEWHERE_FAILED);
    return WEXITSTATUS(status) == 0;
}

/* A guest that lives for a tenth of a second may be over before a busy host has looked; then nobody was away. */
static TestMachine *start_elsewhere_in_time(TinyGuest guest)
{
    for (int i = 0; i < 50; i++) {
        TestMachine *m = machine_new(guest);
        if (start_elsewhere(m, BACKEND_STARTED))
            return m;
        machine_done(m);
    }
    fail_msg("the guest ended before its start was seen, 50 times");
    return NULL;
}

static void adopt(TestMachine *m, BackendEventType until)
{
    assert_success(qemu_backend.adopt(m->vm));
    machine_run_until(m, until);
}

static void end(TestMachine *m)
{
    assert_success(qemu_backend.kill(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    machine_done(m);
}

static void test_a_new_runner_adopts_the_same_process(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    pid_t pid = m->vmm.pid;
    usec_t started = m->vmm.started;
    for (int i = 0; i < 3; i++) {
        machine_forget(m);
        adopt(m, BACKEND_STARTED);
        assert_int_equal(m->vmm.pid, pid);
        assert_int_equal(m->vmm.started, started);
        assert_string_equal(m->vmm.accelerator, "tcg");
    }
    end(m);
}

static void test_a_paused_machine_is_adopted_as_paused(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    assert_success(qemu_backend.pause(m->vm));
    machine_run_until(m, BACKEND_PAUSED);
    machine_forget(m);
    adopt(m, BACKEND_STARTED);
    assert_true(m->vmm.paused);
    end(m);
}

static void test_the_end_of_an_adopted_qemu_by_a_signal_is_not_made_up(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    assert_true(start_elsewhere(m, BACKEND_STARTED));
    adopt(m, BACKEND_STARTED);
    assert_int_equal(kill(m->vmm.pid, SIGKILL), 0);
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_LOST);
    assert_int_equal(m->end.exit_code, -1);
    machine_done(m);
}

static void test_a_panic_while_nobody_watched_is_told_by_the_next_runner(void **state)
{
    TestMachine *m = start_elsewhere_in_time(TINY_PANIC);

    adopt(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_GUEST_PANIC);
    assert_non_null(strstr(m->end.message, "no \\x1b[1minit"));
    machine_done(m);
}

static void test_a_qemu_that_ended_unseen_is_told_as_lost(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    pid_t pid = m->vmm.pid;
    machine_forget(m);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    BackendFacts f = machine_facts(m);
    assert_int_equal(f.step, BACKEND_STEP_RUNNING);
    assert_false(f.process || f.locked);
    backend_facts_done(&f);
    adopt(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_LOST);
    machine_done(m);
}

static void test_a_machine_of_another_identity_is_foreign_and_left_alone(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    pid_t pid = m->vmm.pid;
    Id128 uuid = m->definition.uuid;
    machine_forget(m);
    assert_success(id128_random(&m->definition.uuid));
    adopt(m, BACKEND_DOUBTFUL);
    assert_true(m->foreign);
    assert_int_equal(kill(pid, 0), 0);
    assert_int_equal(qemu_backend.kill(m->vm), -ESRCH);

    m->definition.uuid = uuid;
    machine_forget(m);
    adopt(m, BACKEND_STARTED);
    end(m);
}

static void test_a_qemu_that_hangs_is_doubtful_and_left_alone(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    pid_t pid = m->vmm.pid;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    machine_forget(m);
    qemu_of(m->vm)->adopt_timeout = 50 * USEC_PER_MSEC;
    adopt(m, BACKEND_DOUBTFUL);
    assert_false(m->foreign);
    assert_int_equal(kill(pid, SIGCONT), 0);
    machine_forget(m);
    adopt(m, BACKEND_STARTED);
    assert_int_equal(m->vmm.pid, pid);
    end(m);
}

static void test_a_second_machine_on_one_run_path_is_impossible(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);
    Vm *second;

    machine_start(m);
    _cleanup_(freep) char *before = machine_file(m, "qemu.msgpack");
    assert_success(qemu_backend.new(&m->context, &second));
    assert_int_equal(qemu_backend.start(second), -EWOULDBLOCK);
    qemu_backend.free(second);
    _cleanup_(freep) char *after = machine_file(m, "qemu.msgpack");
    assert_string_equal(before, after);
    machine_forget(m);
    adopt(m, BACKEND_STARTED);
    end(m);
}

static void test_without_a_checkpoint_the_holder_of_the_lock_is_adopted_when_asked_to(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    assert_true(start_elsewhere(m, BACKEND_STARTED));
    assert_success(file_remove_at(m->context.vm_dir, "qemu.msgpack"));
    BackendFacts f = machine_facts(m);
    assert_int_equal(f.checkpoint, CHECKPOINT_ABSENT);
    assert_true(f.locked);
    backend_facts_done(&f);
    adopt(m, BACKEND_STARTED);
    f = machine_facts(m);
    assert_true(f.process && f.same_machine && f.step == BACKEND_STEP_RUNNING);
    backend_facts_done(&f);
    end(m);
}

static void test_a_lock_held_by_a_stranger_is_doubtful(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    _cleanup_(closep) int lock = file_open_at(m->context.vm_dir, VMM_LOCK_FILE, O_CREAT | O_RDWR, 0600);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    adopt(m, BACKEND_DOUBTFUL);
    assert_false(m->foreign);
    machine_done(m);
}

/* --- damage ------------------------------------------------------------------------------------------------------------- */

static void assert_harmless(TestMachine *m, const void *data, size_t size, pid_t pid)
{
    assert_success(file_replace_at(m->context.vm_dir, "qemu.msgpack", data, size, 0600));
    BackendFacts f = machine_facts(m);
    assert_true(f.locked);
    /* Either it is known to be damaged, or what it says is still true. */
    if (f.checkpoint == CHECKPOINT_GOOD)
        assert_true(f.process && f.step == BACKEND_STEP_RUNNING);
    backend_facts_done(&f);
}

static void test_a_checkpoint_damaged_at_any_byte_never_points_to_another_process(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);
    Bytes b = { 0 };

    machine_start(m);
    assert_success(file_read_at(m->context.vm_dir, "qemu.msgpack", 65536, &b));
    for (size_t size = 0; size < b.size; size++)
        assert_harmless(m, b.data, size, m->vmm.pid);
    for (size_t i = 0; i < b.size; i++) {
        uint8_t flip = (uint8_t)(1 << i % 8);
        b.data[i] ^= flip;
        assert_harmless(m, b.data, b.size, m->vmm.pid);
        b.data[i] ^= flip;
    }
    bytes_done(&b);
    machine_done(m);
}

/* --- death at each step ------------------------------------------------------------------------------------------------ */

static void start_traced(TestMachine *m)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0 ||
        sd_event_new(&m->context.event) < 0 || qemu_backend.start(m->vm) < 0)
        _exit(1);
    machine_run_until(m, BACKEND_STARTED);
    _exit(0);
}

/* Lets a runner start the machine and kills it at its n-th system call. False when it got to the end. */
static bool start_and_die(TestMachine *m, int n)
{
    int status;

    pid_t pid = fork();
    if (pid == 0)
        start_traced(m);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < 2 * n && WIFSTOPPED(status); i++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    if (!WIFSTOPPED(status))
        return false;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return true;
}

/* A child between its gate and the lock is on its way to be QEMU, or to its end; it is looked at again, as a runner does. */
static BackendFacts facts_settled(TestMachine *m)
{
    for (;;) {
        BackendFacts f = machine_facts(m);
        if (f.locked || !f.process)
            return f;
        backend_facts_done(&f);
        assert_success(sd_event_run(m->context.event, USEC_PER_MSEC));
    }
}

static void recover(TestMachine *m)
{
    BackendFacts f = facts_settled(m);

    assert_true(f.checkpoint == CHECKPOINT_GOOD || (f.checkpoint == CHECKPOINT_ABSENT && !f.locked));
    if (f.locked) {
        assert_success(qemu_backend.adopt(m->vm));
        while (!m->told[BACKEND_STARTED] && !m->told[BACKEND_ENDED]) {
            assert_int_equal(m->told[BACKEND_DOUBTFUL], 0);
            assert_success(sd_event_run(m->context.event, USEC_PER_SEC));
        }
    } else
        machine_start(m);
    backend_facts_done(&f);
}

static void test_a_start_killed_at_any_system_call_leaves_nothing_that_is_not_recorded(void **state)
{
    enum { STRIDE = 3 }; /* 1 is thorough, and three times as long */

    bool died = true;
    for (int n = 1; died; n += STRIDE) {
        TestMachine *m = machine_new(TINY_IDLE);
        died = start_and_die(m, n);
        recover(m);
        machine_done(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_runner_adopts_the_same_process),
        cmocka_unit_test(test_a_paused_machine_is_adopted_as_paused),
        cmocka_unit_test(test_the_end_of_an_adopted_qemu_by_a_signal_is_not_made_up),
        cmocka_unit_test(test_a_panic_while_nobody_watched_is_told_by_the_next_runner),
        cmocka_unit_test(test_a_qemu_that_ended_unseen_is_told_as_lost),
        cmocka_unit_test(test_a_machine_of_another_identity_is_foreign_and_left_alone),
        cmocka_unit_test(test_a_qemu_that_hangs_is_doubtful_and_left_alone),
        cmocka_unit_test(test_a_second_machine_on_one_run_path_is_impossible),
        cmocka_unit_test(test_without_a_checkpoint_the_holder_of_the_lock_is_adopted_when_asked_to),
        cmocka_unit_test(test_a_lock_held_by_a_stranger_is_doubtful),
        cmocka_unit_test(test_a_checkpoint_damaged_at_any_byte_never_points_to_another_process),
        cmocka_unit_test(test_a_start_killed_at_any_system_call_leaves_nothing_that_is_not_recorded),
    };
    test_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
