/* SPDX-License-Identifier: Apache-2.0 */
/* The way to libvirt's daemon, with the driver that libvirt has for tests, and with daemons that are none. */
#include "tests/unit/test.h"

#include <sys/socket.h>

#include "backends/libvirt/connection.h"
#include "backends/libvirt/domain-calls.h"
#include "backends/libvirt/domain-xml.h"
#include "backends/libvirt/event-loop.h"
#include "base/socket.h"

#define TEST_URI "test:///default"

typedef struct Fixture {
    sd_event *event;
    Connection *connection;
    int opened, away, notes, answers;
    int error;
    char *why;
    int job_error;
    char *job_why;
    DomainFacts facts;
    int life_event, life_detail;
} Fixture;

static void on_opened(void *userdata)
{
    Fixture *f = userdata;
    f->opened++;
}

static void on_away(void *userdata, int error, const char *why)
{
    Fixture *f = userdata;
    f->away++;
    f->error = error;
    assert_success(str_replace(&f->why, why));
}

static void on_note(void *userdata, const Note *note)
{
    Fixture *f = userdata;
    f->notes++;
    f->life_event = note->event;
    f->life_detail = note->detail;
}

static const ConnectionHandlers handlers = { on_opened, on_away, on_note };

static Fixture *fixture_new(const char *uri)
{
    Fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    assert_success(sd_event_new(&f->event));
    assert_success(event_loop_attach(f->event));
    assert_success(connection_new(f->event, uri, &handlers, f, &f->connection));
    return f;
}

static void fixture_done(Fixture *f)
{
    connection_free(f->connection);
    event_loop_detach();
    sd_event_unref(f->event);
    free(f->why);
    free(f->job_why);
    free(f);
}

static void run_until(Fixture *f, const int *what)
{
    usec_t end = now_usec(CLOCK_MONOTONIC) + 60 * USEC_PER_SEC;

    while (!*what && now_usec(CLOCK_MONOTONIC) < end)
        assert_success(sd_event_run(f->event, USEC_PER_SEC));
    assert_true(*what);
}

static void on_answer(void *userdata, Job *job)
{
    Fixture *f = userdata;
    f->answers++;
    f->job_error = job->error;
    f->facts = job->facts;
    assert_success(str_replace(&f->job_why, job->why));
}

static const char uuid_text[] = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0";

static Job *job_new(Fixture *f, int (*run)(Worker *w, virConnectPtr connection, Job *job), usec_t timeout)
{
    Job *job = calloc(1, sizeof *job);

    assert_non_null(job);
    *job = (Job){ .run = run, .done = on_answer, .userdata = f, .timeout = timeout };
    assert_success(id128_parse(uuid_text, &job->uuid));
    job->vm_dir = strdup("/run/test/vm");
    job->name = strdup("web");
    return job;
}

/* The job's answer is there when it returns. */
static int call(Fixture *f, int (*run)(Worker *w, virConnectPtr connection, Job *job), const char *xml)
{
    Job *job = job_new(f, run, 30 * USEC_PER_SEC);

    job->xml = xml ? strdup(xml) : NULL;
    f->answers = 0;
    assert_success(connection_call(f->connection, job));
    run_until(f, &f->answers);
    return f->job_error;
}

#define DOMAIN(NAME, UUID, METADATA)                                                                         \
    "<domain type='test'><name>" NAME "</name><uuid>" UUID "</uuid><metadata>" METADATA                      \
    "</metadata><memory>8192</memory><os><type>hvm</type></os></domain>"
#define METADATA(UUID, RUN)                                                                                  \
    "<p:pod xmlns:p='" DOMAIN_XML_NAMESPACE "' name='web' uuid='" UUID "' run='" RUN "'/>"
#define UUID "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
#define OTHER_UUID "00000000-1d52-d8f3-2516-782e98ab3fa0"

static Fixture *open_new(void)
{
    Fixture *f = fixture_new(TEST_URI);

    run_until(f, &f->opened);
    assert_true(connection_is_open(f->connection));
    return f;
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void a_domain_that_is_not_there_is_no_error(void **state)
{
    Fixture *f = open_new();

    assert_int_equal(call(f, domain_call_look, NULL), 0);
    assert_false(f->facts.found);
    assert_int_equal(call(f, domain_call_destroy, NULL), -ENOENT);
    fixture_done(f);
}

static void a_domain_is_made_and_found_and_destroyed(void **state)
{
    Fixture *f = open_new();

    assert_int_equal(call(f, domain_call_create, DOMAIN("web", UUID, METADATA(UUID, "/run/test/vm"))), 0);
    assert_true(f->facts.ours);
    assert_int_equal(call(f, domain_call_look, NULL), 0);
    assert_true(f->facts.found && f->facts.ours);
    assert_int_equal(call(f, domain_call_destroy, NULL), 0);
    run_until(f, &f->notes);
    assert_int_equal(f->life_event, VIR_DOMAIN_EVENT_STOPPED);
    assert_int_equal(f->life_detail, VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
    fixture_done(f);
}

/* As after a runner that died when libvirt had been asked. */
static void a_domain_that_is_there_already_is_taken(void **state)
{
    static const char xml[] = DOMAIN("web", UUID, METADATA(UUID, "/run/test/vm"));
    Fixture *f = open_new();

    assert_int_equal(call(f, domain_call_create, xml), 0);
    assert_int_equal(call(f, domain_call_create, xml), 0);
    assert_true(f->facts.ours);
    assert_int_equal(call(f, domain_call_destroy, NULL), 0);
    fixture_done(f);
}

static void make_foreign(Fixture *f, const char *xml)
{
    virConnectPtr connection = virConnectOpen(TEST_URI);
    virDomainPtr domain = virDomainCreateXML(connection, xml, 0);

    assert_non_null(domain);
    (void)virDomainFree(domain);
    (void)virConnectClose(connection);
}

static void remove_foreign(const char *name)
{
    virConnectPtr connection = virConnectOpen(TEST_URI);
    virDomainPtr domain = virDomainLookupByName(connection, name);

    assert_non_null(domain);
    assert_int_equal(virDomainDestroy(domain), 0);
    (void)virDomainFree(domain);
    (void)virConnectClose(connection);
}

static void anothers_domain_is_named_and_left_alone(void **state)
{
    static const struct {
        const char *xml, *words;
    } rows[] = {
        { DOMAIN("web", OTHER_UUID, ""), "of this name that is not podvisor's: web, " OTHER_UUID },
        { DOMAIN("web", OTHER_UUID, METADATA(OTHER_UUID, "/run/other/vm")), "of this name" },
        { DOMAIN("web", UUID, ""), "of this UUID that is not podvisor's" },
        { DOMAIN("web", UUID, METADATA(UUID, "/run/other/vm")), "of this UUID" },
    };
    Fixture *f = open_new();

    TABLE_FOREACH (row, rows) {
        make_foreign(f, row->xml);
        assert_int_equal(call(f, domain_call_create, DOMAIN("web", UUID, METADATA(UUID, "/run/test/vm"))),
                         -EEXIST);
        assert_non_null(strstr(f->job_why, row->words));
        remove_foreign("web");
    }
    fixture_done(f);
}

static void what_is_left_of_an_earlier_attempt_makes_room(void **state)
{
    Fixture *f = open_new();

    make_foreign(f, DOMAIN("web", OTHER_UUID, METADATA(OTHER_UUID, "/run/test/vm")));
    assert_int_equal(call(f, domain_call_create, DOMAIN("web", UUID, METADATA(UUID, "/run/test/vm"))), 0);
    assert_int_equal(call(f, domain_call_destroy, NULL), 0);
    fixture_done(f);
}

static void libvirts_words_come_with_a_refusal(void **state)
{
    Fixture *f = open_new();

    assert_true(call(f, domain_call_create, "<domain type='no such'/>") < 0);
    assert_non_null(f->job_why);
    fixture_done(f);
}

/* Stuck until the test opens the gate. */
static int gate[2];
static int hang(Worker *w, virConnectPtr connection, Job *job)
{
    char c;
    return read(gate[0], &c, 1) == 1 ? 0 : -EIO;
}

static void gate_open(void)
{
    assert_int_equal(write(gate[1], "", 1), 1);
}

static void a_call_that_is_late_ends_the_connection_and_a_new_one_comes(void **state)
{
    Fixture *f = open_new();

    assert_success(connection_call(f->connection, job_new(f, hang, 20 * USEC_PER_MSEC)));
    run_until(f, &f->away);
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->job_error, -ETIMEDOUT);
    assert_non_null(strstr(f->why, "does not answer"));
    Job *refused = job_new(f, domain_call_look, USEC_PER_SEC);
    assert_int_equal(connection_call(f->connection, refused), -ENOTCONN);
    f->opened = 0;
    run_until(f, &f->opened);
    gate_open();
    assert_int_equal(f->answers, 1);
    assert_int_equal(call(f, domain_call_look, NULL), 0);
    fixture_done(f);
}

static void a_connection_can_be_let_go_in_the_middle_of_a_call(void **state)
{
    Fixture *f = open_new();

    assert_success(connection_call(f->connection, job_new(f, hang, USEC_PER_SEC)));
    assert_success(connection_call(f->connection, job_new(f, domain_call_look, USEC_PER_SEC)));
    fixture_done(f);
    gate_open();
}

static void a_daemon_that_is_not_there_is_named(void **state)
{
    Fixture *f = fixture_new("qemu+unix:///system?socket=/nowhere/libvirt.sock");

    run_until(f, &f->away);
    assert_int_equal(f->error, -ENOENT);
    assert_non_null(strstr(f->why, "does not run, or is not installed"));
    assert_non_null(strstr(f->why, "/nowhere/libvirt.sock"));
    fixture_done(f);
}

static void who_hangs_up_is_no_daemon(void **state)
{
    TestDir dir = test_dir_new();
    _cleanup_(freep) char *uri = strf("qemu+unix:///system?socket=%s/sock", dir.path);
    int server = socket_listen_at(dir.fd, "sock", SOCK_STREAM);
    Fixture *f = fixture_new(uri);

    assert_true(server >= 0);
    safe_close(accept4(server, NULL, NULL, SOCK_CLOEXEC));
    run_until(f, &f->away);
    assert_non_null(f->why);
    fixture_done(f);
    safe_close(server);
    test_dir_done(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_domain_that_is_not_there_is_no_error),
        cmocka_unit_test(a_domain_is_made_and_found_and_destroyed),
        cmocka_unit_test(a_domain_that_is_there_already_is_taken),
        cmocka_unit_test(anothers_domain_is_named_and_left_alone),
        cmocka_unit_test(what_is_left_of_an_earlier_attempt_makes_room),
        cmocka_unit_test(libvirts_words_come_with_a_refusal),
        cmocka_unit_test(a_call_that_is_late_ends_the_connection_and_a_new_one_comes),
        cmocka_unit_test(a_connection_can_be_let_go_in_the_middle_of_a_call),
        cmocka_unit_test(a_daemon_that_is_not_there_is_named),
        cmocka_unit_test(who_hangs_up_is_no_daemon),
    };
    if (pipe(gate) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
