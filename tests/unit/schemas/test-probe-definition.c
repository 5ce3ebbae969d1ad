/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "schemas/probe-definition.h"
#include "tests/unit/test.h"

static void addresses_are_numbers_and_never_looked_up(void **state)
{
    static const struct {
        const char *text, *address;
        uint16_t port;
    } rows[] = {
        { ":80", "127.0.0.1", 80 },
        { "localhost:1", "127.0.0.1", 1 },
        { "10.0.0.7:65535", "10.0.0.7", 65535 },
        { "[::1]:443", "::1", 443 },
    };
    TABLE_FOREACH (row, rows) {
        ProbeAddress a;
        char text[INET6_ADDRSTRLEN];
        assert_success(probe_address_parse(row->text, &a));
        assert_string_equal(inet_ntop(a.family, a.address, text, sizeof text), row->address);
        assert_int_equal(a.port, row->port);
    }
}

static void other_addresses_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        ":",
        "80",
        ":0",
        ":65536",
        ":+1",
        ": 80",
        ":80 ",
        "a.org:80",
        "[::1:80",
        "::1:80",
        "[::1]80",
        "[]:80",
        "1.2.3:80",
        "[1.2.3.4]:80",
        ":99999999999",
        "[::1]:",
        ":80:80:80",
        "local:1",
        "localhos:1",
        "[fe80::1%eth0]:80",
    };
    TABLE_FOREACH (row, rows)
        if (probe_address_parse(*row, &(ProbeAddress){ 0 }) != -EINVAL)
            fail_msg("%s is accepted", *row);
}

static void a_url_has_a_path_even_when_it_says_none(void **state)
{
    ProbeUrl url;

    assert_success(probe_url_parse("http://[::1]:8080/a?b=c", &url));
    assert_string_equal(url.path, "/a?b=c");
    assert_int_equal(url.host_size, strlen("[::1]:8080"));
    assert_int_equal(url.address.port, 8080);
    assert_success(probe_url_parse("http://:80", &url));
    assert_string_equal(url.path, "/");
}

static void a_url_cannot_bring_a_request_of_its_own(void **state)
{
    static const char *const rows[] = {
        "http://:80/ HTTP/1.1", "http://:80/\r\nHost: x", "http://:80/#x", "HTTP://:80/", "http:/:80/",
        "http://:80/\x7f",      "http://:80/\xc3\xa9",    "http://u@:80/", "http://",     "",
    };
    TABLE_FOREACH (row, rows)
        if (probe_url_parse(*row, &(ProbeUrl){ 0 }) != -EINVAL)
            fail_msg("%s is accepted", *row);
}

static void a_status_is_one_or_a_range(void **state)
{
    static const char *const bad[] = {
        "", "20", "2000", "099", "399-200", "200-", "-200", "200-399-", "2xx"
    };
    unsigned min, max;

    assert_success(probe_status_parse("204", &min, &max));
    assert_int_equal(min, 204);
    assert_int_equal(max, 204);
    assert_success(probe_status_parse("200-399", &min, &max));
    assert_int_equal(max, 399);
    TABLE_FOREACH (text, bad)
        assert_int_equal(probe_status_parse(*text, &min, &max), -EINVAL);
}

static void a_header_stays_on_its_line(void **state)
{
    assert_true(probe_header_valid("X-Probe=yes, it is"));
    assert_true(probe_header_valid("X="));
    assert_false(probe_header_valid("X=a\r\nY: b"));
    assert_false(probe_header_valid("X Y=a"));
    assert_false(probe_header_valid("=a"));
    assert_false(probe_header_valid("X"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_numbers_and_never_looked_up),
        cmocka_unit_test(other_addresses_are_refused),
        cmocka_unit_test(a_url_has_a_path_even_when_it_says_none),
        cmocka_unit_test(a_url_cannot_bring_a_request_of_its_own),
        cmocka_unit_test(a_status_is_one_or_a_range),
        cmocka_unit_test(a_header_stays_on_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
