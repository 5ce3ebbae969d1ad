/* SPDX-License-Identifier: Apache-2.0 */
/* What a line says of its importance, in the ways that programs say it; and lines that only look as if they did. */
#include <syslog.h>

#include "runner/log-line.h"
#include "tests/unit/test.h"

static const struct {
    LogSyntax format;
    const char *line;
    int level; /* LOG_INFO: as it was given */
    size_t skip;
    const char *text;
} rows[] = {
    { LOG_SYNTAX_TEXT, "hello", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_TEXT, "<3>broken", LOG_ERR, 3, NULL },
    { LOG_SYNTAX_TEXT, "<8>no priority", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_TEXT, "<3", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_TEXT, "<html>", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_TEXT, "", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_TEXT, "{\"level\":\"error\",\"msg\":\"a\"}", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_RAW, "<3>as it is", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_JSON, "{\"level\":\"error\",\"msg\":\"a\"}", LOG_ERR, 0, "a" },
    { LOG_SYNTAX_JSON, "{\"severity\":\"WARNING\",\"message\":\"b\\nc\"}", LOG_WARNING, 0, "b\nc" },
    { LOG_SYNTAX_JSON, "{\"level\":50,\"msg\":\"of pino\"}", LOG_ERR, 0, "of pino" },
    { LOG_SYNTAX_JSON, "{\"level\":30,\"msg\":\"of pino\"}", LOG_INFO, 0, "of pino" },
    { LOG_SYNTAX_JSON, "{\"PRIORITY\":\"2\",\"MESSAGE\":\"m\"}", LOG_CRIT, 0, "m" },
    { LOG_SYNTAX_JSON, "{\"level\":{},\"msg\":[]}", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_JSON, "{\"level\":\"loud\",\"msg\":\"d\"}", LOG_INFO, 0, "d" },
    { LOG_SYNTAX_JSON, "{\"level\":\"error\"}", LOG_ERR, 0, NULL },
    { LOG_SYNTAX_JSON, "<4>{\"msg\":\"e\"}", LOG_WARNING, 3, "e" },
    { LOG_SYNTAX_JSON, "{\"msg\":\"cut", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_JSON, "plain", LOG_INFO, 0, NULL },
    { LOG_SYNTAX_JSON, "[1]", LOG_INFO, 0, NULL },
};

static void lines_are_read_as_their_format_says(void **state)
{
    TABLE_FOREACH (row, rows) {
        LogLine line = log_line_read(row->format, LOG_INFO, true, row->line, strlen(row->line));
        if (line.level != row->level || line.skip != row->skip || !streq_ptr(line.text, row->text))
            fail_msg("%s: level %d, skip %zu, text %s", row->line, line.level, line.skip,
                     line.text ?: "none");
        free(line.text);
    }
}

static void a_piece_of_a_line_is_no_json(void **state)
{
    static const char text[] = "{\"level\":\"error\",\"msg\":\"a\"}";
    LogLine line = log_line_read(LOG_SYNTAX_JSON, LOG_INFO, false, text, strlen(text));
    assert_int_equal(line.level, LOG_INFO);
    assert_null(line.text);
}

static void depth_is_no_danger(void **state)
{
    enum { SIZE = 16 * 1024 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, '[', SIZE);
    memcpy(text, "{\"a\":", 5);
    assert_null(log_line_read(LOG_SYNTAX_JSON, LOG_INFO, true, text, SIZE).text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_their_format_says),
        cmocka_unit_test(a_piece_of_a_line_is_no_json),
        cmocka_unit_test(depth_is_no_danger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
