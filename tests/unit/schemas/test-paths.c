/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/paths.h"
#include "tests/unit/test.h"

static void below_a_root_everything_is_below_it(void **state)
{
    Paths p;

    assert_success(paths_init(&p, "/x", false));
    assert_int_equal(p.mode, PATHS_ROOT);
    assert_string_equal(p.definitions[0], "/x/pods.d");
    assert_null(p.definitions[1]);
    assert_string_equal(p.run, "/x/run");
    assert_string_equal(p.state, "/x/state");
    paths_done(&p);
}

static void a_relative_root_is_made_absolute(void **state)
{
    Paths p;

    assert_int_equal(chdir("/tmp"), 0);
    assert_success(paths_init(&p, "x", false));
    assert_string_equal(p.run, "/tmp/x/run");
    paths_done(&p);
}

static void paths_have_nothing_superfluous_in_them(void **state)
{
    static const struct {
        const char *root, *run;
    } rows[] = {
        { "/x/", "/x/run" }, { "//x/./y//", "/x/y/run" },   { "./x", "/tmp/x/run" },
        { ".", "/tmp/run" }, { "/tmp/../tmp", "/tmp/run" }, { "/none/../x", "/none/../x/run" },
    };
    Paths p;

    assert_int_equal(chdir("/tmp"), 0);
    TABLE_FOREACH (row, rows) {
        assert_success(paths_init(&p, row->root, false));
        assert_string_equal(p.run, row->run);
        assert_null(strstr(p.guest, ".."));
        paths_done(&p);
    }
}

static void the_environment_names_a_root_where_no_option_does(void **state)
{
    Paths p;

    setenv("PODVISOR_ROOT", "/from-env", 1);
    assert_success(paths_init(&p, NULL, false));
    assert_string_equal(p.run, "/from-env/run");
    paths_done(&p);
    assert_success(paths_init(&p, "/given", false));
    assert_string_equal(p.run, "/given/run");
    paths_done(&p);
    unsetenv("PODVISOR_ROOT");
}

static void a_user_has_a_podvisor_of_his_own(void **state)
{
    Paths p;

    setenv("HOME", "/home/u", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_STATE_HOME");
    assert_success(paths_init(&p, NULL, true));
    assert_string_equal(p.definitions[0], "/home/u/.config/podvisor/pods.d");
    assert_string_equal(p.run, "/run/user/1/podvisor");
    assert_string_equal(p.state, "/home/u/.local/state/podvisor");
    paths_done(&p);
    assert_int_equal(paths_init(&p, "/x", true), -EINVAL);
    unsetenv("XDG_RUNTIME_DIR");
    assert_int_equal(paths_init(&p, NULL, true), -ENOENT);
}

static void the_system_reads_three_directories(void **state)
{
    Paths p;

    assert_success(paths_init(&p, NULL, false));
    assert_int_equal(strv_length(p.definitions), 3);
    assert_string_equal(p.run, "/run/podvisor");
    paths_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_a_root_everything_is_below_it),
        cmocka_unit_test(a_relative_root_is_made_absolute),
        cmocka_unit_test(paths_have_nothing_superfluous_in_them),
        cmocka_unit_test(the_environment_names_a_root_where_no_option_does),
        cmocka_unit_test(a_user_has_a_podvisor_of_his_own),
        cmocka_unit_test(the_system_reads_three_directories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
