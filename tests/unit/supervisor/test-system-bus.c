/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the message bus, with a real dbus-daemon that comes and goes. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "schemas/bus-address.h"
#include "supervisor/system-bus.h"
#include "tests/unit/supervisor/bus-daemon.h"
#include "tests/unit/supervisor/loop.h"

typedef struct Fixture {
    TestDir dir;
    char bus_dir[80];
    BusDaemon daemon;
    sd_event *event;
    SystemBus *bus;
    SystemBusUser user;
    unsigned n_connected, n_lost;
} Fixture;

static void on_connected(void *userdata, sd_bus *bus)
{
    Fixture *f = userdata;

    assert_non_null(bus);
    assert_ptr_equal(bus, system_bus_get(f->bus));
    f->n_connected++;
}

static void on_lost(void *userdata)
{
    Fixture *f = userdata;

    assert_null(system_bus_get(f->bus));
    f->n_lost++;
}

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    f->dir = test_dir_new();
    assert_true(snprintf(f->bus_dir, sizeof f->bus_dir, "%s/dbus", f->dir.path) < (int)sizeof f->bus_dir);
    bus_daemon_init(&f->daemon, f->bus_dir);
    assert_success(sd_event_new(&f->event));
    assert_success(system_bus_new(&f->bus, f->event, f->daemon.address));
    f->user = (SystemBusUser){ .connected = on_connected, .lost = on_lost, .userdata = f };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    system_bus_leave(f->bus, &f->user);
    system_bus_free(f->bus);
    sd_event_unref(f->event);
    bus_daemon_stop(&f->daemon);
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

static void start_bus(Fixture *f)
{
    assert_success(mkdir(f->bus_dir, 0755) < 0 && errno != EEXIST ? -errno : 0);
    bus_daemon_start(&f->daemon);
}

static void connect_first(Fixture *f)
{
    start_bus(f);
    system_bus_use(f->bus, &f->user);
    loop_until(f->event, f->n_connected == 1);
}

static void a_bus_that_is_there_is_connected_with(void **state)
{
    Fixture *f = *state;

    assert_null(system_bus_get(f->bus));
    connect_first(f);

    const char *name;
    assert_success(sd_bus_get_unique_name(system_bus_get(f->bus), &name));
    assert_int_equal(name[0], ':');
    assert_int_equal(f->n_lost, 0);
}

/* Runs the loop for a while: what is not there must not appear. */
static void settle(Fixture *f)
{
    usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), 300 * USEC_PER_MSEC);

    while (now_usec(CLOCK_MONOTONIC) < end)
        assert_success(sd_event_run(f->event, 50 * USEC_PER_MSEC));
}

static void an_absent_bus_is_awaited(void **state)
{
    Fixture *f = *state;

    system_bus_use(f->bus, &f->user);
    settle(f);
    assert_int_equal(f->n_connected, 0);

    start_bus(f);
    loop_until(f->event, f->n_connected == 1);
    assert_int_equal(f->n_lost, 0);
}

static void a_bus_that_is_restarted_is_connected_with_again(void **state)
{
    Fixture *f = *state;

    connect_first(f);
    for (unsigned i = 1; i <= 3; i++) {
        bus_daemon_stop(&f->daemon);
        loop_until(f->event, f->n_lost == i);
        assert_null(system_bus_get(f->bus));
        start_bus(f);
        loop_until(f->event, f->n_connected == i + 1);
        assert_non_null(system_bus_get(f->bus));
    }
}

/* A socket where the bus would be, which nobody listens on yet. */
static int bind_socket(Fixture *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    assert_success(mkdir(f->bus_dir, 0755));
    assert_true(snprintf(address.sun_path, sizeof address.sun_path, "%s", f->daemon.socket) > 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_success(bind(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

static void a_socket_that_nobody_listens_on_is_an_absent_bus(void **state)
{
    Fixture *f = *state;
    _cleanup_(closep) int fd = bind_socket(f);

    assert_true(fd >= 0);
    system_bus_use(f->bus, &f->user);
    settle(f);
    assert_int_equal(f->n_connected, 0);

    assert_success(unlink(f->daemon.socket));
    start_bus(f);
    loop_until(f->event, f->n_connected == 1);
}

static void a_bus_that_says_nothing_holds_nobody_up(void **state)
{
    Fixture *f = *state;
    _cleanup_(closep) int fd = bind_socket(f);

    assert_success(listen(fd, 1));
    system_bus_use(f->bus, &f->user);
    settle(f);
    assert_null(system_bus_get(f->bus));
    assert_int_equal(f->n_connected, 0);
}

static void who_comes_late_is_told_at_once_and_who_left_is_not_told(void **state)
{
    Fixture *f = *state;

    connect_first(f);
    system_bus_leave(f->bus, &f->user);
    system_bus_leave(f->bus, &f->user);
    system_bus_use(f->bus, &f->user);
    assert_int_equal(f->n_connected, 2);

    SystemBusUser other = { .connected = on_connected, .userdata = f };
    system_bus_use(f->bus, &other);
    assert_int_equal(f->n_connected, 3);
    system_bus_leave(f->bus, &f->user);
    bus_daemon_stop(&f->daemon);
    loop_until(f->event, !system_bus_get(f->bus));
    assert_int_equal(f->n_lost, 0);
    system_bus_leave(f->bus, &other);
}

static void an_instance_without_a_bus_has_none(void **state)
{
    SystemBusUser user = { 0 };
    SystemBus *none;

    assert_success(system_bus_new(&none, NULL, NULL));
    assert_null(none);
    system_bus_use(none, &user);
    system_bus_leave(none, &user);
    assert_null(system_bus_get(none));
    assert_null(system_bus_free(none));
}

static void the_mode_and_the_configuration_say_which_bus(void **state)
{
    static const struct {
        PathsMode mode;
        const char *bus;
        const char *address; /* NULL: none */
    } rows[] = {
        { PATHS_SYSTEM, "auto", "unix:path=/system" },
        { PATHS_SYSTEM, "no", NULL },
        { PATHS_SYSTEM, "unix:path=/other", "unix:path=/other" },
        { PATHS_USER, "auto", "unix:path=/run/a%3ab/bus" },
        { PATHS_ROOT, "auto", NULL },
        { PATHS_ROOT, "unix:path=/other", "unix:path=/other" },
    };

    setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/system", 1);
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    setenv("XDG_RUNTIME_DIR", "/run/a:b", 1);
    TABLE_FOREACH (row, rows) {
        Paths paths = { .mode = row->mode };
        DaemonConfig config = { .bus = (char *)(uintptr_t)row->bus };
        _cleanup_(freep) char *address = NULL;
        assert_success(bus_address(&paths, &config, &address));
        assert_true(streq_ptr(address, row->address));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bus_that_is_there_is_connected_with),
        TEST(an_absent_bus_is_awaited),
        TEST(a_bus_that_is_restarted_is_connected_with_again),
        TEST(a_socket_that_nobody_listens_on_is_an_absent_bus),
        TEST(a_bus_that_says_nothing_holds_nobody_up),
        TEST(who_comes_late_is_told_at_once_and_who_left_is_not_told),
        cmocka_unit_test(an_instance_without_a_bus_has_none),
        cmocka_unit_test(the_mode_and_the_configuration_say_which_bus),
    };
    log_open("test", LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
