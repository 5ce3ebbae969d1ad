/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "base/program.h"

#define PATIENCE (60 * USEC_PER_SEC)

static int shell(const char *script, bool errors, usec_t timeout, size_t max, Bytes *ret)
{
    char *arguments[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script,
                          NULL };

    return program_read(arguments, errors, timeout, max, ret);
}

static void assert_says(const char *script, bool errors, const char *wanted)
{
    Bytes said = { 0 };

    assert_success(shell(script, errors, PATIENCE, 100, &said));
    assert_success(bytes_terminate(&said));
    assert_string_equal((char *)said.data, wanted);
    bytes_done(&said);
}

static void test_what_it_prints_is_taken(void **state)
{
    assert_says("echo one; echo two >&2", false, "one\n");
    assert_says("echo two >&2", true, "two\n");
    assert_says("exit 7", true, "");
    assert_says("read x; echo \"<$x>\"", false, "<>\n");
}

static void test_it_learns_nothing_of_our_environment(void **state)
{
    assert_int_equal(setenv("PODVISOR_TEST", "secret", true), 0);
    assert_says("echo \"<$PODVISOR_TEST> $LC_ALL\"", false, "<> C.UTF-8\n");
}

static void test_it_may_not_say_more_than_the_bound(void **state)
{
    Bytes said = { 0 };

    assert_int_equal(shell("while :; do echo 0123456789; done", false, PATIENCE, 1000, &said), -EFBIG);
    assert_null(said.data);
    assert_success(shell("printf 0123456789", false, PATIENCE, 10, &said));
    bytes_done(&said);
}

static void test_it_has_no_more_time_than_it_is_given(void **state)
{
    Bytes said = { 0 };

    assert_int_equal(shell("echo one; exec sleep 1000", false, 50 * USEC_PER_MSEC, 100, &said), -ETIMEDOUT);
    assert_null(said.data);
}

static void test_a_program_that_is_not_there_is_told(void **state)
{
    char *arguments[] = { (char *)(uintptr_t) "/nonexistent/program", NULL }, *line = NULL;
    Bytes said = { 0 };

    assert_int_equal(program_read(arguments, false, PATIENCE, 100, &said), -ENOENT);
    assert_int_equal(program_first_line("/nonexistent/program", "-v", PATIENCE, &line), -ENOENT);
    assert_int_equal(program_first_line("/dev/null", "-v", PATIENCE, &line), -EACCES);
}

static void test_the_first_line_is_without_its_end(void **state)
{
    char *line = NULL;

    assert_success(program_first_line("/bin/echo", "one\ntwo", PATIENCE, &line));
    assert_string_equal(line, "one");
    free(line);
    line = NULL;
    assert_int_equal(program_first_line("/bin/true", "-", PATIENCE, &line), -ENODATA);
    assert_int_equal(program_first_line("/bin/echo", "\none", PATIENCE, &line), -ENODATA);
    assert_null(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_prints_is_taken),
        cmocka_unit_test(test_it_learns_nothing_of_our_environment),
        cmocka_unit_test(test_it_may_not_say_more_than_the_bound),
        cmocka_unit_test(test_it_has_no_more_time_than_it_is_given),
        cmocka_unit_test(test_a_program_that_is_not_there_is_told),
        cmocka_unit_test(test_the_first_line_is_without_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
