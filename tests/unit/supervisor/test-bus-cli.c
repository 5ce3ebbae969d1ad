/* SPDX-License-Identifier: Apache-2.0 */
/* `podvisor` of a user who may not use the private socket: it comes by the message bus, and polkit decides. */
#include "cli/exit-status.h"
#include "tests/unit/supervisor/public-bus.h"

typedef struct Outcome {
    int status;
    char said[1024]; /* on both outputs, as far as it fits */
} Outcome;

/* The program has to be where everybody can run it, and the configuration has to name the bus. */
static void offer_podvisor(const Fixture *f)
{
    _cleanup_(freep) char *program = strf("%s/podvisor", getenv("PODVISOR_PROGRAMS"));
    _cleanup_(freep) char *config = strf("bus = \"%s\";\n", f->bus.address);
    Bytes bytes = { 0 };

    assert_success(file_read_at(AT_FDCWD, program, 256 * 1024 * 1024, &bytes));
    _cleanup_(closep) int fd = openat(f->dir.fd, "podvisor", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_success(write_all(fd, bytes.data, bytes.size));
    bytes_done(&bytes);
    write_file(f->dir.fd, "podvisord.conf", config);
}

static _Noreturn void become(const Fixture *f, const char *verb, const char *pod, int out)
{
    _cleanup_(freep) char *program = strf("%s/podvisor", f->dir.path);

    if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 || setgid(NOBODY) < 0 ||
        setuid(NOBODY) < 0)
        _exit(99);
    execl(program, program, "--root", f->dir.path, verb, pod, NULL);
    _exit(98);
}

static Outcome podvisor_as_nobody(const Fixture *f, const char *verb, const char *pod)
{
    Outcome outcome = { 0 };
    int ends[2], status;
    size_t n = 0;
    ssize_t r;

    assert_success(pipe(ends));
    pid_t pid = fork();
    if (pid == 0)
        become(f, verb, pod, ends[1]);
    close(ends[1]);
    while (n < sizeof outcome.said - 1 &&
           (r = read(ends[0], outcome.said + n, sizeof outcome.said - 1 - n)) > 0)
        n += (size_t)r;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
}

#define assert_says(outcome, status_, text)                                                                  \
    do {                                                                                                     \
        Outcome o_ = outcome;                                                                                \
        if (o_.status != (status_) || !strstr(o_.said, text))                                                \
            fail_msg("status %d: %s", o_.status, o_.said);                                                   \
    } while (0)

static void a_user_sees_pods_and_manages_them_as_polkit_allows(void **state)
{
    Fixture *f = *state;

    need_root();
    offer_podvisor(f);
    fake_polkit_start(f->polkit, f->bus.address);
    f->polkit->read = POLKIT_ALLOWS;
    assert_says(podvisor_as_nobody(f, "list", NULL), STATUS_OK, "web");
    assert_says(podvisor_as_nobody(f, "status", "web"), STATUS_WRONG_STATE, "web.pod");
    assert_says(podvisor_as_nobody(f, "status", "absent"), STATUS_NOT_FOUND, "absent");
    assert_says(podvisor_as_nobody(f, "stop", "web"), STATUS_FAILURE, "polkit does not allow");
    assert_int_equal(f->polkit->flags, 0);

    f->polkit->manage = POLKIT_WANTS_A_PASSWORD;
    assert_says(podvisor_as_nobody(f, "stop", "web"), STATUS_FAILURE, "password");
    assert_int_equal(f->polkit->flags, 1);
    f->polkit->manage = POLKIT_ALLOWS;
    assert_says(podvisor_as_nobody(f, "stop", "web"), STATUS_OK, "");
    assert_string_equal(f->polkit->pod, "web");
}

static void what_is_missing_is_said(void **state)
{
    Fixture *f = *state;

    need_root();
    offer_podvisor(f);
    assert_says(podvisor_as_nobody(f, "list", NULL), STATUS_FAILURE, "only root");
    stop(&f->podvisord);
    assert_says(podvisor_as_nobody(f, "list", NULL), STATUS_NO_DAEMON, "not on the message bus");
    bus_daemon_stop(&f->bus);
    assert_says(podvisor_as_nobody(f, "list", NULL), STATUS_NO_DAEMON, "cannot be connected to");
}

static void a_user_without_a_bus_is_told_of_the_socket(void **state)
{
    Fixture *f = *state;

    need_root();
    offer_podvisor(f);
    write_file(f->dir.fd, "podvisord.conf", "bus = \"no\";\n");
    assert_says(podvisor_as_nobody(f, "list", NULL), STATUS_NO_DAEMON, "may not be used by this user");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_sees_pods_and_manages_them_as_polkit_allows),
        TEST(what_is_missing_is_said),
        TEST(a_user_without_a_bus_is_told_of_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
