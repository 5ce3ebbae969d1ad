/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "backends/backend.h"
#include "backends/console.h"

static const struct {
    const char *text;
    const char *decoded; /* NULL: refused */
} rows[] = {
    { "", "" },           { "YQ==", "a" },        { "YWI=", "ab" },
    { "YWJj", "abc" },    { "YWJjZA==", "abcd" }, { "/+//", "\xff\xef\xff" },
    { "YQ=", NULL },      { "YQ", NULL },         { "Y", NULL },
    { "YQ==YQ==", NULL }, { "YQ=\n", NULL },      { "!!!!", NULL },
    { "====", NULL },
};

static void test_base64_is_decoded_or_refused(void **state)
{
    TABLE_FOREACH (row, rows) {
        Bytes b = { 0 };
        int r = base64_decode(row->text, &b);
        if (!row->decoded && r >= 0)
            fail_msg("\"%s\" was taken", row->text);
        if (row->decoded) {
            assert_success(r);
            assert_int_equal(b.size, strlen(row->decoded));
            assert_memory_equal(b.data ?: (const uint8_t *)"", row->decoded, b.size);
        }
        bytes_done(&b);
    }
}

static void keep(const TestDir *d, uint8_t byte)
{
    enum { SIZE = 48 * 1024 };
    _cleanup_(bytes_done) Bytes b = { 0 };

    assert_non_null(bytes_reserve(&b, SIZE));
    memset(b.data, byte, SIZE);
    b.size = SIZE;
    assert_success(console_keep(d->fd, &b));
}

static void test_the_newest_of_the_console_is_kept_within_its_bound(void **state)
{
    TestDir d = test_dir_new();
    Bytes b = { 0 };

    keep(&d, 'a');
    keep(&d, 'z');
    assert_success(file_read_at(d.fd, BACKEND_CONSOLE_FILE, 1024 * 1024, &b));
    assert_int_equal(b.size, BACKEND_CONSOLE_MAX);
    assert_int_equal(b.data[0], 'a');
    assert_int_equal(b.data[b.size - 1], 'z');
    bytes_done(&b);
    test_dir_done(&d);
}

static void test_the_last_panic_is_found_and_escaped(void **state)
{
    static const char text[] =
        "Kernel panic - not syncing: first\nKernel panic - not syncing: se\033cond\r\nend\n";
    TestDir d = test_dir_new();

    assert_null(console_panic(d.fd));
    assert_success(file_replace_at(d.fd, BACKEND_CONSOLE_FILE, text, sizeof text - 1, 0600));
    _cleanup_(freep) char *panic = console_panic(d.fd);
    assert_string_equal(panic, "se\\x1bcond");
    assert_success(file_replace_at(d.fd, BACKEND_CONSOLE_FILE, "x", 1, 0600));
    assert_null(console_panic(d.fd));
    test_dir_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_is_decoded_or_refused),
        cmocka_unit_test(test_the_newest_of_the_console_is_kept_within_its_bound),
        cmocka_unit_test(test_the_last_panic_is_found_and_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
