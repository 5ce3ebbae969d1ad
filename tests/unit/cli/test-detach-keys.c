/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "cli/detach-keys.h"
#include "tests/unit/test.h"

static void keys_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *text, *keys;
    } rows[] = {
        { "ctrl-p,ctrl-q", "\x10\x11" }, { "a", "a" },
        { "ctrl-A,Z,0", "\1Z0" },        { "", "" },
        { "ctrl-],ctrl-[", "\x1d\x1b" }, { "c,t", "ct" },
        { "ctrl-^,ctrl-_", "\x1e\x1f" }, { "a,b,c,d,e,f,g,h", "abcdefgh" },
    };
    DetachKeys k;

    TABLE_FOREACH (row, rows) {
        assert_success(detach_keys_parse(row->text, &k));
        assert_int_equal(k.n, strlen(row->keys));
        assert_memory_equal(k.keys, row->keys, k.n);
    }
    assert_success(detach_keys_parse("ctrl-@", &k));
    assert_int_equal(k.keys[0], 0);
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const texts[] = {
        ",",        "a,",
        ",a",       "a,,b",
        "ab",       "ctrl-",
        "ctrl",     "ctrl-,a",
        "ctrl-pq",  "ctrl-1",
        "Ctrl-p",   "alt-p",
        "ctrl-p q", "\x10",
        "\xc3\xb6", "ctrl-\xc3\xb6",
        " ",        "*",
        "ctrl-*",   "ctrl-\\",
        "ctrl--",   "a,b,c,d,e,f,g,h,i",
    };
    DetachKeys k = { .n = 7 };

    TABLE_FOREACH (text, texts) {
        if (detach_keys_parse(*text, &k) != -EINVAL)
            fail_msg("\"%s\" is taken for keys", *text);
        assert_int_equal(k.n, 7);
    }
}

/* Types text in pieces of `step` bytes: what came out, and whether the keys were among it. */
static bool type(DetachKeys *k, const char *text, size_t step, Bytes *to)
{
    for (size_t i = 0, size = strlen(text); i < size; i += step) {
        int r = detach_keys_take(k, (const uint8_t *)text + i, MIN(step, size - i), to);
        assert_true(r >= 0);
        if (r > 0)
            return true;
    }
    return false;
}

static void what_is_typed_comes_out_in_order_up_to_the_keys(void **state)
{
    static const struct {
        const char *keys, *typed, *out, *rest; /* rest NULL: the keys were typed */
    } rows[] = {
        { "a,b", "xxabyy", "xx", NULL },
        { "a,b", "aab", "a", NULL },
        { "a,b", "a", "", "a" },
        { "a,b", "axb", "axb", "" },
        { "a,a,b", "aaaab", "aa", NULL },
        { "a,a,b,a,a,c", "aabaabaac", "aab", NULL },
        { "a,b,a,c", "ababac", "ab", NULL },
        { "a,b,a,c", "ababab", "abab", "ab" },
        { "a,a,a", "bbaab", "bbaab", "" },
        { "q", "text q", "text ", NULL },
        { "", "anything", "anything", "" },
    };

    TABLE_FOREACH (row, rows)
        for (size_t step = 1; step <= strlen(row->typed); step++) {
            Bytes out = { 0 };
            DetachKeys k;
            assert_success(detach_keys_parse(row->keys, &k));
            assert_int_equal(type(&k, row->typed, step, &out), !row->rest);
            assert_int_equal(out.size, strlen(row->out));
            assert_memory_equal(out.data ?: (uint8_t *)"", row->out, out.size);
            out.size = 0;
            if (row->rest) {
                assert_success(detach_keys_rest(&k, &out));
                assert_int_equal(out.size, strlen(row->rest));
                assert_memory_equal(out.data ?: (uint8_t *)"", row->rest, out.size);
            }
            bytes_done(&out);
        }
}

/* The keys are found where a search finds them, and not a byte is lost or made, whatever is typed of two letters. */
static void every_text_of_two_letters_is_taken_as_a_search_would(void **state)
{
    enum { LENGTH = 10 };
    static const char *const keys[] = { "a,b", "a,a", "a,b,a", "a,a,b", "a,b,a,b", "a,b,b,a" };

    TABLE_FOREACH (text, keys)
        for (unsigned bits = 0; bits < 1u << LENGTH; bits++) {
            char typed[LENGTH + 1] = { 0 }, sought[DETACH_KEYS_MAX + 1] = { 0 };
            Bytes out = { 0 };
            DetachKeys k;
            for (int i = 0; i < LENGTH; i++)
                typed[i] = bits >> i & 1 ? 'b' : 'a';
            assert_success(detach_keys_parse(*text, &k));
            memcpy(sought, k.keys, k.n);
            const char *found = strstr(typed, sought);
            assert_int_equal(type(&k, typed, 3, &out), found != NULL);
            if (!found)
                assert_success(detach_keys_rest(&k, &out));
            assert_int_equal(out.size, found ? (size_t)(found - typed) : LENGTH);
            assert_memory_equal(out.data ?: (uint8_t *)"", typed, out.size);
            bytes_done(&out);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_as_people_write_them),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(what_is_typed_comes_out_in_order_up_to_the_keys),
        cmocka_unit_test(every_text_of_two_letters_is_taken_as_a_search_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
