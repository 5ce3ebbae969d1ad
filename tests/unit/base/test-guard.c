/* SPDX-License-Identifier: Apache-2.0 */
/* The guard of tests that launch others (tests/unit/guard.h): what a test leaves is gone when it has ended. */
#include "tests/unit/guard.h"
#include "tests/unit/test.h"

/* A process in a session of its own, whose parent has ended: as a runner is, or a machine. Returns its number. */
static pid_t leave_behind(void)
{
    int ends[2];
    pid_t left = 0;

    assert_success(pipe(ends));
    pid_t parent = fork();
    if (parent == 0) {
        pid_t child = fork();
        if (child == 0) {
            (void)setsid();
            for (;;)
                pause();
        }
        _exit(write(ends[1], &child, sizeof child) != sizeof child);
    }
    assert_int_equal(read(ends[0], &left, sizeof left), sizeof left);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    close(ends[0]);
    close(ends[1]);
    return left;
}

/* A test program as it ends: how, is what the function does. Its exit status; *ret_left is what it left behind. */
static int guarded(int (*end)(void), pid_t *ret_left)
{
    int ends[2], status;

    assert_success(pipe(ends));
    pid_t pid = fork();
    if (pid == 0) {
        test_guard();
        pid_t left = leave_behind();
        _exit(write(ends[1], &left, sizeof left) == sizeof left ? end() : 98);
    }
    assert_int_equal(read(ends[0], ret_left, sizeof *ret_left), sizeof *ret_left);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(ends[0]);
    close(ends[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int end_well(void)
{
    return 0;
}

static int end_badly(void)
{
    return 3;
}

static int end_by_signal(void)
{
    (void)kill(getpid(), SIGKILL);
    return 0;
}

/* As meson does when its patience is over. */
static int end_by_signal_to_guardian(void)
{
    (void)kill(getppid(), SIGTERM);
    return pause();
}

static void nothing_outlives_a_test_however_it_ends(void **state)
{
    static const struct {
        int (*end)(void);
        int status;
    } rows[] = {
        { end_well, 0 },
        { end_badly, 3 },
        { end_by_signal, 128 + SIGKILL },
        { end_by_signal_to_guardian, 128 + SIGKILL },
    };

    TABLE_FOREACH (row, rows) {
        pid_t left = 0;
        assert_int_equal(guarded(row->end, &left), row->status);
        assert_true(left > 0);
        assert_int_equal(kill(left, 0), -1);
        assert_int_equal(errno, ESRCH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_outlives_a_test_however_it_ends) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
