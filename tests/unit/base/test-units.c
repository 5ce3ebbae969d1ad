/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"
#include "tests/unit/test.h"

static void sizes_read_as_written(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint64_t size;
    } rows[] = {
        { "0", 0, 0 },
        { "192M", 0, UINT64_C(192) << 20 },
        { "1.5G", 0, UINT64_C(3) << 29 },
        { "64K", 0, 65536 },
        { "10B", 0, 10 },
        { "infinity", 0, SIZE_INFINITY },
        { "", -EINVAL, 0 },
        { "M", -EINVAL, 0 },
        { "12Q", -EINVAL, 0 },
        { "12 M", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "99999999999T", -ERANGE, 0 },
        { "99999999999999999999999", -ERANGE, 0 },
    };
    TABLE_FOREACH (row, rows) {
        uint64_t size = 0;
        assert_int_equal(size_parse(row->text, &size), row->result);
        assert_true(size == row->size);
    }
}

static void durations_read_as_systemd_writes_them(void **state)
{
    static const struct {
        const char *text;
        int result;
        usec_t duration;
    } rows[] = {
        { "2s", 0, 2 * USEC_PER_SEC },
        { "1min 30s", 0, 90 * USEC_PER_SEC },
        { "500ms", 0, 500 * USEC_PER_MSEC },
        { "5", 0, 5 * USEC_PER_SEC },
        { "1h30min", 0, 90 * USEC_PER_MINUTE },
        { "0.5s", 0, 500 * USEC_PER_MSEC },
        { "infinity", 0, USEC_INFINITY },
        { "1d", 0, 24 * USEC_PER_HOUR },
        { "2x", -EINVAL, 0 },
        { "", -EINVAL, 0 },
        { "s", -EINVAL, 0 },
        { "1s foo", -EINVAL, 0 },
        { "999999999999999w", -ERANGE, 0 },
    };
    TABLE_FOREACH (row, rows) {
        usec_t duration = 0;
        assert_int_equal(duration_parse(row->text, &duration), row->result);
        assert_true(duration == row->duration);
    }
}

static void what_is_formatted_reads_back(void **state)
{
    static const uint64_t values[] = {
        0, 1, 1023, 1024, 65536, 1536, UINT64_C(192) << 20, UINT64_C(3) << 29, 123456789
    };

    TABLE_FOREACH (value, values) {
        uint64_t back;
        _cleanup_(freep) char *size = size_format(*value), *duration = duration_format(*value);
        assert_int_equal(size_parse(size, &back), 0);
        assert_true(back == *value);
        assert_int_equal(duration_parse(duration, &back), 0);
        assert_true(back == *value);
    }
}

static void ages_show_their_largest_unit(void **state)
{
    static const struct {
        usec_t age;
        const char *text;
    } rows[] = {
        { 0, "now" },
        { 12 * USEC_PER_SEC, "12s ago" },
        { 2 * USEC_PER_HOUR + USEC_PER_MINUTE, "2h ago" },
    };
    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *text = age_format(row->age);
        assert_string_equal(text, row->text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_read_as_written),
        cmocka_unit_test(durations_read_as_systemd_writes_them),
        cmocka_unit_test(what_is_formatted_reads_back),
        cmocka_unit_test(ages_show_their_largest_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
