/* SPDX-License-Identifier: Apache-2.0 */
/* The API as a client of sd-bus meets it: podvisord's own code in a child process, without a runner to launch. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "schemas/schema-bus.h"
#include "supervisor/bus.h"
#include "supervisor/supervisor.h"
#include "tests/unit/guard.h"
#include "tests/unit/test.h"

typedef struct Fixture {
    TestDir dir;
    Paths paths;
    pid_t daemon;
    sd_bus *bus;
} Fixture;

static _Noreturn void serve(Fixture *f, int ready)
{
    DaemonConfig config;
    sd_event *event;
    Supervisor *s;

    log_open("podvisord", LOG_CRIT);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (schema_init(&daemon_config_schema, &config) < 0 || sd_event_default(&event) < 0 ||
        supervisor_new(&s, event, &f->paths, &config) < 0 || write(ready, "x", 1) != 1)
        _exit(1);
    _exit(sd_event_loop(event) < 0);
}

static void connect_bus(Fixture *f)
{
    _cleanup_(freep) char *address = strf("unix:path=%s/" PATHS_BUS, f->paths.run);

    assert_success(sd_bus_new(&f->bus));
    assert_success(sd_bus_set_address(f->bus, address));
    assert_success(sd_bus_negotiate_fds(f->bus, true));
    assert_success(sd_bus_start(f->bus));
}

static void define(Fixture *f, const char *name, const char *text)
{
    _cleanup_(freep) char *file = strf("pods.d/%s.pod", name);
    _cleanup_(closep) int fd = openat(f->dir.fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_success(write_all(fd, text, strlen(text)));
}

#define IDLE "autostart = false; backend = \"null\"; containers = ( { name = \"a\"; image = \"i\"; } );\n"

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    int ready[2];
    char c;

    f->dir = test_dir_new();
    assert_success(mkdirat(f->dir.fd, "pods.d", 0755));
    assert_success(paths_init(&f->paths, f->dir.path, false));
    define(f, "web-1", IDLE);
    define(f, "bad", "cpus = 0;\n");
    assert_success(pipe(ready));
    if ((f->daemon = fork()) == 0)
        serve(f, ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    connect_bus(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    sd_bus_flush_close_unref(f->bus);
    kill(f->daemon, SIGKILL);
    waitpid(f->daemon, NULL, 0);
    paths_done(&f->paths);
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

/* --- introspection ------------------------------------------------------------------------------------------------ */

/* The value of an attribute in a tag (from < to >); "" when it has none. */
static char *attribute(const char *tag, const char *name)
{
    _cleanup_(freep) char *key = strf(" %s=\"", name);
    const char *end = strchr(tag, '>'), *at = strstr(tag, key);

    if (!at || at > end)
        return strdup("");
    at += strlen(key);
    return strndup(at, strcspn(at, "\""));
}

static bool ours(const char *interface)
{
    return str_after(interface, BUS_NAME) != NULL;
}

/* "INTERFACE.MEMBER kind type access direction value", one for each member, argument and annotation, in their order. */
static char **members(const char *xml)
{
    static const char *const kinds[] = { "interface", "method", "property", "signal", "arg", "annotation" };
    static const char *const attributes[] = { "name", "type", "access", "direction", "value" };
    char **found = NULL, *interface = strdup("");

    for (const char *p = strchr(xml, '<'); p; p = strchr(p + 1, '<')) {
        TABLE_FOREACH (kind, kinds) {
            const char *rest = str_after(p + 1, *kind);
            if (!rest || *rest != ' ')
                continue;
            char *values[ELEMENTSOF(attributes)];
            for (size_t i = 0; i < ELEMENTSOF(attributes); i++)
                values[i] = attribute(p, attributes[i]);
            if (streq(*kind, "interface"))
                assert_success(str_replace(&interface, values[0]));
            else if (ours(interface))
                assert_success(strv_appendf(&found, "%s.%s %s %s %s %s %s", interface, values[0], *kind,
                                            values[1], values[2], values[3], values[4]));
            for (size_t i = 0; i < ELEMENTSOF(attributes); i++)
                free(values[i]);
        }
    }
    free(interface);
    return found;
}

static char **introspect(Fixture *f, const char *path)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply;
    const char *xml;

    assert_success(sd_bus_call_method(f->bus, NULL, path, "org.freedesktop.DBus.Introspectable", "Introspect",
                                      &error, &reply, ""));
    assert_success(sd_bus_message_read(reply, "s", &xml));
    char **found = members(xml);
    sd_bus_message_unref(reply);
    return found;
}

static void the_api_is_what_its_description_says(void **state)
{
    Fixture *f = *state;
    Bytes text;

    assert_success(file_read_at(AT_FDCWD, getenv("PODVISOR_API_XML"), 1024 * 1024, &text));
    assert_success(bytes_terminate(&text));
    char **described = members((const char *)text.data);
    char **served = introspect(f, BUS_PATH), **of_pod = introspect(f, BUS_PODS_PATH "/web_2d1");
    STRV_FOREACH (member, of_pod)
        assert_success(strv_append(&served, *member));

    for (size_t i = 0; i < MAX(strv_length(described), strv_length(served)); i++) {
        const char *one = i < strv_length(described) ? described[i] : "nothing";
        const char *other = i < strv_length(served) ? served[i] : "nothing";
        if (!streq(one, other))
            fail_msg("described: %s; served: %s", one, other);
    }
    bytes_done(&text);
    strv_free(described);
    strv_free(served);
    strv_free(of_pod);
}

/* --- properties ---------------------------------------------------------------------------------------------------- */

static PodStatus get_all(Fixture *f, const char *path)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply;
    PodStatus status;

    assert_success(schema_init(&pod_status_schema, &status));
    assert_success(sd_bus_call_method(f->bus, NULL, path, "org.freedesktop.DBus.Properties", "GetAll", &error,
                                      &reply, "s", BUS_POD_INTERFACE));
    assert_success(schema_bus_read(reply, &pod_status_schema, &status));
    sd_bus_message_unref(reply);
    return status;
}

static void a_pod_is_read_back_as_it_is(void **state)
{
    PodStatus status = get_all(*state, BUS_PODS_PATH "/web_2d1");

    assert_string_equal(status.name, "web-1");
    assert_int_equal(status.state, POD_INACTIVE);
    assert_int_equal(status.generation, 1);
    assert_int_equal(status.containers_total, 1);
    assert_int_equal(status.exit_code, -1);
    assert_string_equal(status.backend, "null");
    assert_true(str_ends_with(status.file, "/pods.d/web-1.pod"));
    schema_done(&pod_status_schema, &status);
}

static void errors_of_a_file_stand_at_its_pod(void **state)
{
    PodStatus status = get_all(*state, BUS_PODS_PATH "/bad");

    assert_true(strv_length(status.errors) >= 2);
    assert_non_null(strstr(status.errors[0], "/pods.d/bad.pod"));
    schema_done(&pod_status_schema, &status);
}

static void managed_objects_are_all_pods(void **state)
{
    Fixture *f = *state;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply;
    const char *path;
    unsigned n = 0;

    assert_success(sd_bus_call_method(f->bus, NULL, BUS_PATH, "org.freedesktop.DBus.ObjectManager",
                                      "GetManagedObjects", &error, &reply, ""));
    assert_success(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"));
    while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
        assert_success(sd_bus_message_read(reply, "o", &path));
        n += str_after(path, BUS_PODS_PATH "/") != NULL;
        assert_success(sd_bus_message_skip(reply, "a{sa{sv}}"));
        assert_success(sd_bus_message_exit_container(reply));
    }
    assert_int_equal(n, 2);
    sd_bus_message_unref(reply);
}

/* --- methods -------------------------------------------------------------------------------------------------------- */

static void call_fails(Fixture *f, const char *path, const char *interface, const char *method,
                       const char *name)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;

    assert_true(sd_bus_call_method(f->bus, NULL, path, interface, method, &error, NULL, "") < 0);
    assert_string_equal(error.name, name);
    assert_true(strlen(error.message) > 10);
    sd_bus_error_free(&error);
}

static void errors_have_names_and_say_what_to_do(void **state)
{
    const struct {
        const char *path, *interface, *method, *name;
    } cases[] = {
        { BUS_PODS_PATH "/bad", BUS_POD_INTERFACE, "Start", "org.podvisor.Error.NoDefinition" },
        { BUS_PODS_PATH "/web_2d1", BUS_POD_INTERFACE, "Pause", "org.podvisor.Error.NotRunning" },
        { BUS_PODS_PATH "/web_2d1", BUS_POD_INTERFACE, "Adopt", "org.podvisor.Error.WrongState" },
        { BUS_PODS_PATH "/none", BUS_POD_INTERFACE, "Start", "org.freedesktop.DBus.Error.UnknownObject" },
        { BUS_PATH, BUS_NAME, "Reload", "org.podvisor.Error.BadDefinition" },
    };

    TABLE_FOREACH (c, cases)
        call_fails(*state, c->path, c->interface, c->method, c->name);
}

static void get_pod_tells_the_path(void **state)
{
    Fixture *f = *state;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply;
    const char *path;

    assert_success(
        sd_bus_call_method(f->bus, NULL, BUS_PATH, BUS_NAME, "GetPod", &error, &reply, "s", "web-1"));
    assert_success(sd_bus_message_read(reply, "o", &path));
    assert_string_equal(path, BUS_PODS_PATH "/web_2d1");
    sd_bus_message_unref(reply);
    assert_true(sd_bus_call_method(f->bus, NULL, BUS_PATH, BUS_NAME, "GetPod", &error, NULL, "s", "none") <
                0);
    assert_string_equal(error.name, "org.podvisor.Error.NoSuchPod");
    sd_bus_error_free(&error);
}

/* --- signals -------------------------------------------------------------------------------------------------------- */

static sd_bus_message *await_signal(Fixture *f, const char *interface, const char *member)
{
    for (;;) {
        sd_bus_message *m = NULL;
        int r = sd_bus_process(f->bus, &m);
        assert_success(r);
        if (m && sd_bus_message_is_signal(m, interface, member) > 0)
            return m;
        sd_bus_message_unref(m);
        if (r == 0 && sd_bus_wait(f->bus, 30 * USEC_PER_SEC) == 0)
            fail_msg("no signal %s", member);
    }
}

static void changes_are_told_with_the_properties_that_changed(void **state)
{
    Fixture *f = *state;
    sd_bus_error error = SD_BUS_ERROR_NULL;

    assert_success(sd_bus_call_method(f->bus, NULL, BUS_PODS_PATH "/web_2d1", BUS_POD_INTERFACE, "Stop",
                                      &error, NULL, ""));
    /* Other pods may have news of their own. */
    for (bool told = false; !told;) {
        sd_bus_message *m = await_signal(f, "org.freedesktop.DBus.Properties", "PropertiesChanged");
        told = streq(sd_bus_message_get_path(m), BUS_PODS_PATH "/web_2d1");
        sd_bus_message_unref(m);
    }
}

static void await_change_of_web(Fixture *f)
{
    for (bool told = false; !told;) {
        sd_bus_message *m = await_signal(f, "org.freedesktop.DBus.Properties", "PropertiesChanged");
        told = streq(sd_bus_message_get_path(m), BUS_PODS_PATH "/web_2d1");
        sd_bus_message_unref(m);
    }
}

/* Else whoever waits by the signals would wait for ever when things are as they were again. */
static void what_was_true_for_a_moment_is_followed_by_a_signal(void **state)
{
    Fixture *f = *state;
    bool glimpsed = false;

    assert_success(sd_bus_call_method(f->bus, NULL, BUS_PODS_PATH "/web_2d1", BUS_POD_INTERFACE, "Stop", NULL,
                                      NULL, ""));
    await_change_of_web(f);
    /* The next stop changes nothing, but for the moment until podvisord has decided that. */
    for (int i = 0; i < 1000 && !glimpsed; i++) {
        assert_success(sd_bus_call_method_async(f->bus, NULL, NULL, BUS_PODS_PATH "/web_2d1",
                                                BUS_POD_INTERFACE, "Stop", NULL, NULL, ""));
        PodStatus status = get_all(f, BUS_PODS_PATH "/web_2d1");
        glimpsed = !status.at_rest;
        schema_done(&pod_status_schema, &status);
    }
    if (glimpsed)
        await_change_of_web(f);
}

static void pods_that_come_and_go_are_told(void **state)
{
    Fixture *f = *state;
    const char *path;

    define(f, "new", IDLE);
    sd_bus_message *m = await_signal(f, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded");
    assert_success(sd_bus_message_read(m, "o", &path));
    assert_string_equal(path, BUS_PODS_PATH "/new");
    sd_bus_message_unref(m);

    assert_success(unlinkat(f->dir.fd, "pods.d/new.pod", 0));
    m = await_signal(f, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved");
    assert_success(sd_bus_message_read(m, "o", &path));
    assert_string_equal(path, BUS_PODS_PATH "/new");
    sd_bus_message_unref(m);
}

static void clients_that_come_and_go_leave_nothing(void **state)
{
    Fixture *f = *state;

    for (int i = 0; i < 300; i++) {
        sd_bus *first = f->bus;
        connect_bus(f);
        PodStatus status = get_all(f, BUS_PODS_PATH "/bad");
        schema_done(&pod_status_schema, &status);
        sd_bus_flush_close_unref(f->bus);
        f->bus = first;
    }
    a_pod_is_read_back_as_it_is(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_api_is_what_its_description_says),
        TEST(a_pod_is_read_back_as_it_is),
        TEST(errors_of_a_file_stand_at_its_pod),
        TEST(managed_objects_are_all_pods),
        TEST(errors_have_names_and_say_what_to_do),
        TEST(get_pod_tells_the_path),
        TEST(changes_are_told_with_the_properties_that_changed),
        TEST(what_was_true_for_a_moment_is_followed_by_a_signal),
        TEST(pods_that_come_and_go_are_told),
        TEST(clients_that_come_and_go_leave_nothing),
    };
    test_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
