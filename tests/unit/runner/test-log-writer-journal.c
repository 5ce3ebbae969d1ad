/* SPDX-License-Identifier: Apache-2.0 */
/* Output on its way to the journal: what a record carries, and what happens while journald takes nothing. */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/journal.h"
#include "runner/log-writer.h"
#include "tests/unit/test.h"

typedef struct Fixture {
    TestDir dir;
    char *path;
    int journald;
    sd_event *event;
    RunDefinition definition;
    LogWriter *writer;
    uint64_t safe;
} Fixture;

static void on_safe(void *userdata, uint64_t seq)
{
    ((Fixture *)userdata)->safe = seq;
}

static void journald_begin(Fixture *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    f->journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(address.sun_path, f->path, strlen(f->path));
    assert_int_equal(bind(f->journald, (struct sockaddr *)&address, sizeof address), 0);
}

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_open("test", LOG_EMERG);
    f->dir = test_dir_new();
    f->path = strf("%s/socket", f->dir.path);
    f->journald = -1;
    journal_set_path(f->path);
    assert_success(sd_event_new(&f->event));
    assert_success(schema_init(&run_definition_schema, &f->definition));
    f->definition.name = strdup("web");
    f->definition.mode = PATHS_SYSTEM;
    f->definition.log_target = LOG_TARGET_JOURNAL;
    ContainerDefinition *c = field_append(schema_field(&pod_schema, "containers"), &f->definition.pod);
    c->name = strdup("main");
    c->log.format = LOG_SYNTAX_JSON;
    assert_success(log_writer_new(f->event, &f->definition, on_safe, f, &f->writer));
    (void)log_writer_begin(f->writer, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    log_writer_free(f->writer);
    schema_done(&run_definition_schema, &f->definition);
    journal_set_path("/nonexistent");
    safe_close(f->journald);
    sd_event_unref(f->event);
    test_dir_done(&f->dir);
    free(f->path);
    free(f);
    return 0;
}

static void take(Fixture *f, uint64_t seq, const char *text, bool partial, uint64_t dropped)
{
    LogRecord record = { .seq = seq,
                         .container = strdup("main"),
                         .channel = STREAM_STDOUT,
                         .partial = partial,
                         .dropped = dropped };

    assert_success(bytes_append(&record.data, text, strlen(text)));
    log_writer_take(f->writer, &record);
    schema_done(&log_record_schema, &record);
}

/* Waits for the next record, and asserts that it has all of these fields. */
static void assert_record(Fixture *f, const char *const *fields)
{
    struct pollfd p = { .fd = f->journald, .events = POLLIN };
    char text[64 * 1024];

    while (poll(&p, 1, 0) == 0)
        assert_success(sd_event_run(f->event, UINT64_MAX));
    ssize_t n = recv(f->journald, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = 0;
    for (; *fields; fields++) {
        _cleanup_(freep) char *line = strf("%s\n", *fields);
        if (!strstr(text, line))
            fail_msg("%s is not in:\n%s", *fields, text);
    }
}

#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void a_record_says_whose_it_is_and_how_important(void **state)
{
    Fixture *f = *state;
    journald_begin(f);
    take(f, 1, "<3>broken", false, 0);
    log_writer_flush(f->writer);
    assert_record(f, FIELDS("MESSAGE=broken", "PRIORITY=3", "PODVISOR_POD=web", "PODVISOR_CONTAINER=main",
                            "PODVISOR_STREAM=stdout", "PODVISOR_SEQ=1", "SYSLOG_IDENTIFIER=main",
                            "OBJECT_SYSTEMD_UNIT=podvisor-pod@web.service"));
    assert_int_equal(f->safe, 1);
}

static void the_text_of_json_is_the_message(void **state)
{
    Fixture *f = *state;
    journald_begin(f);
    take(f, 1, "{\"level\":\"warn\",\"msg\":\"hot\",\"n\":1}", false, 0);
    log_writer_flush(f->writer);
    assert_record(
        f, FIELDS("MESSAGE=hot", "PRIORITY=4", "PODVISOR_JSON={\"level\":\"warn\",\"msg\":\"hot\",\"n\":1}"));
}

static void the_pieces_of_a_line_have_its_importance(void **state)
{
    Fixture *f = *state;
    journald_begin(f);
    take(f, 1, "<2>a", true, 0);
    take(f, 2, "<7>b", false, 0);
    take(f, 3, "c", false, 0);
    log_writer_flush(f->writer);
    assert_record(f, FIELDS("MESSAGE=a", "PRIORITY=2", "CONTAINER_PARTIAL_MESSAGE=true"));
    assert_record(f, FIELDS("MESSAGE=<7>b", "PRIORITY=2"));
    assert_record(f, FIELDS("MESSAGE=c", "PRIORITY=6"));
}

static void the_console_and_the_vmm_speak_in_lines(void **state)
{
    static const char first[] = "one\r\n\r\ntw", second[] = "o\nend";
    Fixture *f = *state;
    journald_begin(f);
    log_writer_say(f->writer, LOG_STREAM_CONSOLE, first, strlen(first));
    log_writer_say(f->writer, LOG_STREAM_VMM, "qemu: oh\n", 9);
    log_writer_say(f->writer, LOG_STREAM_CONSOLE, second, strlen(second));
    log_writer_end(f->writer);
    assert_record(f, FIELDS("MESSAGE=one", "PODVISOR_STREAM=console", "SYSLOG_IDENTIFIER=console"));
    assert_record(f, FIELDS("MESSAGE=qemu: oh", "PODVISOR_STREAM=vmm", "PRIORITY=4"));
    assert_record(f, FIELDS("MESSAGE=two", "PODVISOR_STREAM=console"));
    assert_record(f, FIELDS("MESSAGE=end"));
}

static void what_was_lost_in_the_guest_is_told_in_its_place(void **state)
{
    Fixture *f = *state;
    journald_begin(f);
    take(f, 8, "after", false, 7);
    log_writer_flush(f->writer);
    assert_record(
        f, FIELDS("MESSAGE=web: 7 lines of its output were lost: they came faster than they could be taken",
                  "PODVISOR_LOST=7", "PODVISOR_EVENT=output-lost"));
    assert_record(f, FIELDS("MESSAGE=after"));
}

static void a_journald_that_comes_back_gets_all_that_was_kept(void **state)
{
    Fixture *f = *state;
    take(f, 1, "one", false, 0);
    log_writer_flush(f->writer);
    assert_int_equal(f->safe, 0);
    take(f, 2, "two", false, 0);
    journald_begin(f);
    assert_record(f, FIELDS("MESSAGE=one"));
    assert_record(f, FIELDS("MESSAGE=two"));
    assert_int_equal(f->safe, 2);
}

static void what_was_too_much_for_a_long_silence_is_counted(void **state)
{
    enum { LINE = 8 * 1024 };
    Fixture *f = *state;
    char line[LINE + 1];
    unsigned said = 0, kept = 0;
    memset(line, 'x', LINE);
    line[LINE] = '\n';
    while (said < 100) {
        log_writer_say(f->writer, LOG_STREAM_CONSOLE, line, sizeof line);
        said++;
    }
    kept = LOG_PENDING_MAX / (LINE + 128);
    journald_begin(f);
    for (unsigned i = 0; i < kept; i++)
        assert_record(f, FIELDS("PODVISOR_STREAM=console"));
    _cleanup_(freep) char *lost = strf("PODVISOR_LOST=%u", said - kept);
    assert_record(f, FIELDS("PODVISOR_EVENT=output-lost", lost));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_says_whose_it_is_and_how_important),
        TEST(the_text_of_json_is_the_message),
        TEST(the_pieces_of_a_line_have_its_importance),
        TEST(the_console_and_the_vmm_speak_in_lines),
        TEST(what_was_lost_in_the_guest_is_told_in_its_place),
        TEST(a_journald_that_comes_back_gets_all_that_was_kept),
        TEST(what_was_too_much_for_a_long_silence_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
