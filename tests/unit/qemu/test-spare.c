/* SPDX-License-Identifier: Apache-2.0 */
/* Who ends a spare, and who may not: with processes that do nothing but hold the lock. */
#include "tests/unit/test.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "backends/qemu/spare.h"

typedef struct TestSpare {
    TestDir dir;
    int spare, pod; /* directories */
    pid_t pid;      /* holds the lock */
} TestSpare;

/* Returns when it has the lock. */
static pid_t holder_new(int directory)
{
    int pipes[2];
    char word;

    assert_success(pipe(pipes));
    pid_t pid = fork();
    if (pid == 0) {
        int lock = file_open_at(directory, VMM_LOCK_FILE, O_RDWR | O_CREAT, 0600);
        if (flock(lock, LOCK_EX | LOCK_NB) < 0 || write(pipes[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    assert_int_equal(read(pipes[0], &word, 1), 1);
    close(pipes[0]);
    close(pipes[1]);
    return pid;
}

static TestSpare spare_new(void)
{
    TestSpare t = { .dir = test_dir_new_in_memory() };

    t.spare = dir_make_at(t.dir.fd, SPARE_PREFIX "0", 0700);
    t.pod = dir_make_at(t.dir.fd, "vm", 0700);
    assert_true(t.spare >= 0 && t.pod >= 0);
    t.pid = holder_new(t.spare);
    return t;
}

static bool lives(const TestSpare *t)
{
    return waitpid(t->pid, NULL, WNOHANG) == 0;
}

static bool exists(int directory, const char *name)
{
    return faccessat(directory, name, F_OK, 0) == 0;
}

static void spare_done(TestSpare *t)
{
    if (lives(t)) {
        (void)kill(t->pid, SIGKILL);
        (void)waitpid(t->pid, NULL, 0);
    }
    safe_close(t->spare);
    safe_close(t->pod);
    test_dir_done(&t->dir);
}

static void test_a_spare_that_nobody_has_taken_is_ended_once(void **state)
{
    TestSpare t = spare_new();

    assert_int_equal(spare_end(t.spare), 1);
    assert_false(exists(t.spare, VMM_LOCK_FILE));
    assert_int_equal(spare_end(t.spare), 0);
    assert_false(lives(&t));
    spare_done(&t);
}

static void test_a_spare_that_a_pod_has_taken_lives_on(void **state)
{
    TestSpare t = spare_new();

    assert_success(renameat(t.spare, VMM_LOCK_FILE, t.pod, VMM_LOCK_FILE));
    assert_int_equal(spare_end(t.spare), 0);
    assert_true(lives(&t));
    assert_int_equal(vmm_is_locked(t.pod), 1);
    assert_int_equal(vmm_lock_holder(t.pod, VMM_LOCK_FILE), t.pid);
    spare_done(&t);
}

static void test_a_spare_that_is_being_ended_cannot_be_taken(void **state)
{
    TestSpare t = spare_new();

    assert_int_equal(spare_end(t.spare), 1);
    assert_int_equal(renameat(t.spare, VMM_LOCK_FILE, t.pod, VMM_LOCK_FILE), -1);
    assert_int_equal(vmm_is_locked(t.pod), 0);
    spare_done(&t);
}

/* Killed between the two. */
static void test_who_has_ended_it_by_half_is_followed_by_another(void **state)
{
    TestSpare t = spare_new();

    assert_success(renameat(t.spare, VMM_LOCK_FILE, t.spare, "ended"));
    assert_int_equal(spare_end(t.spare), 1);
    assert_false(lives(&t));
    spare_done(&t);
}

static void test_a_sweep_leaves_those_that_have_a_guardian(void **state)
{
    TestSpare t = spare_new();
    int guardian = dir_open_at(t.dir.fd, SPARE_PREFIX "0");

    assert_success(flock(guardian, LOCK_EX | LOCK_NB));
    spare_sweep(t.dir.path);
    assert_true(lives(&t));
    safe_close(guardian);
    spare_sweep(t.dir.path);
    assert_false(lives(&t));
    assert_false(exists(t.dir.fd, SPARE_PREFIX "0"));
    assert_true(exists(t.dir.fd, "vm"));
    spare_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_spare_that_nobody_has_taken_is_ended_once),
        cmocka_unit_test(test_a_spare_that_a_pod_has_taken_lives_on),
        cmocka_unit_test(test_a_spare_that_is_being_ended_cannot_be_taken),
        cmocka_unit_test(test_who_has_ended_it_by_half_is_followed_by_another),
        cmocka_unit_test(test_a_sweep_leaves_those_that_have_a_guardian),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
