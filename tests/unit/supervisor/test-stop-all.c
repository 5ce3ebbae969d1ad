/* SPDX-License-Identifier: Apache-2.0 */
/* The end of all pods, with podvisord's own code in this process and runners of the null backend. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "supervisor/supervisor.h"
#include "tests/unit/guard.h"
#include "tests/unit/test.h"

typedef struct Fixture {
    TestDir dir;
    Paths paths;
    DaemonConfig config;
    sd_event *event;
    Supervisor *supervisor;
    bool ended;
    char **order; /* names, as their machines were told to end */
} Fixture;

static void define(Fixture *f, const char *name, const char *text)
{
    _cleanup_(freep) char *file = strf("pods.d/%s.pod", name);
    _cleanup_(freep) char *all =
        strf("backend = \"null\"; containers = ( { name = \"a\"; image = \"i\"; } );\n%s\n", text);
    _cleanup_(closep) int fd = openat(f->dir.fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_success(write_all(fd, all, strlen(all)));
}

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    log_open("podvisord", LOG_CRIT);
    f->dir = test_dir_new();
    assert_success(mkdirat(f->dir.fd, "pods.d", 0755));
    assert_success(paths_init(&f->paths, f->dir.path, false));
    assert_success(str_replace(&f->paths.programs, getenv("PODVISOR_PROGRAMS")));
    assert_success(schema_init(&daemon_config_schema, &f->config));
    /* As podvisord does: SIGCHLD is for pidfds. */
    assert_success(sd_event_new(&f->event));
    *state = f;
    return 0;
}

static void note_ends(Fixture *f)
{
    Supervisor *s = f->supervisor;

    for (size_t i = 0; i < s->n_pods; i++)
        if (s->pods[i]->observed.phase == MACHINE_STOPPING && !strv_contains(f->order, s->pods[i]->name))
            assert_success(strv_append(&f->order, s->pods[i]->name));
}

static void run_until(Fixture *f, bool (*condition)(Fixture *f), const char *what)
{
    usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), USEC_PER_MINUTE);

    while (!condition(f)) {
        if (now_usec(CLOCK_MONOTONIC) > deadline)
            fail_msg("in vain: %s", what);
        assert_success(sd_event_run(f->event, USEC_PER_SEC));
        note_ends(f);
    }
}

static bool all_ready(Fixture *f)
{
    for (size_t i = 0; i < f->supervisor->n_pods; i++)
        if (f->supervisor->pods[i]->state != POD_READY)
            return false;
    return true;
}

static bool nobody_is_left(Fixture *f)
{
    return f->ended;
}

static void on_ended(void *userdata)
{
    Fixture *f = userdata;

    assert_false(f->ended);
    f->ended = true;
}

/* Whatever the test left: no runner and no machine outlives it. */
static int tear_down(void **state)
{
    Fixture *f = *state;

    if (f->supervisor) {
        f->ended = false;
        supervisor_stop_all(f->supervisor, on_ended, f);
        run_until(f, nobody_is_left, "the end of all");
        supervisor_free(f->supervisor);
    }
    sd_event_unref(f->event);
    strv_free(f->order);
    schema_done(&daemon_config_schema, &f->config);
    paths_done(&f->paths);
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

static void start(Fixture *f)
{
    assert_success(supervisor_new(&f->supervisor, f->event, &f->paths, &f->config));
    run_until(f, all_ready, "all are ready");
}

static void assert_ended(Fixture *f, const char *expected)
{
    _cleanup_(freep) char *order = strv_join(f->order, " ");

    for (size_t i = 0; i < f->supervisor->n_pods; i++) {
        const Pod *pod = f->supervisor->pods[i];
        assert_int_equal(pod->observed.phase, MACHINE_ENDED);
        assert_false(pod->observed.runner || pod->record.hold);
        assert_int_equal(pod->state, POD_INACTIVE);
    }
    assert_string_equal(order, expected);
}

static void all_end_each_before_what_it_comes_after(void **state)
{
    Fixture *f = *state;

    define(f, "a-db", "");
    define(f, "b-web", "requires = [ \"a-db\" ];");
    define(f, "c-app", "after = [ \"b-web\" ];");
    start(f);
    supervisor_stop_all(f->supervisor, on_ended, f);
    assert_false(f->ended);
    run_until(f, nobody_is_left, "the end of all");
    assert_ended(f, "c-app b-web a-db");
}

static void what_ignores_its_stop_is_killed_in_time(void **state)
{
    Fixture *f = *state;

    define(f, "a-db", "");
    define(f, "b-web", "requires = [ \"a-db\" ]; stop_timeout = \"100ms\"; null = { ignore_stop = true; };");
    start(f);
    supervisor_stop_all(f->supervisor, on_ended, f);
    run_until(f, nobody_is_left, "the end of all");
    assert_ended(f, "b-web a-db");
    assert_int_equal(supervisor_find(f->supervisor, "b-web")->record.reason, END_KILLED);
}

static void with_nothing_to_end_the_answer_comes_all_the_same(void **state)
{
    Fixture *f = *state;

    start(f);
    supervisor_stop_all(f->supervisor, on_ended, f);
    assert_false(f->ended);
    run_until(f, nobody_is_left, "the end of nobody");
}

static void a_shutdown_that_is_called_off_starts_all_again(void **state)
{
    Fixture *f = *state;

    define(f, "a-db", "");
    define(f, "b-web", "requires = [ \"a-db\" ];");
    start(f);
    supervisor_stop_all(f->supervisor, on_ended, f);
    run_until(f, nobody_is_left, "the end of all");
    supervisor_stop_all_cancel(f->supervisor);
    run_until(f, all_ready, "all are ready again");
    assert_int_equal(supervisor_find(f->supervisor, "b-web")->record.attempt, 2);
    assert_int_equal(supervisor_find(f->supervisor, "b-web")->record.restarts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_end_each_before_what_it_comes_after, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_ignores_its_stop_is_killed_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_nothing_to_end_the_answer_comes_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shutdown_that_is_called_off_starts_all_again, set_up, tear_down),
    };
    test_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
