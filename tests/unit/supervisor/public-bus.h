/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The API on a message bus: a real dbus-daemon, podvisord's own code in a child process, and a polkit that the test plays.
 * Other users are children that have given up being root.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/units.h"
#include "schemas/schema-bus.h"
#include "supervisor/bus-internal.h"
#include "tests/unit/supervisor/bus-daemon.h"
#include "tests/unit/supervisor/fake-polkit.h"

#define NOBODY 65534
#define WEB BUS_PODS_PATH "/web"
#define DEADLINE (30 * USEC_PER_SEC)

#define IDLE "autostart = false; backend = \"null\"; containers = ( { name = \"a\"; image = \"i\"; } );\n"

typedef struct Fixture {
    TestDir dir;
    Paths paths;
    BusDaemon bus;
    FakePolkit *polkit;
    pid_t podvisord;
} Fixture;

/* --- the world ---------------------------------------------------------------------------------------------------- */

static inline _unused_ void write_file(int dir, const char *name, const char *text)
{
    _cleanup_(closep) int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_success(write_all(fd, text, strlen(text)));
}

static _Noreturn inline void serve(const Paths *paths, const char *address, int ready)
{
    DaemonConfig config;
    sd_event *event;
    Supervisor *s;

    log_open("podvisord", LOG_CRIT);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    if (schema_init(&daemon_config_schema, &config) < 0 || str_replace(&config.bus, address) < 0 ||
        sd_event_default(&event) < 0 || supervisor_new(&s, event, paths, &config) < 0 ||
        write(ready, "x", 1) != 1)
        _exit(1);
    _exit(sd_event_loop(event) < 0);
}

static inline _unused_ pid_t start_podvisord(const Paths *paths, const char *address)
{
    int ready[2];
    char c;

    assert_success(pipe(ready));
    pid_t pid = fork();
    if (pid == 0)
        serve(paths, address, ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static inline _unused_ void stop(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

static inline _unused_ sd_bus *connect_to(const char *address, bool is_bus)
{
    sd_bus *bus;

    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 ||
        sd_bus_set_bus_client(bus, is_bus) < 0 || sd_bus_negotiate_fds(bus, true) < 0 ||
        sd_bus_set_method_call_timeout(bus, DEADLINE) < 0 || sd_bus_start(bus) < 0)
        return NULL;
    return bus;
}

/* The unique name that has the API's, "" for nobody. */
static inline _unused_ char *owner_on(sd_bus *bus)
{
    sd_bus_message *reply = NULL;
    const char *name = "";

    if (sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                           "GetNameOwner", NULL, &reply, "s", BUS_NAME) >= 0)
        assert_success(sd_bus_message_read(reply, "s", &name));
    char *copy = strdup(name);
    sd_bus_message_unref(reply);
    return copy;
}

static inline _unused_ char *owner(const Fixture *f)
{
    sd_bus *bus = connect_to(f->bus.address, true);
    char *name = owner_on(bus);

    sd_bus_flush_close_unref(bus);
    return name;
}

static inline _unused_ int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    *(bool *)userdata = true;
    return 0;
}

static inline _unused_ void next_owner(sd_bus *bus, bool *changed)
{
    while (!*changed) {
        int r = sd_bus_process(bus, NULL);
        assert_success(r);
        if (r == 0 && sd_bus_wait(bus, DEADLINE) == 0)
            fail_msg("the name of the API stays where it is");
    }
    *changed = false;
}

/* Until somebody, or nobody, has the API's name. */
static inline _unused_ void await_served(const Fixture *f, bool served)
{
    sd_bus *bus = connect_to(f->bus.address, true);
    bool changed = false;

    assert_success(sd_bus_add_match(
        bus, NULL, "sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" BUS_NAME "'",
        on_owner_changed, &changed));
    for (;;) {
        _cleanup_(freep) char *name = owner_on(bus);
        if ((*name != 0) == served)
            break;
        next_owner(bus, &changed);
    }
    sd_bus_flush_close_unref(bus);
}

static inline _unused_ int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    f->dir = test_dir_new();
    assert_success(chmod(f->dir.path, 0711)); /* the bus is in there */
    assert_success(mkdirat(f->dir.fd, "pods.d", 0755));
    assert_success(paths_init(&f->paths, f->dir.path, false));
    write_file(f->dir.fd, "pods.d/web.pod", IDLE);
    bus_daemon_init(&f->bus, f->dir.path);
    bus_daemon_start(&f->bus);
    f->polkit = fake_polkit_new();
    f->podvisord = start_podvisord(&f->paths, f->bus.address);
    await_served(f, true);
    *state = f;
    return 0;
}

static inline _unused_ int tear_down(void **state)
{
    Fixture *f = *state;

    stop(&f->podvisord);
    fake_polkit_free(f->polkit);
    bus_daemon_stop(&f->bus);
    paths_done(&f->paths);
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

/* --- callers -------------------------------------------------------------------------------------------------------- */

/* What a caller is told: "" when the call succeeded, else the error's name behind its last dot. */
typedef struct Answer {
    char text[64];
} Answer;

typedef int (*AppendFunc)(sd_bus_message *m);

typedef struct Call {
    uid_t uid;
    const char *path, *interface, *member;
    AppendFunc append; /* NULL: no arguments */
    bool interactive;
} Call;

static inline _unused_ Answer call_here(const Fixture *f, const Call *c)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    Answer answer = { "NoBus" };
    sd_bus_message *m;

    if (c->uid != getuid() && (setgid(c->uid) < 0 || setuid(c->uid) < 0))
        return answer;
    sd_bus *bus = connect_to(f->bus.address, true);
    if (!bus || sd_bus_message_new_method_call(bus, &m, BUS_NAME, c->path, c->interface, c->member) < 0 ||
        sd_bus_message_set_allow_interactive_authorization(m, c->interactive) < 0 ||
        (c->append && c->append(m) < 0))
        return answer;
    int r = sd_bus_call(bus, m, 0, &error, NULL);
    const char *dot = error.name ? strrchr(error.name, '.') : NULL;
    (void)snprintf(answer.text, sizeof answer.text, "%s", r >= 0 ? "" : dot ? dot + 1 : "?");
    return answer;
}

static inline _unused_ Answer call_as(const Fixture *f, const Call *c)
{
    int ends[2], status;
    Answer answer;

    assert_success(pipe(ends));
    pid_t pid = fork();
    if (pid == 0) {
        answer = call_here(f, c);
        _exit(write(ends[1], &answer, sizeof answer) != sizeof answer);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &answer, sizeof answer), sizeof answer);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return answer;
}

#define assert_answer(f, expected, ...)                                                                      \
    do {                                                                                                     \
        Answer answer_ = call_as(f, &(Call){ __VA_ARGS__ });                                                 \
        assert_string_equal(answer_.text, expected);                                                         \
    } while (0)

/* Only root can become somebody else. */
static inline _unused_ void need_root(void)
{
    if (geteuid() != 0)
        skip();
}
