/* SPDX-License-Identifier: Apache-2.0 */
/* Real QEMU, tiny guests: how a machine starts and each way in which it can end. */
#include "tests/unit/qemu/machine.h"

#include <dirent.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "backends/qemu/qemu-vm.h"
#include "tests/unit/guard.h"

static const char *writing_qemu, *kvmless_qemu;

static void test_a_machine_starts_proves_itself_and_is_killed(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    assert_true(m->vmm.pid > 0);
    assert_string_equal(m->vmm.accelerator, "tcg");
    assert_false(m->vmm.isolated);
    assert_success(qemu_backend.kill(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_KILLED);
    assert_int_equal(m->told[BACKEND_ENDED], 1);
    assert_int_equal(kill(m->vmm.pid, 0), -1);
    machine_done(m);
}

static void test_the_record_of_an_end_is_found_and_cleaned_up(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    BackendFacts f = machine_facts(m);
    assert_int_equal(f.step, BACKEND_STEP_RUNNING);
    assert_true(f.process && f.locked && f.same_machine && f.same_boot);
    backend_facts_done(&f);
    assert_int_equal(qemu_backend.clean(m->vm), -EBUSY);
    assert_success(qemu_backend.kill(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    f = machine_facts(m);
    assert_int_equal(f.step, BACKEND_STEP_ENDED);
    assert_int_equal(f.end.reason, END_KILLED);
    assert_false(f.process || f.locked);
    backend_facts_done(&f);
    assert_success(qemu_backend.clean(m->vm));
    assert_success(qemu_backend.clean(m->vm));
    assert_int_equal(unlinkat(m->dir.fd, "vm", AT_REMOVEDIR), 0);
    machine_done(m);
}

typedef struct End {
    TinyGuest guest;
    EndReason reason;
    const char *message;
    const char *console;
} End;

static const End ends[] = {
    { TINY_SHUTDOWN, END_GUEST_SHUTDOWN, "the guest powered off", "bye" },
    { TINY_RESET, END_GUEST_RESET, "the guest reset", "early" },
    { TINY_PANIC, END_GUEST_PANIC, "the guest's kernel panicked: no \\x1b[1minit", "Kernel panic" },
};

static void test_each_end_of_a_guest_is_told_apart_and_its_console_is_kept(void **state)
{
    TABLE_FOREACH (e, ends) {
        TestMachine *m = machine_new(e->guest);
        assert_success(qemu_backend.start(m->vm));
        machine_run_until(m, BACKEND_ENDED);
        /* Of an end before QMP was ready only the result can be known, and that does not tell a reset from the rest. */
        if (m->told[BACKEND_STARTED] || e->guest == TINY_PANIC) {
            assert_int_equal(m->end.reason, e->reason);
            assert_string_equal(m->end.message, e->message);
        }
        _cleanup_(freep) char *console = machine_file(m, BACKEND_CONSOLE_FILE);
        assert_non_null(console);
        assert_non_null(strstr(console, e->console));
        machine_done(m);
    }
}

static void test_a_qemu_that_is_killed_from_outside_is_told_with_its_signal(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    assert_int_equal(kill(m->vmm.pid, SIGKILL), 0);
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_VMM_SIGNAL);
    assert_int_equal(m->end.exit_signal, SIGKILL);
    assert_string_equal(m->end.message, "QEMU was killed by SIGKILL");
    machine_done(m);
}

static size_t ticks(const TestMachine *m)
{
    const Bytes *b = &m->said[LOG_STREAM_CONSOLE];
    size_t n = 0;

    for (const char *p = b->data ? (const char *)b->data : ""; (p = strstr(p, "tick\r\n")); p++)
        n++;
    return n;
}

static void run_until_ticks(TestMachine *m, size_t n)
{
    usec_t end = now_usec(CLOCK_MONOTONIC) + 30 * USEC_PER_SEC;

    while (ticks(m) < n && now_usec(CLOCK_MONOTONIC) < end)
        assert_success(sd_event_run(m->context.event, USEC_PER_SEC));
    assert_true(ticks(m) >= n);
}

static void test_the_console_is_told_while_the_machine_runs_and_to_the_next_runner(void **state)
{
    TestMachine *m = machine_new(TINY_TALKER);

    machine_start(m);
    run_until_ticks(m, 5);
    machine_forget(m);
    bytes_done(&m->said[LOG_STREAM_CONSOLE]);
    assert_success(qemu_backend.adopt(m->vm));
    machine_run_until(m, BACKEND_STARTED);
    run_until_ticks(m, 5);
    machine_done(m);
}

static void test_a_qemu_that_is_asked_to_end_from_outside_names_who_asked(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);
    _cleanup_(freep) char *who = strf("from pid %d", (int)getpid());

    machine_start(m);
    assert_int_equal(kill(m->vmm.pid, SIGTERM), 0);
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_VMM_SIGNAL);
    /* QEMU hangs on its way out now and then, and is killed; the reason is the same. */
    assert_true(m->end.exit_code == 0 || m->end.exit_signal == SIGKILL);
    assert_non_null(strstr(m->end.message, who));
    assert_non_null(m->said[LOG_STREAM_VMM].data);
    assert_non_null(strstr((char *)m->said[LOG_STREAM_VMM].data, who));
    machine_done(m);
}

static void test_a_qemu_that_fails_at_once_is_told_with_its_last_words(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    assert_success(file_replace_at(m->dir.fd, "kernel", "no kernel", 9, 0600));
    assert_success(qemu_backend.start(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_START_FAILED);
    assert_int_equal(m->end.exit_code, 1);
    assert_non_null(strstr(m->end.message, "QEMU exited with status 1: "));
    _cleanup_(freep) char *log = machine_file(m, "qemu.log");
    assert_non_null(log);
    machine_done(m);
}

static void test_a_missing_kernel_ends_the_start_with_a_sentence(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    assert_success(str_replace(&m->definition.initrd, "/nonexistent/initrd"));
    assert_success(qemu_backend.start(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_START_FAILED);
    assert_non_null(
        strstr(m->end.message, "the guest's initrd cannot be opened: /nonexistent/initrd: No such file"));
    machine_done(m);
}

static void test_a_missing_image_or_program_ends_the_start_with_a_sentence(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);
    RunImage *image = field_append(schema_field(&run_definition_schema, "images"), &m->definition);

    image->container = strdup("httpd");
    image->digest = strdup("sha256:1");
    image->path = strdup("/nonexistent/image");
    assert_success(qemu_backend.start(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_START_FAILED);
    assert_non_null(
        strstr(m->end.message, "container httpd cannot be opened: /nonexistent/image: No such file"));

    machine_forget(m);
    m->definition.n_images = 0;
    assert_success(str_replace(&m->definition.qemu, "/nonexistent/qemu"));
    _cleanup_(freep) char *message = NULL;
    assert_int_equal(qemu_backend.check(&m->definition, &message), -EINVAL);
    assert_non_null(strstr(message, "install the package qemu-system-x86"));
    assert_success(qemu_backend.start(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    assert_non_null(strstr(m->end.message, "No such file or directory"));
    m->definition.n_images = 1;
    machine_done(m);
}

static void test_pause_and_resume_are_told_also_when_repeated(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    for (int i = 1; i <= 2; i++) {
        m->told[BACKEND_PAUSED] = 0;
        assert_success(qemu_backend.pause(m->vm));
        machine_run_until(m, BACKEND_PAUSED);
    }
    for (int i = 1; i <= 2; i++) {
        m->told[BACKEND_RESUMED] = 0;
        assert_success(qemu_backend.resume(m->vm));
        machine_run_until(m, BACKEND_RESUMED);
    }
    assert_int_equal(m->told[BACKEND_REFUSED], 0);
    machine_done(m);
}

static void test_a_hanging_qemu_refuses_in_time_and_can_be_killed(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    machine_start(m);
    assert_int_equal(kill(m->vmm.pid, SIGSTOP), 0);
    assert_success(qemu_backend.pause(m->vm));
    machine_run_until(m, BACKEND_REFUSED);
    assert_success(qemu_backend.kill(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_KILLED);
    machine_done(m);
}

static KvmFacts kvm_that_lies(void)
{
    return (KvmFacts){ .processor = true };
}

static void test_a_kvm_that_lies_is_found_out_by_its_outcome(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    assert_success(str_replace(&m->definition.qemu, kvmless_qemu));
    qemu_of(m->vm)->ask_kvm = kvm_that_lies;
    m->definition.pod.qemu.accelerator = ACCELERATOR_AUTO;
    machine_start(m);
    assert_string_equal(m->vmm.accelerator, "tcg");
    assert_non_null(strstr(qemu_of(m->vm)->record.accelerator_why, "QEMU failed with KVM: "));
    assert_success(qemu_backend.kill(m->vm));
    machine_run_until(m, BACKEND_ENDED);

    machine_forget(m);
    qemu_of(m->vm)->ask_kvm = kvm_that_lies;
    m->definition.pod.qemu.accelerator = ACCELERATOR_KVM;
    assert_success(qemu_backend.start(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    assert_int_equal(m->end.reason, END_START_FAILED);
    machine_done(m);
}

/* --- what QEMU gets -------------------------------------------------------------------------------------------------- */

static bool fd_is_known(const char *target)
{
    static const char *const known[] = { "/dev/null",    "/memfd:qemu-log", "/memfd:console-bell",
                                         "socket:",      "anon_inode:",     "/machine.lock",
                                         "/image.erofs", "/kernel",         "/initrd" };
    TABLE_FOREACH (k, known) {
        if (strstr(target, *k))
            return true;
    }
    return false;
}

static int count_fds(pid_t pid, const char *part, bool only_known)
{
    _cleanup_(freep) char *path = strf("/proc/%d/fd", (int)pid);
    char target[512];
    int n = 0;

    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        ssize_t size = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
        if (size < 0)
            continue;
        target[size] = 0;
        if (only_known && !fd_is_known(target))
            fail_msg("QEMU has descriptor %s: %s", e->d_name, target);
        n += strstr(target, part) != NULL;
    }
    closedir(d);
    return n;
}

static void image_add(TestMachine *m, const char *container, const char *digest)
{
    RunImage *image = field_append(schema_field(&run_definition_schema, "images"), &m->definition);

    image->container = strdup(container);
    image->digest = strdup(digest);
    image->path = strf("%s/image.erofs", m->dir.path);
}

static void test_qemu_has_the_descriptors_that_it_needs_and_no_other(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);
    char block[4096] = { 0 };
    int secret = open("/etc/passwd", O_RDONLY); /* without O_CLOEXEC */

    assert_true(secret >= 0);
    assert_success(file_replace_at(m->dir.fd, "image.erofs", block, sizeof block, 0600));
    image_add(m, "a", "sha256:1");
    image_add(m, "b", "sha256:1");
    machine_start(m);
    assert_int_equal(count_fds(m->vmm.pid, "/machine.lock", true), 1);
    assert_true(count_fds(m->vmm.pid, "/image.erofs", true) > 0);
    safe_close(secret);
    machine_done(m);
}

static char *proc_text(pid_t pid, const char *file)
{
    _cleanup_(freep) char *path = strf("/proc/%d/%s", (int)pid, file);
    char *text = calloc(1, 65536);

    assert_non_null(text);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    return text;
}

static void test_qemu_writes_to_no_file_that_it_was_not_given(void **state)
{
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2)
        skip();

    TestMachine *m = machine_new(TINY_IDLE);
    assert_success(str_replace(&m->definition.qemu, writing_qemu));
    assert_success(qemu_backend.start(m->vm));
    machine_run_until(m, BACKEND_ENDED);
    if (!m->end.message || !strstr(m->end.message, "status 1: could write to: /dev/null"))
        fail_msg("%s", m->end.message);
    machine_done(m);
}

static void test_qemu_can_gain_nothing_dumps_nothing_and_inherits_no_environment(void **state)
{
    TestMachine *m = machine_new(TINY_IDLE);

    assert_int_equal(setenv("LD_PODVISOR_CANARY", "1", 1), 0);
    machine_start(m);
    _cleanup_(freep) char *status = proc_text(m->vmm.pid, "status"),
                          *limits = proc_text(m->vmm.pid, "limits"),
                          *environment = proc_text(m->vmm.pid, "environ");
    assert_non_null(strstr(status, "NoNewPrivs:\t1\n"));
    assert_non_null(strstr(status, "Seccomp:\t2\n"));
    assert_non_null(strstr(status, "CapEff:\t0000000000000000\n"));
    assert_non_null(strstr(status, "CapPrm:\t0000000000000000\n"));
    assert_non_null(strstr(status, "CapInh:\t0000000000000000\n"));
    assert_non_null(strstr(status, "Umask:\t0077\n"));
    assert_non_null(strstr(limits, "Max core file size        0                    0 "));
    assert_null(strstr(environment, "CANARY"));
    assert_non_null(str_after(environment, "PATH="));
    machine_done(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_machine_starts_proves_itself_and_is_killed),
        cmocka_unit_test(test_the_record_of_an_end_is_found_and_cleaned_up),
        cmocka_unit_test(test_the_console_is_told_while_the_machine_runs_and_to_the_next_runner),
        cmocka_unit_test(test_each_end_of_a_guest_is_told_apart_and_its_console_is_kept),
        cmocka_unit_test(test_a_qemu_that_is_killed_from_outside_is_told_with_its_signal),
        cmocka_unit_test(test_a_qemu_that_is_asked_to_end_from_outside_names_who_asked),
        cmocka_unit_test(test_a_qemu_that_fails_at_once_is_told_with_its_last_words),
        cmocka_unit_test(test_a_missing_kernel_ends_the_start_with_a_sentence),
        cmocka_unit_test(test_a_missing_image_or_program_ends_the_start_with_a_sentence),
        cmocka_unit_test(test_pause_and_resume_are_told_also_when_repeated),
        cmocka_unit_test(test_a_hanging_qemu_refuses_in_time_and_can_be_killed),
        cmocka_unit_test(test_a_kvm_that_lies_is_found_out_by_its_outcome),
        cmocka_unit_test(test_qemu_has_the_descriptors_that_it_needs_and_no_other),
        cmocka_unit_test(test_qemu_writes_to_no_file_that_it_was_not_given),
        cmocka_unit_test(test_qemu_can_gain_nothing_dumps_nothing_and_inherits_no_environment),
    };
    test_guard();
    _cleanup_(freep) char *writing = strf("%s/writing-qemu", argc > 1 ? argv[1] : ".");
    _cleanup_(freep) char *kvmless = strf("%s/kvmless-qemu", argc > 1 ? argv[1] : ".");
    writing_qemu = writing;
    kvmless_qemu = kvmless;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
