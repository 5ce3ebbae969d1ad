/* SPDX-License-Identifier: Apache-2.0 */
/* What every launcher must keep. The program that is launched is this one. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "supervisor/launcher.h"
#include "tests/unit/guard.h"
#include "tests/unit/test.h"

static Launcher *make_direct(void)
{
    Launcher *l;
    assert_success(launcher_direct_new(&l));
    return l;
}
static Launcher *(*const makers[])(void) = { make_direct };

/* --- the launched one ------------------------------------------------------------------------------------------- */

static int count_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    for (struct dirent *e; (e = readdir(d));)
        n += *e->d_name != '.';
    closedir(d);
    return n - 1;
}

static bool signals_are_clean(void)
{
    struct sigaction action;
    sigset_t blocked;

    if (sigprocmask(SIG_BLOCK, NULL, &blocked) < 0)
        return false;
    for (int i = 1; i < 32; i++)
        if (sigismember(&blocked, i) > 0 ||
            (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN))
            return false;
    return true;
}

/* Exit status: 0, or the first promise that was broken. */
static int launched(int argc, char **argv)
{
    if (argc != 5 || !streq(argv[1], "--run-path") || !streq(argv[2], "/run/path") ||
        !streq(argv[3], "--log-level") || !streq(argv[4], "debug"))
        return 1;
    if (count_descriptors() != 3)
        return 2;
    if (getsid(0) != getpid())
        return 3;
    if (!signals_are_clean())
        return 4;
    return getenv("PODVISOR_ROOT") ? 5 : 0;
}

/* --- the promises ----------------------------------------------------------------------------------------------- */

static const LaunchRequest request = {
    .name = "web", .program = "/proc/self/exe", .run_path = "/run/path", .log_level = "debug"
};

static void await_end(int pidfd)
{
    struct pollfd p = { .fd = pidfd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 30000), 1);
}

static void a_runner_gets_its_path_and_nothing_else(void **state)
{
    TABLE_FOREACH (maker, makers) {
        Launcher *l = (*maker)();
        int pidfd, code, status, leaked = dup(STDERR_FILENO);
        sigset_t set;
        ProcessId id;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        assert_success(sigprocmask(SIG_BLOCK, &set, NULL));
        assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        assert_success(setenv("PODVISOR_ROOT", "/somewhere", 1));

        assert_int_equal(l->ops->launch(l, &request, &id, &pidfd), 1);
        assert_true(id.pid > 0 && id.start_time > 0);
        await_end(pidfd);
        assert_success(l->ops->reap(l, pidfd, &code, &status));
        assert_int_equal(code, CLD_EXITED);
        assert_int_equal(status, 0);

        close(pidfd);
        close(leaked);
        launcher_free(l);
    }
}

static void a_program_that_is_not_there_is_an_error_and_no_process(void **state)
{
    const LaunchRequest missing = { "/nowhere/podvisor-runner-none", "/run/path", "debug" };

    TABLE_FOREACH (maker, makers) {
        Launcher *l = (*maker)();
        ProcessId id;
        int pidfd;

        assert_int_equal(l->ops->launch(l, &missing, &id, &pidfd), -ENOENT);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        launcher_free(l);
    }
}

static void without_descriptors_nothing_is_started(void **state)
{
    TABLE_FOREACH (maker, makers) {
        Launcher *l = (*maker)();
        int taken[4096], n = 0, pidfd;
        ProcessId id;

        while (n < (int)ELEMENTSOF(taken) && (taken[n] = dup(STDERR_FILENO)) >= 0)
            n++;
        if (n < (int)ELEMENTSOF(taken)) {
            assert_int_equal(l->ops->launch(l, &request, &id, &pidfd), -EMFILE);
            assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        }
        while (n > 0)
            close(taken[--n]);
        launcher_free(l);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_runner_gets_its_path_and_nothing_else),
        cmocka_unit_test(a_program_that_is_not_there_is_an_error_and_no_process),
        cmocka_unit_test(without_descriptors_nothing_is_started),
    };
    if (argc > 1)
        return launched(argc, argv);
    test_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
