/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "guest/agent/probe-http.h"
#include "tests/unit/test.h"

static void check_request(const ProbeDefinition *d, const char *expected)
{
    _cleanup_(bytes_done) Bytes request = { 0 };
    ProbeUrl url;

    assert_success(probe_url_parse(d->http, &url));
    assert_success(http_request(d, &url, &request));
    assert_success(bytes_terminate(&request));
    assert_string_equal((char *)request.data, expected);
}

static void a_request_says_what_a_server_wants_to_know(void **state)
{
    ProbeDefinition d = { .http = (char[]){ "http://:8080/health" } };

    check_request(&d, "GET /health HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: podvisor-probe\r\n"
                      "Accept: */*\r\nConnection: close\r\n\r\n");
}

static void declared_headers_take_the_place_of_the_usual_ones(void **state)
{
    char *headers[] = { (char[]){ "host=www" }, (char[]){ "ACCEPT=text/plain" }, (char[]){ "X=" },
                        (char[]){ "Bad=a\nb" }, NULL };
    ProbeDefinition d = { .http = (char[]){ "http://[::1]:80" }, .headers = headers };

    check_request(&d, "GET / HTTP/1.1\r\nhost: www\r\nACCEPT: text/plain\r\nX: \r\n"
                      "User-Agent: podvisor-probe\r\nConnection: close\r\n\r\n");
}

static void a_status_is_read_from_the_first_line_alone(void **state)
{
    static const struct {
        const char *answer;
        int result;
        unsigned status;
    } rows[] = {
        { "HTTP/1.1 200 OK\r\nrest", 1, 200 },
        { "HTTP/1.0 404\n", 1, 404 },
        { "HTTP/2.0 503 \n", 1, 503 },
        { "HTTP/1.1 200 OK", 0, 0 },
        { "", 0, 0 },
        { "\n", -EBADMSG, 0 },
        { "HTTP/1.1 2000\n", -EBADMSG, 0 },
        { "HTTP/1.1 20x OK\n", -EBADMSG, 0 },
        { "HTTP/1.1  200 OK\n", -EBADMSG, 0 },
        { "220 smtp ready\r\n", -EBADMSG, 0 },
        { "http/1.1 200 OK\n", -EBADMSG, 0 },
    };
    TABLE_FOREACH (row, rows) {
        unsigned status = 0;
        assert_int_equal(http_status_parse(row->answer, strlen(row->answer), &status), row->result);
        assert_int_equal(status, row->status);
    }
}

static void every_cut_and_changed_byte_of_an_answer_is_survived(void **state)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\n";
    unsigned status;

    for (size_t size = 0; size < sizeof answer - 1; size++) {
        /* A copy of exactly that size, so that a step beyond it is seen. */
        char *copy = malloc(size + 1);
        assert_non_null(copy);
        for (int byte = 0; byte < 256; byte++) {
            memcpy(copy, answer, size);
            if (size > 0)
                copy[size - 1] = (char)byte;
            int r = http_status_parse(copy, size, &status);
            assert_true(r == 0 || r == 1 || r == -EBADMSG);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_what_a_server_wants_to_know),
        cmocka_unit_test(declared_headers_take_the_place_of_the_usual_ones),
        cmocka_unit_test(a_status_is_read_from_the_first_line_alone),
        cmocka_unit_test(every_cut_and_changed_byte_of_an_answer_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
