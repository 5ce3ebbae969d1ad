/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>

#include "schemas/log-file.h"
#include "tests/unit/test.h"

static const Id128 machine_a = { { 1 } }, machine_b = { { 2 } };

static int append(LogFile *f, Id128 machine, uint64_t seq, size_t size)
{
    char container[] = "main";
    uint8_t *data = calloc(1, size + 1);
    LogEntry entry = { .machine = machine,
                       .attempt = 1,
                       .record = { .seq = seq,
                                   .time = 5,
                                   .container = container,
                                   .channel = STREAM_STDERR,
                                   .data = { .data = data, .size = size } } };

    memset(data, 'x', size);
    int r = log_file_append(f, &entry);
    free(data);
    return r;
}

/* The numbers of all entries from here on: first and last, how many, without a gap. */
static size_t drain(LogReader *r, uint64_t *ret_first, uint64_t *ret_last)
{
    LogEntry entry;
    size_t n = 0;

    for (; log_reader_next(r, &entry) > 0; n++) {
        if (n == 0)
            *ret_first = entry.record.seq;
        else
            assert_int_equal(entry.record.seq, *ret_last + 1);
        *ret_last = entry.record.seq;
        schema_done(&log_entry_schema, &entry);
    }
    return n;
}

static void what_was_appended_is_read_back(void **state)
{
    TestDir d = test_dir_new();
    LogFile *f;
    LogReader *r;
    LogEntry entry;

    assert_success(log_file_open(d.path, "web", LOG_FILE_SIZE_MIN, &f));
    assert_success(append(f, machine_a, 1, 5));
    assert_success(log_reader_open(d.path, "web", &r));
    assert_int_equal(log_reader_next(r, &entry), 1);
    assert_string_equal(entry.record.container, "main");
    assert_int_equal(entry.record.channel, STREAM_STDERR);
    assert_int_equal(entry.record.data.size, 5);
    assert_memory_equal(entry.record.data.data, "xxxxx", 5);
    schema_done(&log_entry_schema, &entry);
    assert_int_equal(log_reader_next(r, &entry), 0);
    log_reader_free(r);
    log_file_free(f);
    test_dir_done(&d);
}

static void files_stay_within_their_size(void **state)
{
    TestDir d = test_dir_new();
    LogFile *f;
    LogReader *r;
    struct stat a, b;
    uint64_t first = 0, last = 0;

    assert_success(log_file_open(d.path, "web", LOG_FILE_SIZE_MIN, &f));
    for (uint64_t seq = 1; seq <= 3000; seq++)
        assert_success(append(f, machine_a, seq, 1000));
    assert_int_equal(fstatat(d.fd, "web.log", &a, 0), 0);
    assert_int_equal(fstatat(d.fd, "web.log.1", &b, 0), 0);
    assert_true(a.st_size + b.st_size <= LOG_FILE_SIZE_MIN);
    assert_success(log_reader_open(d.path, "web", &r));
    assert_true(drain(r, &first, &last) > 100);
    assert_int_equal(last, 3000);
    log_reader_free(r);
    log_file_free(f);
    test_dir_done(&d);
}

static void a_reader_follows_over_rotations(void **state)
{
    TestDir d = test_dir_new();
    LogFile *f;
    LogReader *r;
    uint64_t first = 0, last = 0, seen = 0;

    assert_success(log_file_open(d.path, "web", LOG_FILE_SIZE_MIN, &f));
    assert_success(append(f, machine_a, 1, 1000));
    assert_success(log_reader_open(d.path, "web", &r));
    for (uint64_t seq = 2; seq <= 1000; seq++) {
        assert_success(append(f, machine_a, seq, 1000));
        if (seq % 50 == 0)
            seen += drain(r, &first, &last);
    }
    assert_int_equal(seen, 1000);
    assert_int_equal(last, 1000);
    log_reader_free(r);
    log_file_free(f);
    test_dir_done(&d);
}

static void a_torn_tail_is_cut_off_at_any_byte(void **state)
{
    for (off_t cut = 1; cut < 60; cut++) {
        TestDir d = test_dir_new();
        LogFile *f;
        LogReader *r;
        struct stat st;
        uint64_t first = 0, last = 0;

        assert_success(log_file_open(d.path, "web", LOG_FILE_SIZE_MIN, &f));
        for (uint64_t seq = 1; seq <= 3; seq++)
            assert_success(append(f, machine_a, seq, 10));
        log_file_free(f);
        _cleanup_(freep) char *path = strf("%s/web.log", d.path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(truncate(path, st.st_size - cut), 0);

        assert_success(log_file_open(d.path, "web", LOG_FILE_SIZE_MIN, &f));
        assert_int_equal(log_file_last_seq(f, machine_a), 2);
        assert_success(append(f, machine_a, 3, 10));
        assert_success(log_reader_open(d.path, "web", &r));
        assert_int_equal(drain(r, &first, &last), 3);
        log_reader_free(r);
        log_file_free(f);
        test_dir_done(&d);
    }
}

static void the_last_number_is_known_per_machine(void **state)
{
    TestDir d = test_dir_new();
    LogFile *f;

    assert_success(log_file_open(d.path, "web", LOG_FILE_SIZE_MIN, &f));
    assert_int_equal(log_file_last_seq(f, machine_a), 0);
    assert_success(append(f, machine_a, 7, 10));
    assert_int_equal(log_file_last_seq(f, machine_a), 7);
    assert_int_equal(log_file_last_seq(f, machine_b), 0);
    log_file_free(f);
    assert_success(log_file_open(d.path, "web", LOG_FILE_SIZE_MIN, &f));
    assert_int_equal(log_file_last_seq(f, machine_a), 7);
    assert_int_equal(log_file_last_seq(f, machine_b), 0);
    log_file_free(f);
    test_dir_done(&d);
}

static void no_files_are_no_reader(void **state)
{
    TestDir d = test_dir_new();
    LogReader *r;

    assert_int_equal(log_reader_open(d.path, "web", &r), -ENOENT);
    test_dir_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_appended_is_read_back),
        cmocka_unit_test(files_stay_within_their_size),
        cmocka_unit_test(a_reader_follows_over_rotations),
        cmocka_unit_test(a_torn_tail_is_cut_off_at_any_byte),
        cmocka_unit_test(the_last_number_is_known_per_machine),
        cmocka_unit_test(no_files_are_no_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
