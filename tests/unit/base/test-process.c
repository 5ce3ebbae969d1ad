/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/process.h"
#include "tests/unit/test.h"

static void wake(int number) {}

static pid_t spawn_waiter(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    assert_true(pid > 0);
    return pid;
}

static void a_recorded_process_is_found_until_it_ends(void **state)
{
    ProcessId id;
    pid_t pid = spawn_waiter();
    assert_success(process_identify(pid, &id));

    int fd = process_open(&id);
    assert_true(fd >= 0);
    assert_false(process_ended(fd));
    assert_success(process_signal(fd, SIGKILL));
    struct pollfd p = { .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_true(process_ended(fd));
    safe_close(fd);

    /* A zombie is gone too, and so is it once it was reaped. */
    assert_int_equal(process_open(&id), -ESRCH);
    waitpid(pid, NULL, 0);
    assert_int_equal(process_open(&id), -ESRCH);
}

/* In a child that is nobody and has a /proc that hides others: 0, or the number of what went wrong; SKIPPED: no such /proc. */
enum { SKIPPED = 77 };
static int look_at_hidden(pid_t pid)
{
    ProcessId id;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", 0, "hidepid=2") < 0 || setresgid(65534, 65534, 65534) < 0 ||
        setresuid(65534, 65534, 65534) < 0)
        return SKIPPED;
    if (process_identify(pid, &id) < 0 || id.start_time != 0)
        return 1;
    _cleanup_(closep) int fd = process_open(&id);
    if (fd < 0 || process_ended(fd))
        return 2;
    /* Whoever has its time knows of no such process. */
    id.start_time = 1;
    if (process_open(&id) != -ESRCH)
        return 3;
    return process_identify(0x3fffffff, &id) == -ESRCH ? 0 : 4;
}

static void a_process_that_is_hidden_is_its_number(void **state)
{
    pid_t pid = spawn_waiter();
    int status;

    pid_t looker = fork();
    assert_true(looker >= 0);
    if (looker == 0)
        _exit(look_at_hidden(pid));
    waitpid(looker, &status, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_int_equal(status, 0);
}

static void the_same_number_is_not_the_same_process(void **state)
{
    ProcessId id;
    pid_t pid = spawn_waiter();
    assert_success(process_identify(pid, &id));

    ProcessId other_time = id, other_boot = id;
    other_time.start_time++;
    other_boot.boot.bytes[0] ^= 1;
    assert_int_equal(process_open(&other_time), -ESRCH);
    assert_int_equal(process_open(&other_boot), -ESRCH);
    assert_int_equal(process_open(&(ProcessId){ 0 }), -ESRCH);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void a_signal_is_heard_when_it_is_handled_or_waited_for(void **state)
{
    sigset_t set;

    assert_false(process_hears(getpid(), SIGUSR1));
    signal(SIGUSR1, wake);
    assert_true(process_hears(getpid(), SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    assert_false(process_hears(getpid(), SIGUSR1));
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    assert_true(process_hears(getpid(), SIGUSR2));
    assert_true(process_hears(getpid(), SIGKILL));
    assert_true(process_hears(4194304 + 1, SIGTERM));
}

static void a_process_that_waits_for_signals_hears_them(void **state)
{
    int ready[2], signal;
    char byte;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_BLOCK, &set, NULL);
        (void)!write(ready[1], "x", 1);
        _exit(sigwait(&set, &signal));
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    /* Before, in and after the wait: at each moment it hears. */
    for (int i = 0; i < 1000; i++)
        assert_true(process_hears(pid, SIGTERM));
    assert_false(process_hears(getpid(), SIGTERM));
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ready[0]);
    close(ready[1]);
}

static void nobody_has_no_identity(void **state)
{
    ProcessId id;
    assert_int_equal(process_identify(4194304 + 1, &id), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_process_is_found_until_it_ends),
        cmocka_unit_test(a_process_that_is_hidden_is_its_number),
        cmocka_unit_test(the_same_number_is_not_the_same_process),
        cmocka_unit_test(a_signal_is_heard_when_it_is_handled_or_waited_for),
        cmocka_unit_test(a_process_that_waits_for_signals_hears_them),
        cmocka_unit_test(nobody_has_no_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
