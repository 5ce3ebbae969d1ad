/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

static void escaping_leaves_no_control_bytes_and_keeps_utf8(void **state)
{
    static const struct {
        const char *in;
        size_t size;
        const char *out;
    } rows[] = {
        { "plain", 5, "plain" },
        { "a\nb\x1b[31m", 8, "a\\x0ab\\x1b[31m" },
        { "gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f" },
        { "\xc3", 1, "\\xc3" },
        { "\xc2\x9b", 2, "\\xc2\\x9b" },
        { "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" },
        { "a\0b", 3, "a\\x00b" },
        { "back\\slash", 10, "back\\x5cslash" },
        { "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80" },
        { "", 0, "" },
    };
    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *escaped = str_escape(row->in, row->size);
        assert_string_equal(escaped, row->out);
    }
}

static void numbers_are_whole_and_fit(void **state)
{
    uint64_t n = 7;

    assert_int_equal(parse_unsigned("18446744073709551615", &n), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(parse_unsigned("18446744073709551616", &n), -ERANGE);
    assert_int_equal(parse_unsigned("", &n), -EINVAL);
    assert_int_equal(parse_unsigned("1 ", &n), -EINVAL);
    assert_int_equal(parse_unsigned("-1", &n), -EINVAL);
}

static void suggestions_are_near_or_none(void **state)
{
    static const char *const words[] = { "memory", "containers", "cpus", "restart" };

    assert_string_equal(str_suggest("memroy", words, 4), "memory");
    assert_string_equal(str_suggest("container", words, 4), "containers");
    assert_string_equal(str_suggest("cpu", words, 4), "cpus");
    assert_string_equal(str_suggest("RESTART", words, 4), "restart");
    assert_null(str_suggest("network", words, 4));
    assert_null(str_suggest("x", words, 4));
}

static void short_words_that_only_look_alike_are_not_suggested(void **state)
{
    static const char *const keys[] = { "image", "name", "user", "mounts", "limits", "ready" };
    static const char *const unlike[] = { "type", "size", "run", "node", "page", "same-as", "read-write" };

    TABLE_FOREACH (word, unlike)
        assert_null(str_suggest(*word, keys, ELEMENTSOF(keys)));
    assert_string_equal(str_suggest("usre", keys, ELEMENTSOF(keys)), "user");
    assert_string_equal(str_suggest("nam", keys, ELEMENTSOF(keys)), "name");
}

static void the_beginning_of_one_word_is_meant_for_it(void **state)
{
    static const char *const keys[] = { "memory", "environment", "restart", "restarts" };

    assert_string_equal(str_suggest("env", keys, 4), "environment");
    assert_string_equal(str_suggest("mem", keys, 4), "memory");
    assert_null(str_suggest("rest", keys, 4));
    assert_null(str_suggest("me", keys, 4));
}

static void strvs_grow_join_and_split(void **state)
{
    _cleanup_(strv_freep) char **v = strv_split(" a  b c", " ");

    assert_int_equal(strv_length(v), 3);
    assert_success(strv_appendf(&v, "%d", 4));
    _cleanup_(freep) char *joined = strv_join(v, ",");
    assert_string_equal(joined, "a,b,c,4");
    _cleanup_(strv_freep) char **copy = strv_copy(v);
    assert_true(strv_equal(copy, v));
    assert_false(strv_equal(copy, NULL));
    assert_true(strv_contains(v, "c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escaping_leaves_no_control_bytes_and_keeps_utf8),
        cmocka_unit_test(numbers_are_whole_and_fit),
        cmocka_unit_test(suggestions_are_near_or_none),
        cmocka_unit_test(short_words_that_only_look_alike_are_not_suggested),
        cmocka_unit_test(the_beginning_of_one_word_is_meant_for_it),
        cmocka_unit_test(strvs_grow_join_and_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
