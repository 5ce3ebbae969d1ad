/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <seccomp.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/test.h"

static void a_replaced_file_has_its_content_and_mode(void **state)
{
    TestDir d = test_dir_new();
    Bytes read = { 0 };
    struct stat st;

    umask(0777);
    assert_success(file_replace_at(d.fd, "f", "one", 3, 0600));
    assert_success(file_replace_at(d.fd, "f", "two!", 4, 0640));
    umask(022);

    assert_success(file_read_at(d.fd, "f", 100, &read));
    assert_int_equal(read.size, 4);
    assert_memory_equal(read.data, "two!", 4);
    assert_int_equal(fstatat(d.fd, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    bytes_done(&read);
    test_dir_done(&d);
}

static void a_failed_replace_leaves_the_old_file_and_nothing_else(void **state)
{
    TestDir d = test_dir_new();
    Bytes read = { 0 };
    static const char large[65536];
    struct rlimit old, tight = { 1024, 1024 };

    assert_success(file_replace_at(d.fd, "f", "old", 3, 0600));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &tight);
    assert_int_equal(file_replace_at(d.fd, "f", large, sizeof large, 0600), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &old);

    assert_success(file_read_at(d.fd, "f", 100, &read));
    assert_memory_equal(read.data, "old", 3);
    assert_int_equal(faccessat(d.fd, ".f.new", F_OK, 0), -1);
    bytes_done(&read);
    test_dir_done(&d);
}

static void nothing_is_opened_through_links_or_dots(void **state)
{
    TestDir d = test_dir_new();

    assert_int_equal(symlinkat("/etc/passwd", d.fd, "link"), 0);
    assert_int_equal(symlinkat("/etc", d.fd, "etc"), 0);
    assert_int_equal(file_open_at(d.fd, "link", O_RDONLY, 0), -ELOOP);
    assert_int_equal(file_open_at(d.fd, "etc/passwd", O_RDONLY, 0), -ELOOP);
    assert_int_equal(file_open_at(d.fd, "../etc/passwd", O_RDONLY, 0), -EXDEV);
    assert_int_equal(file_open_at(d.fd, "/etc/passwd", O_RDONLY, 0), -EXDEV);
    test_dir_done(&d);
}

/* As in a unit with DynamicUser=. For the rest of this process, so it comes last. */
static void nothing_is_opened_through_links_or_dots_without_openat2_either(void **state)
{
    TestDir d = test_dir_new();
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    assert_success(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0));
    assert_success(seccomp_load(filter));
    seccomp_release(filter);
    nothing_is_opened_through_links_or_dots(state);
    assert_success(mkdirat(d.fd, "a", 0700));
    assert_success(symlinkat("b", d.fd, "a/link"));
    _cleanup_(closep) int made = file_open_at(d.fd, "a/b", O_WRONLY | O_CREAT, 0600);
    assert_true(made >= 0 && (fcntl(made, F_GETFD) & FD_CLOEXEC));
    assert_int_equal(file_open_at(d.fd, "a/link", O_PATH, 0), -ELOOP);
    assert_int_equal(file_open_at(d.fd, "a/../a/b", O_RDONLY, 0), -EXDEV);
    assert_int_equal(file_open_at(d.fd, "a/b/c", O_RDONLY, 0), -ENOTDIR);
    _cleanup_(closep) int found = file_open_at(AT_FDCWD, d.path, O_RDONLY | O_DIRECTORY, 0);
    assert_true(found >= 0);
    test_dir_done(&d);
}

static void what_is_no_file_or_too_large_is_refused(void **state)
{
    TestDir d = test_dir_new();
    Bytes read = { 0 };

    assert_int_equal(mkfifoat(d.fd, "fifo", 0600), 0);
    assert_int_equal(mkdirat(d.fd, "dir", 0700), 0);
    assert_success(file_replace_at(d.fd, "f", "12345", 5, 0600));
    assert_int_equal(file_read_at(d.fd, "fifo", 100, &read), -EINVAL);
    assert_int_equal(file_read_at(d.fd, "dir", 100, &read), -EISDIR);
    assert_int_equal(file_read_at(d.fd, "f", 4, &read), -EFBIG);
    assert_int_equal(file_read_at(d.fd, "none", 4, &read), -ENOENT);
    assert_null(read.data);
    test_dir_done(&d);
}

static void a_tree_is_removed_whole_and_links_are_not_followed(void **state)
{
    TestDir d = test_dir_new();
    TestDir other = test_dir_new();

    assert_success(file_replace_at(other.fd, "keep", "", 0, 0600));
    assert_int_equal(mkdirat(d.fd, "a", 0700), 0);
    assert_int_equal(mkdirat(d.fd, "a/b", 0700), 0);
    assert_int_equal(symlinkat(other.path, d.fd, "a/b/link"), 0);
    assert_success(tree_remove_at(d.fd, "a"));
    assert_success(tree_remove_at(d.fd, "a"));
    assert_int_equal(faccessat(d.fd, "a", F_OK, 0), -1);
    assert_int_equal(faccessat(other.fd, "keep", F_OK, 0), 0);
    test_dir_done(&other);
    test_dir_done(&d);
}

static void directories_are_made_on_the_way(void **state)
{
    TestDir d = test_dir_new();
    _cleanup_(freep) char *path = strf("%s/x/y/z", d.path);

    assert_success(dir_make_path(path, 0700));
    assert_success(dir_make_path(path, 0700));
    assert_int_equal(access(path, F_OK), 0);
    test_dir_done(&d);
}

static void a_lock_that_is_held_is_waited_for_and_not_longer(void **state)
{
    TestDir d = test_dir_new();
    _cleanup_(closep) int ours = file_open_at(d.fd, "f", O_RDWR | O_CREAT, 0600);
    _cleanup_(closep) int theirs = file_open_at(d.fd, "f", O_RDWR, 0);

    assert_success(file_lock(theirs, LOCK_SH, 0));
    assert_success(file_lock(ours, LOCK_SH, 0));
    assert_int_equal(file_lock(ours, LOCK_EX, USEC_PER_MSEC), -EWOULDBLOCK);
    theirs = safe_close(theirs);
    assert_success(file_lock(ours, LOCK_EX, USEC_PER_SEC));
    assert_int_equal(file_lock(-1, LOCK_EX, USEC_PER_SEC), -EBADF);
    test_dir_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replaced_file_has_its_content_and_mode),
        cmocka_unit_test(a_failed_replace_leaves_the_old_file_and_nothing_else),
        cmocka_unit_test(nothing_is_opened_through_links_or_dots),
        cmocka_unit_test(what_is_no_file_or_too_large_is_refused),
        cmocka_unit_test(a_tree_is_removed_whole_and_links_are_not_followed),
        cmocka_unit_test(directories_are_made_on_the_way),
        cmocka_unit_test(a_lock_that_is_held_is_waited_for_and_not_longer),
        cmocka_unit_test(nothing_is_opened_through_links_or_dots_without_openat2_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
