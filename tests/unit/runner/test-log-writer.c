/* SPDX-License-Identifier: Apache-2.0 */
/* Output on its way to files: once each, in order, acknowledged only when it is there. */
#include "runner/log-writer.h"
#include "schemas/log-file.h"
#include "tests/unit/test.h"

typedef struct Fixture {
    TestDir dir;
    sd_event *event;
    RunDefinition definition;
    LogWriter *writer;
    uint64_t safe;
} Fixture;

static void on_safe(void *userdata, uint64_t seq)
{
    Fixture *f = userdata;

    assert_true(seq > f->safe);
    f->safe = seq;
}

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->dir = test_dir_new();
    assert_success(sd_event_new(&f->event));
    assert_success(schema_init(&run_definition_schema, &f->definition));
    f->definition.name = strdup("web");
    f->definition.uuid.bytes[0] = 9;
    f->definition.log_target = LOG_TARGET_FILES;
    f->definition.log_dir = strdup(f->dir.path);
    f->definition.log_size = LOG_FILE_SIZE_MIN;
    ContainerDefinition *c = field_append(schema_field(&pod_schema, "containers"), &f->definition.pod);
    c->name = strdup("main");
    assert_success(log_writer_new(f->event, &f->definition, on_safe, f, &f->writer));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    log_writer_free(f->writer);
    schema_done(&run_definition_schema, &f->definition);
    sd_event_unref(f->event);
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

static void take(Fixture *f, uint64_t seq, const char *container, size_t size)
{
    LogRecord record = { .seq = seq, .container = strdup(container), .channel = STREAM_STDOUT };

    assert_non_null(bytes_reserve(&record.data, size + 1));
    memset(record.data.data, 'x', size);
    record.data.size = size;
    log_writer_take(f->writer, &record);
    schema_done(&log_record_schema, &record);
}

/* The numbers in the files, joined by blanks, with the lost ones before each as "+n". */
static char *numbers(Fixture *f)
{
    char **v = NULL;
    LogReader *r;
    LogEntry entry;

    if (log_reader_open(f->dir.path, "web", &r) < 0)
        return strdup("");
    while (log_reader_next(r, &entry) > 0) {
        if (entry.record.dropped > 0)
            assert_success(strv_appendf(&v, "+%llu", (unsigned long long)entry.record.dropped));
        assert_success(strv_appendf(&v, "%llu", (unsigned long long)entry.record.seq));
        schema_done(&log_entry_schema, &entry);
    }
    log_reader_free(r);
    char *joined = strv_join(v, " ");
    strv_free(v);
    return joined;
}

static void assert_numbers(Fixture *f, const char *expected)
{
    _cleanup_(freep) char *found = numbers(f);
    assert_string_equal(found, expected);
}

static void records_are_safe_when_they_are_written(void **state)
{
    Fixture *f = *state;
    assert_int_equal(log_writer_begin(f->writer, 0), 0);
    take(f, 1, "main", 10);
    take(f, 2, "main", 10);
    assert_int_equal(f->safe, 0);
    log_writer_flush(f->writer);
    assert_int_equal(f->safe, 2);
    assert_numbers(f, "1 2");
}

static void a_record_that_comes_again_is_not_written_again(void **state)
{
    Fixture *f = *state;
    (void)log_writer_begin(f->writer, 0);
    take(f, 1, "main", 10);
    take(f, 1, "main", 10);
    take(f, 2, "main", 10);
    take(f, 1, "main", 10);
    log_writer_flush(f->writer);
    assert_numbers(f, "1 2");
}

static void the_next_runner_goes_on_where_the_file_ends(void **state)
{
    Fixture *f = *state;
    (void)log_writer_begin(f->writer, 0);
    take(f, 1, "main", 10);
    take(f, 2, "main", 10);
    log_writer_flush(f->writer);
    log_writer_free(f->writer);
    assert_success(log_writer_new(f->event, &f->definition, on_safe, f, &f->writer));
    assert_int_equal(log_writer_begin(f->writer, 1), 2);
    take(f, 2, "main", 10);
    take(f, 3, "main", 10);
    log_writer_flush(f->writer);
    assert_numbers(f, "1 2 3");
}

static void what_is_not_declared_is_not_written(void **state)
{
    Fixture *f = *state;
    (void)log_writer_begin(f->writer, 0);
    take(f, 1, "../other", 10);
    take(f, 2, "main", AGENT_LOG_RECORD_MAX + 1);
    log_writer_flush(f->writer);
    assert_numbers(f, "");
    assert_int_equal(f->safe, 0);
}

static void what_cannot_be_written_is_kept_and_bounded(void **state)
{
    Fixture *f = *state;
    assert_success(tree_remove_at(AT_FDCWD, f->dir.path));
    (void)log_writer_begin(f->writer, 0);
    for (uint64_t seq = 1; seq <= 100; seq++)
        take(f, seq, "main", AGENT_LOG_RECORD_MAX);
    log_writer_flush(f->writer);
    assert_int_equal(f->safe, 0);
    /* Room again: what was kept is written, and the next one tells how many were lost. */
    safe_close(f->dir.fd);
    assert_success(dir_make_path(f->dir.path, 0700));
    f->dir.fd = dir_open_at(AT_FDCWD, f->dir.path);
    log_writer_flush(f->writer);
    uint64_t kept = f->safe;
    assert_true(kept > 10 && kept < 50);
    take(f, 101, "main", 10);
    log_writer_flush(f->writer);
    assert_int_equal(f->safe, 101);
    _cleanup_(freep) char *found = numbers(f), *last = strf("+%llu 101", (unsigned long long)(100 - kept));
    assert_true(str_ends_with(found, last));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_are_safe_when_they_are_written),
        TEST(a_record_that_comes_again_is_not_written_again),
        TEST(the_next_runner_goes_on_where_the_file_ends),
        TEST(what_is_not_declared_is_not_written),
        TEST(what_cannot_be_written_is_kept_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
