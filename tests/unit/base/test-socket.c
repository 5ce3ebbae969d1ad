/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "base/socket.h"
#include "tests/unit/test.h"

static void a_socket_below_a_very_long_path_works(void **state)
{
    TestDir d = test_dir_new();
    char name[201] = { 0 };
    memset(name, 'x', 200);
    int deep = dir_make_at(d.fd, name, 0700);
    assert_true(deep >= 0);

    int server = socket_listen_at(deep, "s", SOCK_SEQPACKET);
    assert_true(server >= 0);
    int client = socket_connect_at(deep, "s", SOCK_SEQPACKET);
    assert_true(client >= 0);
    struct stat st;
    assert_int_equal(fstatat(deep, "s", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    safe_close(client);
    safe_close(server);
    assert_int_equal(socket_connect_at(deep, "s", SOCK_SEQPACKET), -ECONNREFUSED);
    assert_int_equal(socket_connect_at(deep, "none", SOCK_SEQPACKET), -ENOENT);
    safe_close(deep);
    test_dir_done(&d);
}

static void packets_keep_their_bounds_and_carry_a_descriptor(void **state)
{
    int pair[2], fd = -1;
    Bytes b = { 0 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);

    assert_success(packet_send(pair[0], "one", 3, STDERR_FILENO));
    assert_success(packet_send(pair[0], "second", 6, -1));
    assert_int_equal(packet_receive(pair[1], 100, &b, &fd), 3);
    assert_true(fd > STDERR_FILENO);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    safe_close(fd);
    assert_int_equal(packet_receive(pair[1], 4, &b, &fd), -EMSGSIZE);
    safe_close(pair[0]);
    assert_int_equal(packet_receive(pair[1], 100, &b, &fd), 0);
    assert_int_equal(fd, -1);
    assert_int_equal(packet_send(pair[1], "x", 1, -1), -EPIPE);
    safe_close(pair[1]);
    bytes_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_below_a_very_long_path_works),
        cmocka_unit_test(packets_keep_their_bounds_and_carry_a_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
