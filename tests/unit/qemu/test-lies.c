/* SPDX-License-Identifier: Apache-2.0 */
/* A QEMU that lies (fake-qemu): each lie ends the start in time, with a sentence, and leaves no process. */
#include <signal.h>

#include "tests/unit/qemu/machine.h"

#include "backends/qemu/qemu-vm.h"
#include "backends/vmm.h"
#include "tests/unit/guard.h"

static const char *fake_qemu;

typedef struct Lie {
    const char *name;
    EndReason reason;
    const char *message;
} Lie;

static const Lie lies[] = {
    { "old", END_START_FAILED, "is version 5.0; 7.2 or newer is needed" },
    { "another", END_VMM_UNRESPONSIVE, "the machine 00000000-0000-4000-8000-000000000000" },
    { "nobody", END_VMM_UNRESPONSIVE, "does not say who it is" },
    { "garbage", END_VMM_UNRESPONSIVE, "does not speak QMP" },
    { "endless", END_VMM_UNRESPONSIVE, "does not speak QMP" },
    { "silent", END_VMM_UNRESPONSIVE, "does not answer" },
    { "closing", END_VMM_UNRESPONSIVE, "closed its control socket" },
    { "stubborn", END_GUEST_SHUTDOWN, "powered off or reset" },
    { "exit", END_START_FAILED, "exited with status 1: fake-qemu: this is why" },
};

static TestMachine *liar_new(const char *name)
{
    TestMachine *m = machine_new(TINY_IDLE);

    assert_success(str_replace(&m->definition.qemu, fake_qemu));
    free(m->definition.kernel);
    m->definition.kernel = strf("%s/%s", m->dir.path, name);
    assert_success(file_replace_at(m->dir.fd, name, "none", 4, 0600));
    return m;
}

static void assert_lie_ends(const Lie *lie)
{
    TestMachine *m = liar_new(lie->name);

    /* Python takes its time; only who says nothing at all may run into this. */
    if (streq(lie->name, "silent"))
        qemu_of(m->vm)->greeting_timeout = 100 * USEC_PER_MSEC;
    assert_success(qemu_backend.start(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    if (m->end.reason != lie->reason || !m->end.message || !strstr(m->end.message, lie->message))
        fail_msg("%s: ended as %s: %s", lie->name, enum_to_string(&end_reason_table, (int)m->end.reason),
                 m->end.message ?: "no message");
    assert_int_equal(m->told[BACKEND_STARTED], 0);
    assert_int_equal(vmm_is_locked(m->context.vm_dir), 0);
    machine_done(m);
}

static void test_each_lie_of_a_qemu_ends_its_start(void **state)
{
    TABLE_FOREACH (lie, lies)
        assert_lie_ends(lie);
}

/* As QEMU 7.2 does now and then. */
static void test_one_that_says_that_it_ends_and_hangs_is_killed_and_its_reason_kept(void **state)
{
    TestMachine *m = liar_new("lingering");

    qemu_of(m->vm)->farewell_timeout = 100 * USEC_PER_MSEC;
    machine_start(m);
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_VMM_SIGNAL);
    assert_string_equal(m->end.message, "somebody on the host told QEMU to end");
    assert_int_equal(m->end.exit_signal, SIGKILL);
    assert_int_equal(vmm_is_locked(m->context.vm_dir), 0);
    machine_done(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_lie_of_a_qemu_ends_its_start),
        cmocka_unit_test(test_one_that_says_that_it_ends_and_hangs_is_killed_and_its_reason_kept),
    };
    _cleanup_(freep) char *path = strf("%s/fake-qemu", argc > 1 ? argv[1] : ".");
    fake_qemu = path;
    test_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
