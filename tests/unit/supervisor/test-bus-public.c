/* SPDX-License-Identifier: Apache-2.0 */
/* The API on the message bus, as users with and without rights meet it. */
#include "tests/unit/supervisor/public-bus.h"

static int append_web(sd_bus_message *m)
{
    return sd_bus_message_append(m, "s", "web");
}

static int append_pod_interface(sd_bus_message *m)
{
    return sd_bus_message_append(m, "s", BUS_POD_INTERFACE);
}

static int append_state(sd_bus_message *m)
{
    return sd_bus_message_append(m, "ss", BUS_POD_INTERFACE, "State");
}

static int append_exec(sd_bus_message *m)
{
    return sd_bus_message_append(m, "sasasssbuu", "a", 1, "true", 0, "", "", 0, 0, 0);
}

/* As far as `with`: the container, a path of bytes, a truth. */
static int append_task(sd_bus_message *m, int with)
{
    int r = sd_bus_message_append(m, "s", "a");
    if (r >= 0 && with > 1)
        r = sd_bus_message_append_array(m, 'y', "/\xff", 2);
    return r >= 0 && with > 2 ? sd_bus_message_append(m, "b", 1) : r;
}

static int append_copy_in(sd_bus_message *m)
{
    return append_task(m, 3);
}

static int append_copy_out(sd_bus_message *m)
{
    return append_task(m, 2);
}

static int append_container(sd_bus_message *m)
{
    return append_task(m, 1);
}

static int append_attach(sd_bus_message *m)
{
    return sd_bus_message_append(m, "suu", "a", 24, 80);
}

static const struct {
    const char *member;
    AppendFunc append;
} arguments[] = {
    { "Get", append_state },           { "GetAll", append_pod_interface }, { "GetPod", append_web },
    { "Exec", append_exec },           { "CopyIn", append_copy_in },       { "CopyOut", append_copy_out },
    { "Processes", append_container }, { "Attach", append_attach },
};

/* A right call of a method. */
static Call call_of(const BusMethod *method, uid_t uid)
{
    Call c = { .uid = uid, .path = BUS_PATH, .interface = method->interface, .member = method->member };

    if (streq(method->interface, BUS_POD_INTERFACE) || str_ends_with(method->interface, ".Properties"))
        c.path = WEB;
    TABLE_FOREACH (row, arguments)
        if (streq(row->member, method->member))
            c.append = row->append;
    return c;
}

/* --- rights --------------------------------------------------------------------------------------------------------- */

static void every_method_that_is_served_has_a_row(void **state)
{
    sd_bus_vtable *pod;

    assert_success(bus_pod_vtable(&pod));
    const struct {
        const char *interface;
        const sd_bus_vtable *vtable;
    } tables[] = { { BUS_NAME, bus_manager_vtable }, { BUS_POD_INTERFACE, pod } };
    TABLE_FOREACH (table, tables)
        for (const sd_bus_vtable *row = table->vtable; row->type != _SD_BUS_VTABLE_END; row++) {
            if (row->type != _SD_BUS_VTABLE_METHOD)
                continue;
            const BusMethod *method = bus_find_method(table->interface, row->x.method.member);
            if (!method)
                fail_msg("nobody can call %s on the message bus", row->x.method.member);
            assert_string_equal(method->signature, row->x.method.signature ?: "");
        }
    schema_bus_vtable_free(pod);
}

static void every_effect_has_its_action(void **state)
{
    Bytes text = { 0 };

    assert_success(file_read_at(AT_FDCWD, getenv("PODVISOR_POLKIT_POLICY"), 1024 * 1024, &text));
    assert_success(bytes_terminate(&text));
    const char *at = (const char *)text.data;
    size_t n_actions = 0;
    for (; (at = strstr(at, "<action id=")); at++)
        n_actions++;
    assert_int_equal(n_actions, EFFECT_MAX);
    for (int i = 0; i < EFFECT_MAX; i++) {
        _cleanup_(freep) char *action =
            strf("<action id=\"org.podvisor.%s\">", enum_to_string(&effect_table, i));
        assert_non_null(strstr((const char *)text.data, action));
    }
    bytes_done(&text);
}

static void root_needs_no_polkit(void **state)
{
    Fixture *f = *state;

    need_root();
    for (size_t i = 0; i < n_bus_methods; i++) {
        Call c = call_of(&bus_methods[i], 0);
        Answer answer = call_as(f, &c);
        if (streq(answer.text, "AccessDenied"))
            fail_msg("%s is denied to root", c.member);
    }
    assert_int_equal(f->polkit->n_asked, 0);
}

static void without_polkit_others_may_nothing(void **state)
{
    Fixture *f = *state;

    need_root();
    for (size_t i = 0; i < n_bus_methods; i++) {
        Call c = call_of(&bus_methods[i], NOBODY);
        Answer answer = call_as(f, &c);
        assert_string_equal(answer.text, bus_methods[i].effect == EFFECT_MAX ? "" : "AccessDenied");
    }
    assert_answer(f, "AccessDenied", NOBODY, WEB, BUS_POD_INTERFACE, "NoSuchMethod");
    assert_answer(f, "AccessDenied", NOBODY, WEB, "org.freedesktop.DBus.Properties", "Set", append_state);
}

static void polkit_decides_by_the_effect(void **state)
{
    Fixture *f = *state;

    need_root();
    fake_polkit_start(f->polkit, f->bus.address);
    for (Effect allowed = 0; allowed < EFFECT_MAX; allowed++) {
        f->polkit->read = allowed == EFFECT_READ ? POLKIT_ALLOWS : POLKIT_DENIES;
        f->polkit->manage = allowed == EFFECT_MANAGE ? POLKIT_ALLOWS : POLKIT_DENIES;
        f->polkit->exec = allowed == EFFECT_EXEC ? POLKIT_ALLOWS : POLKIT_DENIES;
        for (size_t i = 0; i < n_bus_methods; i++) {
            Call c = call_of(&bus_methods[i], NOBODY);
            Answer answer = call_as(f, &c);
            bool denied = bus_methods[i].effect != EFFECT_MAX && bus_methods[i].effect != allowed;
            if (denied != streq(answer.text, "AccessDenied"))
                fail_msg("%s with %s allowed: %s", c.member, enum_to_string(&effect_table, (int)allowed),
                         answer.text);
        }
    }
}

static void polkit_is_told_who_what_and_of_which_pod(void **state)
{
    Fixture *f = *state;

    need_root();
    fake_polkit_start(f->polkit, f->bus.address);
    assert_answer(f, "AccessDenied", NOBODY, WEB, BUS_POD_INTERFACE, "Stop");
    assert_string_equal(f->polkit->action, "org.podvisor.manage");
    assert_string_equal(f->polkit->pod, "web");
    assert_string_equal(f->polkit->method, "Stop");
    assert_int_equal(f->polkit->subject[0], ':');
    assert_int_equal(f->polkit->flags, 0);

    assert_answer(f, "AccessDenied", NOBODY, BUS_PATH, BUS_NAME, "Reload", NULL, true);
    assert_string_equal(f->polkit->pod, "");
    assert_int_equal(f->polkit->flags, 1);
}

static void what_polkit_says_is_told_to_the_caller(void **state)
{
    static const struct {
        PolkitMood mood;
        const char *answer;
    } rows[] = {
        { POLKIT_DENIES, "AccessDenied" },
        { POLKIT_ALLOWS, "" },
        { POLKIT_WANTS_A_PASSWORD, "InteractiveAuthorizationRequired" },
        { POLKIT_FAILS, "AccessDenied" },
    };
    Fixture *f = *state;

    need_root();
    fake_polkit_start(f->polkit, f->bus.address);
    TABLE_FOREACH (row, rows) {
        f->polkit->read = row->mood;
        assert_answer(f, row->answer, NOBODY, WEB, "org.freedesktop.DBus.Properties", "GetAll",
                      append_pod_interface);
    }
    f->polkit->read = POLKIT_ALLOWS;
    assert_answer(f, "UnknownObject", NOBODY, BUS_PODS_PATH "/absent", "org.freedesktop.DBus.Properties",
                  "GetAll", append_pod_interface);
    assert_answer(f, "NoSuchPod", NOBODY, BUS_PATH, BUS_NAME, "GetPod", append_pod_interface);
    assert_answer(f, "UnknownInterface", NOBODY, BUS_PATH, "org.freedesktop.DBus.Properties", "GetAll",
                  append_pod_interface);
}

static pid_t ask_without_waiting(const Fixture *f)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)call_here(f, &(Call){ NOBODY, WEB, BUS_POD_INTERFACE, "Stop", .interactive = true });
        _exit(0);
    }
    return pid;
}

static void polkit_is_told_when_the_caller_leaves(void **state)
{
    Fixture *f = *state;

    need_root();
    f->polkit->manage = POLKIT_IS_SILENT;
    fake_polkit_start(f->polkit, f->bus.address);
    pid_t caller = ask_without_waiting(f);
    fake_polkit_wait(f->polkit, &f->polkit->n_asked, 1);
    assert_int_equal(f->polkit->n_cancelled, 0);

    stop(&caller);
    fake_polkit_wait(f->polkit, &f->polkit->n_cancelled, 1);
}

/* --- what both ways in tell ----------------------------------------------------------------------------------------- */

static sd_bus_message *ask(sd_bus *bus, const char *interface, const char *member, AppendFunc append,
                           bool of_pod)
{
    sd_bus_message *m, *reply;

    assert_success(sd_bus_message_new_method_call(bus, &m, sd_bus_is_bus_client(bus) > 0 ? BUS_NAME : NULL,
                                                  of_pod ? WEB : BUS_PATH, interface, member));
    assert_success(append ? append(m) : 0);
    assert_success(sd_bus_call(bus, m, 0, NULL, &reply));
    sd_bus_message_unref(m);
    return reply;
}

static PodStatus status_of(sd_bus *bus)
{
    sd_bus_message *reply = ask(bus, "org.freedesktop.DBus.Properties", "GetAll", append_pod_interface, true);
    PodStatus status;

    assert_success(schema_init(&pod_status_schema, &status));
    assert_success(schema_bus_read(reply, &pod_status_schema, &status));
    sd_bus_message_unref(reply);
    return status;
}

static int count_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    *(unsigned *)userdata += streq(sd_bus_message_get_path(m), WEB);
    return 0;
}

/* Counts into *n until the slot is let go. */
static sd_bus_slot *watch_changes(sd_bus *bus, unsigned *n)
{
    sd_bus_slot *slot;

    assert_success(sd_bus_match_signal(bus, &slot, BUS_NAME, NULL, "org.freedesktop.DBus.Properties",
                                       "PropertiesChanged", count_signal, n));
    return slot;
}

/* Until there was a change that was not counted yet. */
static void wait_change(sd_bus *bus, unsigned *n)
{
    while (*n == 0) {
        int r = sd_bus_process(bus, NULL);
        assert_success(r);
        if (r == 0 && sd_bus_wait(bus, DEADLINE) == 0)
            fail_msg("no signal");
    }
    *n = 0;
}

/* podvisord serves before it has looked at its pods for the first time. */
static PodStatus status_at_rest(sd_bus *bus)
{
    unsigned n = 0;
    sd_bus_slot *slot = watch_changes(bus, &n);
    PodStatus status = status_of(bus);

    while (!status.at_rest) {
        schema_done(&pod_status_schema, &status);
        wait_change(bus, &n);
        status = status_of(bus);
    }
    sd_bus_slot_unref(slot);
    return status;
}

static void both_ways_in_tell_the_same(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *address = strf("unix:path=%s/" PATHS_BUS, f->paths.run);
    sd_bus *private = connect_to(address, false), *public = connect_to(f->bus.address, true);
    PodStatus other = status_at_rest(public), one = status_of(private);
    Bytes a = { 0 }, b = { 0 };
    const char *state_word;

    assert_success(schema_to_bytes(&pod_status_schema, &one, &a));
    assert_success(schema_to_bytes(&pod_status_schema, &other, &b));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);

    sd_bus_message *reply = ask(public, "org.freedesktop.DBus.Properties", "Get", append_state, true);
    assert_success(sd_bus_message_read(reply, "v", "s", &state_word));
    assert_string_equal(state_word, "inactive");
    sd_bus_message_unref(reply);
    bytes_done(&a);
    bytes_done(&b);
    schema_done(&pod_status_schema, &one);
    schema_done(&pod_status_schema, &other);
    sd_bus_flush_close_unref(private);
    sd_bus_flush_close_unref(public);
}

static void changes_are_told_on_the_bus(void **state)
{
    Fixture *f = *state;
    sd_bus *bus = connect_to(f->bus.address, true);
    unsigned n = 0;

    sd_bus_slot *slot = watch_changes(bus, &n);
    sd_bus_message_unref(ask(bus, BUS_POD_INTERFACE, "Stop", NULL, true));
    wait_change(bus, &n);
    sd_bus_slot_unref(slot);
    sd_bus_flush_close_unref(bus);
}

/* --- the bus and its name ------------------------------------------------------------------------------------------- */

static void a_second_podvisord_waits_for_the_name(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *first = owner(f), *second_dir = strf("%s/second", f->dir.path);
    Paths paths;

    assert_success(mkdir(second_dir, 0755));
    assert_success(paths_init(&paths, second_dir, false));
    pid_t second = start_podvisord(&paths, f->bus.address);
    _cleanup_(freep) char *still = owner(f);
    assert_string_equal(first, still);

    stop(&f->podvisord);
    await_served(f, true);
    stop(&second);
    await_served(f, false);
    paths_done(&paths);
}

static void a_bus_that_comes_back_is_served_again(void **state)
{
    Fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        bus_daemon_stop(&f->bus);
        _cleanup_(freep) char *address = strf("unix:path=%s/" PATHS_BUS, f->paths.run);
        sd_bus *private = connect_to(address, false);
        PodStatus status = status_of(private);
        schema_done(&pod_status_schema, &status);
        sd_bus_flush_close_unref(private);

        bus_daemon_start(&f->bus);
        await_served(f, true);
        assert_answer(f, "", getuid(), WEB, BUS_POD_INTERFACE, "Stop");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_that_is_served_has_a_row),
        cmocka_unit_test(every_effect_has_its_action),
        TEST(root_needs_no_polkit),
        TEST(without_polkit_others_may_nothing),
        TEST(polkit_decides_by_the_effect),
        TEST(polkit_is_told_who_what_and_of_which_pod),
        TEST(what_polkit_says_is_told_to_the_caller),
        TEST(polkit_is_told_when_the_caller_leaves),
        TEST(both_ways_in_tell_the_same),
        TEST(changes_are_told_on_the_bus),
        TEST(a_second_podvisord_waits_for_the_name),
        TEST(a_bus_that_comes_back_is_served_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
