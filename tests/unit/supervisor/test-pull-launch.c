/* SPDX-License-Identifier: Apache-2.0 */
/* Pullers as units: what systemd says of its jobs, and which of them are about the puller that is waited for. */
#include <systemd/sd-bus.h>

#include "supervisor/pull-launch.h"
#include "supervisor/supervisor.h"
#include "tests/unit/supervisor/bus-daemon.h"
#include "tests/unit/supervisor/loop.h"

#define NAME "org.freedesktop.systemd1"
#define PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define ID "0123456789abcdef0123456789abcdef"
#define UNIT "podvisor-pull@" ID ".service"

typedef struct Fixture {
    TestDir dir;
    BusDaemon daemon;
    Supervisor supervisor;
    PullLauncher *launcher;
    sd_bus *systemd; /* the one that plays it */
    unsigned n_starts, n_stops, n_jobs;
    bool refuses;
    unsigned n_ended;
    char *why;
} Fixture;

/* --- systemd, as far as it is asked ------------------------------------------------------------------------------------ */

static int answer_job(Fixture *f, sd_bus_message *m)
{
    char job[64];

    (void)snprintf(job, sizeof job, PATH "/job/%u", ++f->n_jobs);
    return sd_bus_reply_method_return(m, "o", job);
}

static int on_start(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Fixture *f = userdata;
    const char *unit, *mode;

    assert_success(sd_bus_message_read(m, "ss", &unit, &mode));
    assert_string_equal(unit, UNIT);
    f->n_starts++;
    return f->refuses ? sd_bus_error_set(error, NAME ".UnitMasked", "Unit is masked.") : answer_job(f, m);
}

static int on_stop(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Fixture *f = userdata;

    f->n_stops++;
    return answer_job(f, m);
}

static int on_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    return sd_bus_reply_method_return(m, "");
}

static const sd_bus_vtable manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("StartUnit", "ss", "o", on_start, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StopUnit", "ss", "o", on_stop, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
    SD_BUS_VTABLE_END,
};

static void job_is_removed(Fixture *f, unsigned number, const char *unit, const char *result)
{
    char job[64];

    (void)snprintf(job, sizeof job, PATH "/job/%u", number);
    assert_success(
        sd_bus_emit_signal(f->systemd, PATH, MANAGER, "JobRemoved", "uoss", number, job, unit, result));
}

static void play_systemd(Fixture *f)
{
    assert_success(sd_bus_new(&f->systemd));
    assert_success(sd_bus_set_address(f->systemd, f->daemon.address));
    assert_success(sd_bus_set_bus_client(f->systemd, true));
    assert_success(sd_bus_start(f->systemd));
    assert_success(sd_bus_add_object_vtable(f->systemd, NULL, PATH, MANAGER, manager, f));
    assert_success(sd_bus_request_name(f->systemd, NAME, 0));
    assert_success(sd_bus_attach_event(f->systemd, f->supervisor.event, 0));
}

/* --- the test's own ------------------------------------------------------------------------------------------------------- */

static void on_ended(void *userdata, const char *id, const char *why)
{
    Fixture *f = userdata;

    assert_string_equal(id, ID);
    f->n_ended++;
    free(f->why);
    f->why = why ? strdup(why) : NULL;
}

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    f->dir = test_dir_new();
    bus_daemon_init(&f->daemon, f->dir.path);
    bus_daemon_start(&f->daemon);
    f->supervisor.units = true;
    assert_success(sd_event_new(&f->supervisor.event));
    play_systemd(f);
    assert_success(system_bus_new(&f->supervisor.system_bus, f->supervisor.event, f->daemon.address));
    assert_success(pull_launcher_new(&f->launcher, &f->supervisor, on_ended, f));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    pull_launcher_free(f->launcher);
    system_bus_free(f->supervisor.system_bus);
    sd_bus_flush_close_unref(f->systemd);
    sd_event_unref(f->supervisor.event);
    bus_daemon_stop(&f->daemon);
    test_dir_done(&f->dir);
    free(f->why);
    free(f);
    return 0;
}

/* Runs the loop for a while: what must not come must not appear. */
static void settle(Fixture *f)
{
    usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), 200 * USEC_PER_MSEC);

    while (now_usec(CLOCK_MONOTONIC) < end)
        assert_success(sd_event_run(f->supervisor.event, 20 * USEC_PER_MSEC));
}

static void start(Fixture *f)
{
    unsigned n = f->n_starts;

    assert_success(pull_launch(f->launcher, ID));
    loop_until(f->supervisor.event, f->n_starts == n + 1);
}

static void a_puller_has_ended_when_its_start_is_done(void **state)
{
    Fixture *f = *state;

    start(f);
    settle(f);
    job_is_removed(f, 1, "another.service", "done");
    settle(f);
    assert_int_equal(f->n_ended, 0);
    job_is_removed(f, 1, UNIT, "done");
    loop_until(f->supervisor.event, f->n_ended == 1);
    assert_null(f->why);
}

static void what_comes_of_it_otherwise_is_told(void **state)
{
    Fixture *f = *state;

    start(f);
    settle(f);
    job_is_removed(f, 1, UNIT, "failed");
    loop_until(f->supervisor.event, f->n_ended == 1);
    assert_string_equal(f->why, UNIT ": failed; `systemctl status` of it says more");
    f->refuses = true;
    start(f);
    loop_until(f->supervisor.event, f->n_ended == 2);
    assert_string_equal(f->why, "systemd does not start its puller: Unit is masked.");
}

/* The stop of the one before it may take long; the next start cancels it, or it is done. */
static void the_end_of_an_abandoned_puller_is_not_the_next_ones(void **state)
{
    static const char *const results[] = { "canceled", "done" };
    Fixture *f = *state;

    TABLE_FOREACH (result, results) {
        unsigned before = f->n_jobs, ended = f->n_ended;
        start(f);
        settle(f);
        pull_abandon(f->launcher, ID);
        start(f);
        settle(f);
        assert_int_equal(f->n_jobs, before + 3);
        job_is_removed(f, before + 2, UNIT, *result);
        settle(f);
        assert_int_equal(f->n_ended, ended);
        job_is_removed(f, before + 3, UNIT, "done");
        loop_until(f->supervisor.event, f->n_ended == ended + 1);
        assert_null(f->why);
    }
    assert_int_equal(f->n_stops, ELEMENTSOF(results));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_puller_has_ended_when_its_start_is_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_of_it_otherwise_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_an_abandoned_puller_is_not_the_next_ones, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
