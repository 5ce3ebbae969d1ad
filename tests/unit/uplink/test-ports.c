/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include "schemas/publish.h"
#include "tests/unit/test.h"
#include "uplink/ports.h"

static int take(int type, uint16_t *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;

    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_success(bind(fd, (struct sockaddr *)&at, sizeof at));
    if (type == SOCK_STREAM)
        assert_success(listen(fd, 1));
    assert_success(getsockname(fd, (struct sockaddr *)&at, &size));
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static int check(const char *text, char **ret_why)
{
    char *publish[] = { (char *)(uintptr_t)text, NULL };

    *ret_why = NULL;
    return ports_check(publish, ret_why);
}

static void a_taken_port_is_named_with_who_has_it(void **state)
{
    static const struct {
        int type;
        const char *protocol;
    } rows[] = { { SOCK_STREAM, "tcp" }, { SOCK_DGRAM, "udp" } };

    TABLE_FOREACH (row, rows) {
        uint16_t port;
        int fd = take(row->type, &port);
        _cleanup_(freep) char *text = strf("127.0.0.1:%u:80/%s", port, row->protocol), *why = NULL,
                              *again = NULL;
        _cleanup_(freep) char *wanted =
            strf("the port 127.0.0.1:%u/%s is taken on this host, by test-uplink-por (process %d)", port,
                 row->protocol, (int)getpid());
        assert_int_equal(check(text, &why), -EADDRINUSE);
        assert_string_equal(why, wanted);
        close(fd);
        assert_success(check(text, &again));
    }
}

static void of_a_range_the_one_that_is_taken_is_named(void **state)
{
    uint16_t port;
    int fd = take(SOCK_STREAM, &port);
    _cleanup_(freep) char *text = strf("%u-%u:80-81", port - 1U, port), *why = NULL,
                          *wanted = strf("the port %u/tcp is taken", port);

    /* The one before may be taken, too; nothing else here can. */
    assert_int_equal(check(text, &why), -EADDRINUSE);
    bool named = strstr(why, wanted);
    close(fd);
    if (!named)
        skip();
}

static void an_address_of_nobody_here_is_named(void **state)
{
    _cleanup_(freep) char *why = NULL;

    assert_int_equal(check("198.51.100.77:8080:80", &why), -EADDRNOTAVAIL);
    assert_string_equal(why,
                        "the port 198.51.100.77:8080/tcp cannot be published: this host has no such address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_taken_port_is_named_with_who_has_it),
        cmocka_unit_test(of_a_range_the_one_that_is_taken_is_named),
        cmocka_unit_test(an_address_of_nobody_here_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
