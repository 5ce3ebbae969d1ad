/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile user may do on the message bus: podvisord lives, keeps little of it, and answers all others. */
#include "tests/unit/supervisor/public-bus.h"

enum {
    HUGE = 4 * 1024 * 1024,
    OF_A_CALLER = 8, /* calls that may wait for their permission; as in authority.c */
    /* A bus hands on in the order in which it was called, so more of them keep a slow bus busy for longer than a test can wait. */
    FLOODERS = 2,
    CONNECTIONS = 4,        /* of each flooder */
    OTHER = 1,              /* a user (daemon) who means no harm */
    GROWTH_MAX = 64 * 1024, /* KiB */
};

static int append_wrong(sd_bus_message *m)
{
    return sd_bus_message_append(m, "a{sv}t", 1, "x", "x", INT64_C(-1), UINT64_MAX);
}

static int append_web(sd_bus_message *m)
{
    return sd_bus_message_append(m, "s", "web");
}

static int append_huge(sd_bus_message *m)
{
    char *text;

    int r = sd_bus_message_append_string_space(m, HUGE, &text);
    if (r >= 0)
        memset(text, 'x', HUGE);
    return r;
}

static int append_huge_interface(sd_bus_message *m)
{
    int r = append_huge(m);
    return r < 0 ? r : sd_bus_message_append(m, "s", "State");
}

/* A command of very many empty words. */
static int append_many_words(sd_bus_message *m)
{
    int r = sd_bus_message_append(m, "s", "a");
    if (r >= 0)
        r = sd_bus_message_open_container(m, 'a', "s");
    for (size_t i = 0; r >= 0 && i < 500000; i++)
        r = sd_bus_message_append(m, "s", "");
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : sd_bus_message_append(m, "asssbuu", 0, "", "", 0, 0, 0);
}

/* A path of very many bytes. */
static int append_many_bytes(sd_bus_message *m)
{
    void *at;
    int r = sd_bus_message_append(m, "s", "a");

    if (r < 0 || (r = sd_bus_message_append_array_space(m, 'y', 8 * 1024 * 1024, &at)) < 0)
        return r;
    memset(at, 'x', 8 * 1024 * 1024);
    return 0;
}

/* --- bad arguments -------------------------------------------------------------------------------------------------- */

static void assert_serves(const Fixture *f)
{
    Call c = { getuid(), WEB, BUS_POD_INTERFACE, "Stop" };
    Answer answer = call_as(f, &c);

    assert_string_equal(answer.text, "");
}

static void arguments_of_wrong_types_are_refused(void **state)
{
    Fixture *f = *state;

    need_root();
    fake_polkit_start(f->polkit, f->bus.address);
    for (size_t i = 0; i < n_bus_methods; i++) {
        const BusMethod *method = &bus_methods[i];
        Call c = { NOBODY, WEB, method->interface, method->member, append_wrong };
        Answer answer = call_as(f, &c);
        if (method->effect != EFFECT_MAX && !streq(answer.text, "InvalidArgs"))
            fail_msg("%s: %s", c.member, answer.text);
    }
    assert_int_equal(f->polkit->n_asked, 0);
    assert_serves(f);
}

static void arguments_that_are_too_long_are_refused_before_anybody_is_asked(void **state)
{
    static const Call calls[] = {
        { NOBODY, BUS_PATH, BUS_NAME, "GetPod", append_huge },
        { NOBODY, WEB, "org.freedesktop.DBus.Properties", "GetAll", append_huge },
        { NOBODY, WEB, "org.freedesktop.DBus.Properties", "Get", append_huge_interface },
        { NOBODY, WEB, BUS_POD_INTERFACE, "Exec", append_many_words },
        { NOBODY, WEB, BUS_POD_INTERFACE, "CopyOut", append_many_bytes },
    };
    Fixture *f = *state;

    need_root();
    fake_polkit_start(f->polkit, f->bus.address);
    TABLE_FOREACH (call, calls) {
        Answer answer = call_as(f, call);
        if (!streq(answer.text, "LimitsExceeded"))
            fail_msg("%s: %s", call->member, answer.text);
    }
    assert_int_equal(f->polkit->n_asked, 0);
    assert_serves(f);
}

static void paths_and_interfaces_of_all_kinds_are_refused(void **state)
{
    static const Call calls[] = {
        { 0, "/", BUS_POD_INTERFACE, "Stop" },
        { 0, BUS_PODS_PATH, BUS_POD_INTERFACE, "Stop" },
        { 0, BUS_PODS_PATH "/_2e_2e_2f", BUS_POD_INTERFACE, "Stop" },
        { 0, BUS_PODS_PATH "/web/web", BUS_POD_INTERFACE, "Stop" },
        { 0, BUS_PODS_PATH "/_", BUS_POD_INTERFACE, "Stop" },
        { 0, BUS_PATH, BUS_POD_INTERFACE, "Stop" },
        { 0, WEB, BUS_NAME, "Reload" },
        { 0, WEB, NULL, "Stop" },
        { 0, WEB, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects" },
    };
    Fixture *f = *state;

    need_root();
    TABLE_FOREACH (call, calls) {
        Answer answer = call_as(f, call);
        if (streq(answer.text, "") || streq(answer.text, "NoReply"))
            fail_msg("%s of %s: %s", call->member, call->path, *answer.text ? answer.text : "called");
    }
    assert_serves(f);
}

/* --- too much ------------------------------------------------------------------------------------------------------- */

static int count_refusal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    *(unsigned *)userdata += sd_bus_message_is_method_error(m, SD_BUS_ERROR_LIMITS_EXCEEDED);
    return 0;
}

/* Calls that polkit never answers, without waiting for them. */
static unsigned call_many(sd_bus *bus, unsigned n, unsigned *refused)
{
    for (unsigned i = 0; i < n; i++)
        if (sd_bus_call_method_async(bus, NULL, BUS_NAME, WEB, BUS_POD_INTERFACE, "Stop", count_refusal,
                                     refused, "") < 0)
            return i;
    return n;
}

static _Noreturn void overdo(const Fixture *f)
{
    unsigned refused = 0;

    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        _exit(2);
    sd_bus *bus = connect_to(f->bus.address, true);
    (void)call_many(bus, OF_A_CALLER + 5, &refused);
    while (refused < 5)
        if (sd_bus_process(bus, NULL) == 0 && sd_bus_wait(bus, DEADLINE) <= 0)
            _exit(3);
    _exit(refused != 5);
}

static void of_one_caller_only_so_many_calls_wait(void **state)
{
    Fixture *f = *state;
    int status;

    need_root();
    f->polkit->manage = POLKIT_IS_SILENT;
    fake_polkit_start(f->polkit, f->bus.address);
    pid_t pid = fork();
    if (pid == 0)
        overdo(f);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);

    /* It has left; so has all that it was waiting for. */
    fake_polkit_wait(f->polkit, &f->polkit->n_cancelled, OF_A_CALLER);
    assert_serves(f);
}

static _Noreturn void flood(const Fixture *f)
{
    sd_bus *buses[CONNECTIONS];
    unsigned refused = 0;

    /* Behind the change of user, which would undo it. */
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        _exit(2);
    TABLE_FOREACH (bus, buses)
        if (!(*bus = connect_to(f->bus.address, true)))
            _exit(3);
    /* As much as the bus takes, and never reading what comes back. */
    for (;;)
        TABLE_FOREACH (bus, buses) {
            (void)call_many(*bus, 50, &refused);
            if (sd_bus_flush(*bus) < 0)
                _exit(4);
        }
}

static unsigned long memory_of(pid_t pid)
{
    _cleanup_(freep) char *path = strf("/proc/%d/status", (int)pid);
    Bytes text = { 0 };

    assert_success(file_read_at(AT_FDCWD, path, 64 * 1024, &text));
    assert_success(bytes_terminate(&text));
    const char *at = strstr((const char *)text.data, "VmRSS:");
    unsigned long kilobytes = at ? strtoul(at + strlen("VmRSS:"), NULL, 10) : 0;
    bytes_done(&text);
    assert_true(kilobytes > 0);
    return kilobytes;
}

static void stop_and_look(sd_bus *bus, const char *destination, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_success(sd_bus_call_method(bus, destination, WEB, BUS_POD_INTERFACE, "Stop", NULL, NULL, ""));
        assert_success(sd_bus_call_method(bus, destination, WEB, "org.freedesktop.DBus.Properties", "GetAll",
                                          NULL, NULL, "s", BUS_POD_INTERFACE));
    }
}

static void a_flood_keeps_nobody_from_being_answered(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *address = strf("unix:path=%s/" PATHS_BUS, f->paths.run);
    pid_t flooders[FLOODERS];

    need_root();
    f->polkit->manage = POLKIT_IS_SILENT;
    f->polkit->read = POLKIT_ALLOWS;
    fake_polkit_start(f->polkit, f->bus.address);
    unsigned long before = memory_of(f->podvisord);
    sd_bus *private = connect_to(address, false), *public = connect_to(f->bus.address, true);
    TABLE_FOREACH (pid, flooders)
        if ((*pid = fork()) == 0)
            flood(f);
    fake_polkit_wait(f->polkit, &f->polkit->n_asked, 2 * OF_A_CALLER);

    stop_and_look(private, NULL, 50);
    stop_and_look(public, BUS_NAME, 2);
    Call c = { OTHER, BUS_PATH, BUS_NAME, "GetPod", append_web };
    Answer answer = call_as(f, &c);
    assert_string_equal(answer.text, "");
    unsigned long after = memory_of(f->podvisord);
    if (after > before + GROWTH_MAX)
        fail_msg("podvisord has grown from %lu to %lu KiB", before, after);

    TABLE_FOREACH (pid, flooders)
        stop(pid);
    sd_bus_flush_close_unref(private);
    sd_bus_flush_close_unref(public);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(arguments_of_wrong_types_are_refused),
        TEST(arguments_that_are_too_long_are_refused_before_anybody_is_asked),
        TEST(paths_and_interfaces_of_all_kinds_are_refused),
        TEST(of_one_caller_only_so_many_calls_wait),
        TEST(a_flood_keeps_nobody_from_being_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
