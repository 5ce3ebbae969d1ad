/* SPDX-License-Identifier: Apache-2.0 */
/* The host's shutdown and sleep, with a logind and a systemd that the test plays on a bus of its own. */
#include <fcntl.h>
#include <sys/stat.h>

#include "supervisor/supervisor.h"
#include "tests/unit/supervisor/bus-daemon.h"
#include "tests/unit/supervisor/loop.h"

enum { LOCKS_MAX = 8 };

typedef struct Fixture {
    TestDir dir;
    char bus_dir[80];
    BusDaemon daemon;
    sd_event *event;
    sd_bus *host;
    Paths paths;
    DaemonConfig config;
    Supervisor *supervisor;
    struct {
        char what[16];
        int fd; /* the other end of the inhibitor: at its end when that is let go */
    } locks[LOCKS_MAX];
    int n_locks;
    int preparing;
    const char *state;
    unsigned n_state_asked;
    bool left;
} Fixture;

static void on_leave(void *userdata)
{
    Fixture *f = userdata;
    f->left = true;
}

/* --- the host ------------------------------------------------------------------------------------------------------ */

static int on_inhibit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Fixture *f = userdata;
    const char *what, *who, *why, *mode;
    int fds[2];

    assert_true(f->n_locks < LOCKS_MAX);
    assert_success(sd_bus_message_read(m, "ssss", &what, &who, &why, &mode));
    assert_string_equal(who, "podvisord");
    assert_string_equal(mode, "delay");
    assert_success(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
    (void)snprintf(f->locks[f->n_locks].what, sizeof f->locks->what, "%s", what);
    f->locks[f->n_locks++].fd = fds[0];
    int r = sd_bus_reply_method_return(m, "h", fds[1]);
    safe_close(fds[1]);
    return r;
}

static int get_preparing(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const Fixture *f = userdata;
    return sd_bus_message_append(reply, "b", streq(property, "PreparingForShutdown") ? f->preparing : 0);
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    Fixture *f = userdata;
    f->n_state_asked++;
    return sd_bus_message_append(reply, "s", f->state);
}

static const sd_bus_vtable logind[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Inhibit", "ssss", "h", on_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("PreparingForShutdown", "b", get_preparing, 0, 0),
    SD_BUS_PROPERTY("PreparingForSleep", "b", get_preparing, 0, 0),
    SD_BUS_VTABLE_END,
};
static const sd_bus_vtable systemd[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("SystemState", "s", get_state, 0, 0),
    SD_BUS_VTABLE_END,
};

static void start_host(Fixture *f, bool with_logind)
{
    assert_success(mkdir(f->bus_dir, 0755));
    bus_daemon_start(&f->daemon);
    assert_success(sd_bus_new(&f->host));
    assert_success(sd_bus_set_address(f->host, f->daemon.address));
    assert_success(sd_bus_set_bus_client(f->host, true));
    assert_success(sd_bus_set_watch_bind(f->host, true));
    assert_success(sd_bus_negotiate_fds(f->host, true));
    assert_success(sd_bus_start(f->host));
    assert_success(sd_bus_attach_event(f->host, f->event, 0));
    assert_success(sd_bus_add_object_vtable(f->host, NULL, "/org/freedesktop/systemd1",
                                            "org.freedesktop.systemd1.Manager", systemd, f));
    assert_success(sd_bus_request_name_async(f->host, NULL, "org.freedesktop.systemd1", 0, NULL, NULL));
    if (!with_logind)
        return;
    assert_success(sd_bus_add_object_vtable(f->host, NULL, "/org/freedesktop/login1",
                                            "org.freedesktop.login1.Manager", logind, f));
    assert_success(sd_bus_request_name_async(f->host, NULL, "org.freedesktop.login1", 0, NULL, NULL));
}

static bool host_has_name(Fixture *f)
{
    const char *name;
    return sd_bus_is_ready(f->host) > 0 && sd_bus_get_unique_name(f->host, &name) >= 0;
}

static void start_podvisord(Fixture *f, SuspendPolicy suspend)
{
    /* Names are requested in the order in which connections come, so podvisord is behind them. */
    loop_until(f->event, host_has_name(f));
    f->config.suspend = suspend;
    assert_success(str_replace(&f->config.bus, f->daemon.address));
    assert_success(supervisor_new(&f->supervisor, f->event, &f->paths, &f->config));
}

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    log_open("podvisord", LOG_CRIT);
    f->dir = test_dir_new();
    f->state = "running";
    assert_true(snprintf(f->bus_dir, sizeof f->bus_dir, "%s/dbus", f->dir.path) < (int)sizeof f->bus_dir);
    bus_daemon_init(&f->daemon, f->bus_dir);
    assert_success(sd_event_new(&f->event));
    assert_success(paths_init(&f->paths, f->dir.path, false));
    assert_success(schema_init(&daemon_config_schema, &f->config));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    if (f->supervisor && f->supervisor->n_pods > 0) {
        f->left = false;
        supervisor_stop_all(f->supervisor, on_leave, f);
        loop_until(f->event, f->left);
    }
    supervisor_free(f->supervisor);
    sd_bus_close_unref(f->host);
    for (int i = 0; i < f->n_locks; i++)
        safe_close(f->locks[i].fd);
    sd_event_unref(f->event);
    schema_done(&daemon_config_schema, &f->config);
    paths_done(&f->paths);
    bus_daemon_stop(&f->daemon);
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

static bool let_go(const Fixture *f, int lock)
{
    char c;
    return read(f->locks[lock].fd, &c, 1) == 0;
}

static void announce(Fixture *f, const char *signal, int begins)
{
    if (streq(signal, "PrepareForShutdown"))
        f->preparing = begins;
    assert_success(sd_bus_emit_signal(f->host, "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                      signal, "b", begins));
}

/* --- tests --------------------------------------------------------------------------------------------------------- */

static void a_shutdown_waits_until_all_pods_have_ended(void **state)
{
    Fixture *f = *state;

    start_host(f, true);
    start_podvisord(f, SUSPEND_IGNORE);
    loop_until(f->event, f->n_locks == 1);
    assert_string_equal(f->locks[0].what, "shutdown");
    assert_false(let_go(f, 0));
    /* As if a pod were left. */
    f->supervisor->n_busy = 1;
    announce(f, "PrepareForShutdown", true);
    loop_until(f->event, f->supervisor->all_end);
    assert_false(let_go(f, 0));
    f->supervisor->n_busy = 0;
    assert_success(sd_event_source_set_enabled(f->supervisor->due_source, SD_EVENT_ON));
    loop_until(f->event, let_go(f, 0));
}

static void a_shutdown_that_is_called_off_is_forgotten(void **state)
{
    Fixture *f = *state;

    start_host(f, true);
    start_podvisord(f, SUSPEND_IGNORE);
    loop_until(f->event, f->n_locks == 1);
    announce(f, "PrepareForShutdown", true);
    loop_until(f->event, let_go(f, 0));
    announce(f, "PrepareForShutdown", false);
    loop_until(f->event, f->n_locks == 2);
    assert_false(f->supervisor->all_end);
    assert_false(let_go(f, 1));
}

static void a_shutdown_that_has_begun_is_found(void **state)
{
    Fixture *f = *state;

    f->preparing = true;
    start_host(f, true);
    start_podvisord(f, SUSPEND_IGNORE);
    loop_until(f->event, f->supervisor->all_end);
}

static void sleep_is_delayed_where_pods_are_paused_for_it(void **state)
{
    Fixture *f = *state;

    start_host(f, true);
    start_podvisord(f, SUSPEND_PAUSE);
    loop_until(f->event, f->n_locks == 2);
    assert_string_equal(f->locks[1].what, "sleep");
    announce(f, "PrepareForSleep", true);
    loop_until(f->event, let_go(f, 1));
    assert_false(let_go(f, 0));
    announce(f, "PrepareForSleep", false);
    loop_until(f->event, f->n_locks == 3);
    assert_string_equal(f->locks[2].what, "sleep");
}

static Pod *start_pod(Fixture *f, const char *name)
{
    static const char text[] = "backend = \"null\"; containers = ( { name = \"a\"; image = \"none\"; } );\n";
    _cleanup_(freep) char *file = strf("%s.pod", name);
    _cleanup_(closep) int dir = dir_open_at(f->dir.fd, "pods.d");
    Pod *pod;

    assert_success(file_replace_at(dir, file, text, strlen(text), 0644));
    loop_until(f->event, (pod = supervisor_find(f->supervisor, name)) && pod->state == POD_READY);
    return pod;
}

static void on_paused(void *userdata, int error, const char *message)
{
    assert_int_equal(error, 0);
}

static void pods_sleep_with_the_host_and_wake_with_it(void **state)
{
    Fixture *f = *state;
    VerbCall call = { .func = on_paused };

    assert_success(str_replace(&f->paths.programs, getenv("PODVISOR_PROGRAMS")));
    assert_success(mkdirat(f->dir.fd, "pods.d", 0755));
    start_host(f, true);
    start_podvisord(f, SUSPEND_PAUSE);
    loop_until(f->event, f->n_locks == 2);
    Pod *awake = start_pod(f, "awake"), *paused = start_pod(f, "paused");
    assert_int_equal(pod_verb_pause(paused, &call), 1);
    loop_until(f->event, paused->state == POD_PAUSED);
    announce(f, "PrepareForSleep", true);
    loop_until(f->event, let_go(f, 1));
    assert_true(awake->record.asleep);
    assert_false(paused->record.asleep);
    loop_until(f->event, awake->state == POD_PAUSED);
    announce(f, "PrepareForSleep", false);
    loop_until(f->event, awake->state == POD_READY && f->n_locks == 3);
    assert_false(awake->record.asleep);
    assert_int_equal(paused->state, POD_PAUSED);
}

static void podvisord_leaves_at_once_while_the_host_is_up(void **state)
{
    Fixture *f = *state;

    start_host(f, false);
    start_podvisord(f, SUSPEND_IGNORE);
    loop_until(f->event, system_bus_get(f->supervisor->system_bus));
    inhibitor_leave(f->supervisor->inhibitor, on_leave, f);
    loop_until(f->event, f->left);
    assert_false(f->supervisor->all_end);
}

static void podvisord_ends_its_pods_before_it_leaves_a_host_that_goes_down(void **state)
{
    Fixture *f = *state;

    f->state = "stopping";
    start_host(f, false);
    start_podvisord(f, SUSPEND_IGNORE);
    loop_until(f->event, system_bus_get(f->supervisor->system_bus));
    f->supervisor->n_busy = 1;
    inhibitor_leave(f->supervisor->inhibitor, on_leave, f);
    loop_until(f->event, f->supervisor->all_end);
    assert_false(f->left);
    f->supervisor->n_busy = 0;
    assert_success(sd_event_source_set_enabled(f->supervisor->due_source, SD_EVENT_ON));
    loop_until(f->event, f->left);
}

static void who_asks_twice_is_not_kept_waiting(void **state)
{
    Fixture *f = *state;

    f->state = "stopping";
    start_host(f, false);
    start_podvisord(f, SUSPEND_IGNORE);
    loop_until(f->event, system_bus_get(f->supervisor->system_bus));
    f->supervisor->n_busy = 1;
    inhibitor_leave(f->supervisor->inhibitor, on_leave, f);
    loop_until(f->event, f->supervisor->all_end);
    inhibitor_leave(f->supervisor->inhibitor, on_leave, f);
    assert_true(f->left);
    f->supervisor->n_busy = 0;
}

static void without_a_bus_podvisord_leaves_at_once(void **state)
{
    Fixture *f = *state;

    inhibitor_leave(NULL, on_leave, f);
    assert_true(f->left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_shutdown_waits_until_all_pods_have_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shutdown_that_is_called_off_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shutdown_that_has_begun_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sleep_is_delayed_where_pods_are_paused_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pods_sleep_with_the_host_and_wake_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(podvisord_leaves_at_once_while_the_host_is_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(podvisord_ends_its_pods_before_it_leaves_a_host_that_goes_down,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asks_twice_is_not_kept_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_bus_podvisord_leaves_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
