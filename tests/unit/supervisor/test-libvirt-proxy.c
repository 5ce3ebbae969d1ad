/* SPDX-License-Identifier: Apache-2.0 */
/* Who is not let through to libvirt, and where libvirt is looked for. With real units: tests/host/systemd/test-libvirt.py. */
#include "base/socket.h"
#include "supervisor/libvirt-proxy.h"
#include "tests/unit/test.h"

static void a_process_of_no_pod_is_refused_with_the_reason(void **state)
{
    _cleanup_(freep) char *pod = NULL, *why = NULL;
    _cleanup_(freep) char *wanted = strf("process %d is not of a pod's unit", (int)getpid());
    const Paths paths = { .run = (char *)(uintptr_t) "/nonexistent" };
    int pair[2];

    assert_success(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    assert_int_equal(libvirt_proxy_admit(&paths, pair[0], &pod, &why), -EACCES);
    assert_null(pod);
    assert_string_equal(why, wanted);
    safe_close(pair[0]);
    safe_close(pair[1]);
}

static void what_is_no_socket_is_refused(void **state)
{
    _cleanup_(freep) char *pod = NULL, *why = NULL;
    const Paths paths = { .run = (char *)(uintptr_t) "/nonexistent" };
    _cleanup_(closep) int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    assert_int_equal(libvirt_proxy_admit(&paths, fd, &pod, &why), -EACCES);
    assert_non_null(why);
}

static void the_first_daemon_that_listens_is_taken(void **state)
{
    TestDir d = test_dir_new();
    _cleanup_(freep) char *one = strf("%s/one", d.path), *two = strf("%s/two", d.path);
    const char *const sockets[] = { one, two, NULL };

    assert_int_equal(libvirt_proxy_connect(sockets), -ENOENT);
    /* One that was there, and has ended. */
    safe_close(socket_listen_at(d.fd, "one", SOCK_STREAM));
    const char *const gone[] = { one, NULL };
    assert_int_equal(libvirt_proxy_connect(gone), -ECONNREFUSED);
    _cleanup_(closep) int listener = socket_listen_at(d.fd, "two", SOCK_STREAM);
    assert_success(listener);
    _cleanup_(closep) int fd = libvirt_proxy_connect(sockets);
    assert_success(fd);
    _cleanup_(closep) int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_success(peer);
    test_dir_done(&d);
}

static void a_path_that_is_too_long_is_told(void **state)
{
    char path[200];
    const char *const sockets[] = { path, NULL };

    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    assert_int_equal(libvirt_proxy_connect(sockets), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_of_no_pod_is_refused_with_the_reason),
        cmocka_unit_test(what_is_no_socket_is_refused),
        cmocka_unit_test(the_first_daemon_that_listens_is_taken),
        cmocka_unit_test(a_path_that_is_too_long_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
