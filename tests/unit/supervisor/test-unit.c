/* SPDX-License-Identifier: Apache-2.0 */
/* Units of pods: names, and what an administrator's drop-ins say. */
#include "base/file.h"
#include "base/strings.h"
#include "supervisor/unit.h"
#include "tests/unit/test.h"

static void a_pod_has_a_unit(void **state)
{
    _cleanup_(freep) char *unit = unit_of_pod("web-1");

    assert_string_equal(unit, "podvisor-pod@web-1.service");
}

static void a_process_elsewhere_is_of_no_pod(void **state)
{
    assert_null(unit_pod_of_process(getpid()));
    assert_null(unit_pod_of_process(0x3fffffff));
}

static bool sets(const char *directory, const char *text, const char *key)
{
    TestDir d = test_dir_new();
    _cleanup_(freep) char *path = strf("%s/%s", d.path, directory);
    const char *const directories[] = { d.path, NULL };

    int r = dir_make_path(path, 0700);
    assert_success(r);
    _cleanup_(closep) int fd = dir_open_at(AT_FDCWD, path);
    assert_success(file_replace_at(fd, "override.conf", text, strlen(text), 0600));
    bool found = unit_drop_in_sets(directories, "web", key);
    test_dir_done(&d);
    return found;
}

static void an_administrators_drop_in_is_found(void **state)
{
    static const char text[] = "[Service]\n# MemoryMax=1\n MemoryMax = 1G\nCPUQuotaX=3\n";

    assert_true(sets("podvisor-pod@web.service.d", text, "MemoryMax"));
    assert_true(sets("podvisor-pod@.service.d", text, "MemoryMax"));
    assert_false(sets("podvisor-pod@db.service.d", text, "MemoryMax"));
    assert_false(sets("podvisor-pod@web.service.d", text, "CPUQuota"));
    assert_false(sets("podvisor-pod@web.service.d", "#MemoryMax=1", "MemoryMax"));
    assert_false(sets("podvisor-pod@web.service.d", "", "MemoryMax"));
}

static bool has(const char *controllers, const char *name)
{
    TestDir d = test_dir_new();

    if (controllers)
        assert_success(file_replace_at(d.fd, "cgroup.controllers", controllers, strlen(controllers), 0600));
    bool found = unit_has_controller(d.path, name);
    test_dir_done(&d);
    return found;
}

static void a_missing_controller_is_noticed(void **state)
{
    assert_true(has("cpuset cpu io memory pids\n", "cpu"));
    assert_true(has("cpuset cpu io memory pids\n", "memory"));
    assert_true(has("memory", "memory"));
    assert_false(has("cpuset io pids\n", "cpu"));
    assert_false(has("\n", "memory"));
    /* Without the unified tree it cannot be told. */
    assert_true(has(NULL, "memory"));
    assert_true(unit_has_controller("/nowhere", "memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pod_has_a_unit),
        cmocka_unit_test(a_process_elsewhere_is_of_no_pod),
        cmocka_unit_test(a_missing_controller_is_noticed),
        cmocka_unit_test(an_administrators_drop_in_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
