/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets no network. With real units: tests/host/systemd/test-network.py. */
#include <sys/socket.h>

#include "supervisor/uplink-door.h"
#include "tests/unit/test.h"

static const Paths nowhere = { .run = (char *)(uintptr_t) "/nonexistent" };

static void a_process_of_no_pod_is_refused_with_the_reason(void **state)
{
    _cleanup_(freep) char *pod = NULL, *why = NULL;
    _cleanup_(freep) char *wanted = strf("process %d is not of a pod's unit", (int)getpid());
    UplinkBegin begin;
    int pair[2];

    assert_success(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
    assert_int_equal(uplink_door_admit(&nowhere, pair[0], &begin, &pod, &why), -EACCES);
    assert_null(pod);
    assert_string_equal(why, wanted);
    safe_close(pair[0]);
    safe_close(pair[1]);
}

static void what_is_no_socket_is_refused(void **state)
{
    _cleanup_(freep) char *pod = NULL, *why = NULL;
    _cleanup_(closep) int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    UplinkBegin begin;

    assert_int_equal(uplink_door_admit(&nowhere, fd, &begin, &pod, &why), -EACCES);
    assert_non_null(why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_of_no_pod_is_refused_with_the_reason),
        cmocka_unit_test(what_is_no_socket_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
