/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/line-splitter.h"
#include "tests/unit/test.h"

/* Lines as "text;", pieces of one as "text+". */
static char seen[256];

static void note(void *userdata, bool partial, const void *data, size_t size)
{
    size_t n = strlen(seen);
    (void)snprintf(seen + n, sizeof seen - n, "%.*s%s", (int)size, (const char *)data, partial ? "+" : ";");
}

static const struct {
    const char *in, *out;
} rows[] = {
    { "one\ntwo\n", "one;two;" },
    { "no end", "no end;" },
    { "\n\n", ";;" },
    { "12345678\n", "12345678;" },
    { "123456789\n", "12345678+9;" },
    { "1234567812345678\n", "12345678+12345678;" },
    { "1234567812345678", "12345678+12345678;" },
    { "12345678123456781\nx\n", "12345678+12345678+1;x;" },
    { "", "" },
};

static void lines_are_the_same_however_they_arrive(void **state)
{
    TABLE_FOREACH (row, rows) {
        for (size_t step = 1; step <= strlen(row->in) + 1; step++) {
            LineSplitter s = { .line_max = 8, .func = note };
            *seen = 0;
            for (size_t i = 0; i < strlen(row->in); i += step)
                assert_success(line_splitter_push(&s, row->in + i, MIN(step, strlen(row->in) - i)));
            line_splitter_finish(&s);
            assert_string_equal(seen, row->out);
        }
    }
}

static void no_more_than_one_piece_is_held_back(void **state)
{
    LineSplitter s = { .line_max = 8, .func = note };

    for (int i = 0; i < 1000; i++) {
        *seen = 0;
        assert_success(line_splitter_push(&s, "abcdefgh", 8));
        assert_true(s.pending.size <= 8);
    }
    line_splitter_finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_same_however_they_arrive),
        cmocka_unit_test(no_more_than_one_piece_is_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
