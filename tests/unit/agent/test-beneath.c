/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "guest/agent/beneath.h"
#include "tests/unit/test.h"

static void directories_are_made_at_each_level(void **state)
{
    TestDir d = test_dir_new();
    struct stat st;

    _cleanup_(closep) int fd = make_directory_beneath(d.fd, "/a/b/c", 0);
    assert_true(fd >= 0);
    _cleanup_(closep) int again = make_directory_beneath(d.fd, "/a/b/c", 0);
    assert_true(again >= 0);
    assert_success(fstatat(d.fd, "a/b/c", &st, 0));
    assert_true(S_ISDIR(st.st_mode));
    test_dir_done(&d);
}

static void links_stay_below_the_root(void **state)
{
    TestDir d = test_dir_new();
    struct stat st;

    assert_success(symlinkat("/run", d.fd, "var-run"));
    assert_success(symlinkat("../../../../..", d.fd, "up"));
    _cleanup_(closep) int run = make_directory_beneath(d.fd, "/run", 0);
    _cleanup_(closep) int through = make_directory_beneath(d.fd, "/var-run/podvisor-test", 0);
    assert_true(run >= 0 && through >= 0);
    assert_success(fstatat(d.fd, "run/podvisor-test", &st, 0));
    _cleanup_(closep) int up = make_directory_beneath(d.fd, "/up/x", 0);
    assert_true(up >= 0);
    assert_success(fstatat(d.fd, "x", &st, 0));
    test_dir_done(&d);
}

static void links_are_refused_where_none_may_be(void **state)
{
    TestDir d = test_dir_new();

    assert_success(symlinkat("/", d.fd, "proc"));
    assert_int_equal(make_directory_beneath(d.fd, "/proc", BENEATH_NO_SYMLINKS), -ELOOP);
    assert_int_equal(make_directory_beneath(d.fd, "/proc/x", BENEATH_NO_SYMLINKS), -ELOOP);
    test_dir_done(&d);
}

static void files_stand_in_the_way(void **state)
{
    TestDir d = test_dir_new();

    _cleanup_(closep) int file = make_file_beneath(d.fd, "/etc/hosts");
    assert_true(file >= 0);
    _cleanup_(closep) int again = make_file_beneath(d.fd, "/etc/hosts");
    assert_true(again >= 0);
    assert_int_equal(make_directory_beneath(d.fd, "/etc/hosts", 0), -ENOTDIR);
    assert_int_equal(make_directory_beneath(d.fd, "/etc/hosts/x", 0), -ENOTDIR);
    test_dir_done(&d);
}

static void a_dangling_link_is_no_file_of_ours(void **state)
{
    TestDir d = test_dir_new();

    _cleanup_(closep) int etc = make_directory_beneath(d.fd, "/etc", 0);
    assert_true(etc >= 0);
    assert_success(symlinkat("/somewhere", d.fd, "etc/hosts"));
    assert_int_equal(make_file_beneath(d.fd, "/etc/hosts"), -EEXIST);
    assert_int_equal(faccessat(d.fd, "somewhere", F_OK, 0), -1);
    test_dir_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories_are_made_at_each_level),  cmocka_unit_test(links_stay_below_the_root),
        cmocka_unit_test(links_are_refused_where_none_may_be), cmocka_unit_test(files_stand_in_the_way),
        cmocka_unit_test(a_dangling_link_is_no_file_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
