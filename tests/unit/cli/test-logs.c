/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "cli/log-view.h"
#include "schemas/log-file.h"
#include "tests/unit/test.h"

#define SECOND(n) ((UINT64_C(1795456800) + (n)) * USEC_PER_SEC) /* 2026-11-23 18:00:00 UTC and n seconds */

typedef struct Shown {
    char *out, *err;
    size_t out_size, err_size;
} Shown;

static LogView view_open(Shown *shown, LogFormat format)
{
    return (LogView){
        .format = format,
        .out = open_memstream(&shown->out, &shown->out_size),
        .err = open_memstream(&shown->err, &shown->err_size),
    };
}

static void view_close(LogView *view)
{
    log_view_done(view);
    (void)fclose(view->out);
    (void)fclose(view->err);
}

static void shown_done(Shown *shown)
{
    free(shown->out);
    free(shown->err);
}

static void show(LogView *view, const char *container, LogStream stream, const char *text, bool partial)
{
    LogItem item = {
        .time = SECOND(0),
        .container = (char *)(uintptr_t)container,
        .stream = stream,
        .partial = partial,
        .data = { .data = (uint8_t *)(uintptr_t)text, .size = strlen(text) },
    };
    assert_success(log_view_show(view, &item));
}

static void test_streams_stay_apart_and_bytes_as_they_were(void **state)
{
    _cleanup_(shown_done) Shown shown = { 0 };
    LogView view = view_open(&shown, LOG_FORMAT_TEXT);

    show(&view, "a", LOG_STREAM_STDOUT, "out \033[1m\xff", false);
    show(&view, "a", LOG_STREAM_STDERR, "err", false);
    view_close(&view);

    assert_string_equal(shown.out, "out \033[1m\xff\n");
    assert_string_equal(shown.err, "err\n");
}

static void test_a_terminal_gets_nothing_that_it_would_obey(void **state)
{
    _cleanup_(shown_done) Shown shown = { 0 };
    LogView view = view_open(&shown, LOG_FORMAT_TEXT);

    view.out_safe = true;
    show(&view, "a", LOG_STREAM_STDOUT, "a\tb\\c\033[2J\r", false);
    view_close(&view);

    assert_string_equal(shown.out, "a\tb\\c\\x1b[2J\\x0d\n");
}

static void test_pieces_of_a_line_are_joined_unless_something_comes_between(void **state)
{
    _cleanup_(shown_done) Shown shown = { 0 };
    LogView view = view_open(&shown, LOG_FORMAT_TEXT);

    view.prefix = true;
    show(&view, "a", LOG_STREAM_STDOUT, "one ", true);
    show(&view, "a", LOG_STREAM_STDOUT, "line", false);
    show(&view, "a", LOG_STREAM_STDOUT, "begun", true);
    show(&view, "b", LOG_STREAM_STDOUT, "other", false);
    show(&view, "a", LOG_STREAM_STDOUT, "rest", true);
    view_close(&view);

    assert_string_equal(shown.out, "a: one line\na: begun\nb: other\na: rest\n");
}

static void test_names_come_with_the_second_container(void **state)
{
    _cleanup_(shown_done) Shown shown = { 0 };
    LogView view = view_open(&shown, LOG_FORMAT_TEXT);

    view.may_prefix = true;
    show(&view, "a", LOG_STREAM_STDOUT, "1", false);
    show(&view, "b", LOG_STREAM_STDOUT, "2", false);
    show(&view, "a", LOG_STREAM_STDOUT, "3", false);
    view_close(&view);

    assert_string_equal(shown.out, "1\nb: 2\na: 3\n");
}

static void test_lost_records_are_told(void **state)
{
    _cleanup_(shown_done) Shown shown = { 0 };
    LogView view = view_open(&shown, LOG_FORMAT_TEXT);
    LogItem item = { .container = (char *)"a", .dropped = 7 };

    assert_success(log_view_show(&view, &item));
    view_close(&view);

    assert_non_null(strstr(shown.err, "7 records are lost"));
    assert_string_equal(shown.out, "\n");
}

static void test_times_and_json(void **state)
{
    _cleanup_(shown_done) Shown shown = { 0 };
    LogView view = view_open(&shown, LOG_FORMAT_TIME);

    show(&view, "a", LOG_STREAM_STDOUT, "x", false);
    view.format = LOG_FORMAT_JSON;
    show(&view, "a", LOG_STREAM_STDERR, "y\xff", true);
    view_close(&view);

    assert_string_equal(
        shown.out, "2026-11-23T18:00:00.000000 x\n"
                   "{\"time\":1795456800000000,\"container\":\"a\",\"stream\":\"stderr\",\"partial\":true,"
                   "\"dropped\":0,\"priority\":0,\"message\":\"y\\\\xff\"}\n");
    assert_string_equal(shown.err, "");
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static void append(LogFile *file, uint64_t seq, const char *container, const char *text)
{
    LogEntry entry = { .record = { .seq = seq,
                                   .time = SECOND(seq),
                                   .container = (char *)(uintptr_t)container,
                                   .channel = STREAM_STDOUT,
                                   .data = { .data = (uint8_t *)(uintptr_t)text, .size = strlen(text) } } };
    assert_success(log_file_append(file, &entry));
}

static void assert_next(LogSource *source, const char *text)
{
    LogItem item;

    assert_int_equal(log_source_next(source, &item), 1);
    assert_success(bytes_terminate(&item.data));
    assert_string_equal((char *)item.data.data, text);
    log_item_done(&item);
}

static void assert_no_more(LogSource *source)
{
    LogItem item;
    assert_int_equal(log_source_next(source, &item), 0);
}

typedef struct Fixture {
    TestDir dir;
    Paths paths;
    char *log;
} Fixture;

static Fixture fixture_new(void)
{
    Fixture f = { .dir = test_dir_new() };

    f.paths.state = strdup(f.dir.path);
    f.log = strf("%s/" PATHS_LOG, f.dir.path);
    assert_success(mkdirat(f.dir.fd, PATHS_LOG, 0700) < 0 ? -errno : 0);
    return f;
}

static void fixture_done(Fixture *f)
{
    free(f->log);
    free(f->paths.state);
    test_dir_done(&f->dir);
}

static void test_files_are_read_by_container_and_time(void **state)
{
    Fixture f = fixture_new();
    _cleanup_(log_file_freep) LogFile *file = NULL;
    _cleanup_(log_source_freep) LogSource *all = NULL, *one = NULL, *late = NULL;
    assert_success(log_file_open(f.log, "web", 1 << 20, &file));
    append(file, 1, "a", "first");
    append(file, 2, "b", "second");
    append(file, 3, "a", "third");

    assert_success(log_source_open(LOG_TARGET_FILES, &f.paths, &(LogQuery){ .pod = "web" }, &all));
    assert_success(
        log_source_open(LOG_TARGET_FILES, &f.paths, &(LogQuery){ .pod = "web", .container = "a" }, &one));
    assert_success(
        log_source_open(LOG_TARGET_FILES, &f.paths, &(LogQuery){ .pod = "web", .since = SECOND(3) }, &late));

    assert_next(all, "first");
    assert_next(all, "second");
    assert_next(all, "third");
    assert_no_more(all);
    assert_next(one, "first");
    assert_next(one, "third");
    assert_no_more(one);
    assert_next(late, "third");
    fixture_done(&f);
}

static void test_what_comes_later_wakes_a_reader_up(void **state)
{
    Fixture f = fixture_new();
    _cleanup_(log_file_freep) LogFile *file = NULL;
    _cleanup_(log_source_freep) LogSource *source = NULL;

    /* The reader is there before the file. */
    assert_success(
        log_source_open(LOG_TARGET_FILES, &f.paths, &(LogQuery){ .pod = "web", .follow = true }, &source));
    assert_no_more(source);
    assert_success(log_file_open(f.log, "web", 1 << 20, &file));
    append(file, 1, "a", "first");
    assert_success(log_source_wait(source, -1));
    assert_next(source, "first");
    append(file, 2, "a", "second");
    assert_success(log_source_wait(source, -1));
    assert_next(source, "second");
    assert_no_more(source);
    fixture_done(&f);
}

static void test_where_logs_go_is_what_podvisord_decides(void **state)
{
    assert_int_equal(log_target_choose(LOG_TARGET_AUTO, PATHS_SYSTEM, true), LOG_TARGET_JOURNAL);
    assert_int_equal(log_target_choose(LOG_TARGET_AUTO, PATHS_SYSTEM, false), LOG_TARGET_FILES);
    assert_int_equal(log_target_choose(LOG_TARGET_AUTO, PATHS_ROOT, true), LOG_TARGET_FILES);
    assert_int_equal(log_target_choose(LOG_TARGET_JOURNAL, PATHS_ROOT, false), LOG_TARGET_JOURNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_stay_apart_and_bytes_as_they_were),
        cmocka_unit_test(test_a_terminal_gets_nothing_that_it_would_obey),
        cmocka_unit_test(test_pieces_of_a_line_are_joined_unless_something_comes_between),
        cmocka_unit_test(test_names_come_with_the_second_container),
        cmocka_unit_test(test_lost_records_are_told),
        cmocka_unit_test(test_times_and_json),
        cmocka_unit_test(test_files_are_read_by_container_and_time),
        cmocka_unit_test(test_what_comes_later_wakes_a_reader_up),
        cmocka_unit_test(test_where_logs_go_is_what_podvisord_decides),
    };
    assert(setenv("TZ", "UTC", 1) == 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
