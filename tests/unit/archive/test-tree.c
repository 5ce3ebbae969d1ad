/* SPDX-License-Identifier: Apache-2.0 */
/* What a tree is after its way through an archive: what it was. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tests/unit/archive/jobs.h"

static struct stat stat_of(const Jobs *j, const char *name)
{
    struct stat st;

    if (lstat(at(j, name), &st) < 0)
        fail_msg("%s: %s", name, strerror(errno));
    return st;
}

static void assert_alike(const Jobs *j, const char *a, const char *b)
{
    struct stat x = stat_of(j, a), y = stat_of(j, b);

    assert_int_equal(x.st_mode, y.st_mode);
    assert_int_equal(x.st_uid, y.st_uid);
    assert_int_equal(x.st_gid, y.st_gid);
    assert_int_equal(x.st_mtim.tv_sec, y.st_mtim.tv_sec);
    assert_int_equal(x.st_mtim.tv_nsec, y.st_mtim.tv_nsec);
    if (S_ISREG(x.st_mode))
        assert_int_equal(x.st_size, y.st_size);
}

static void set_time(const Jobs *j, const char *name, int64_t seconds, long nanoseconds)
{
    const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
                                      { .tv_sec = seconds, .tv_nsec = nanoseconds } };
    assert_int_equal(utimensat(AT_FDCWD, at(j, name), times, AT_SYMLINK_NOFOLLOW), 0);
}

static void make_tree(const Jobs *j)
{
    assert_int_equal(mkdir(at(j, "tree"), 0755), 0);
    assert_int_equal(mkdir(at(j, "tree/dir"), 0755), 0);
    write_file(j, "tree/dir/file", "content", 7);
    write_file(j, "tree/empty", "", 0);
    write_file(j, "tree/new\nline \xff\x01", "x", 1);
    assert_int_equal(symlink("dir/file", at(j, "tree/link")), 0);
    assert_int_equal(symlink("/nowhere/at/all", at(j, "tree/dangling")), 0);
    assert_int_equal(mkfifo(at(j, "tree/fifo"), 0600), 0);
    assert_int_equal(chmod(at(j, "tree/fifo"), 0622), 0);
    assert_int_equal(chmod(at(j, "tree/dir/file"), 04751), 0);
    assert_int_equal(chmod(at(j, "tree/dir"), 01570), 0);
    if (geteuid() == 0) {
        assert_int_equal(lchown(at(j, "tree/dir/file"), 12345, 3000000000u), 0);
        assert_int_equal(chmod(at(j, "tree/dir/file"), 04751), 0);
        assert_int_equal(lchown(at(j, "tree/link"), 7, 8), 0);
    }
    set_time(j, "tree/dir/file", 1234567890, 123456789);
    set_time(j, "tree/link", 1, 5);
    set_time(j, "tree/empty", -3, 250000000);
    set_time(j, "tree/dir", 99, 1);
    set_time(j, "tree", 98, 2);
}

static void a_tree_is_what_it_was(void **state)
{
    static const char *const names[] = { "",      "/dir",      "/dir/file", "/empty",
                                         "/link", "/dangling", "/fifo",     "/new\nline \xff\x01" };
    Jobs *j = *state;

    make_tree(j);
    assert_success(pack(j, at(j, "tree")));
    assert_success(unpack(j, at(j, "copy")));
    TABLE_FOREACH (name, names) {
        char a[64], b[64];
        snprintf(a, sizeof a, "tree%s", *name);
        snprintf(b, sizeof b, "copy%s", *name);
        assert_alike(j, a, b);
    }
    assert_true(file_is(j, "copy/dir/file", "content"));
    char target[64] = { 0 };
    assert_int_equal(readlink(at(j, "copy/dangling"), target, sizeof target - 1), 15);
    assert_string_equal(target, "/nowhere/at/all");
    assert_int_equal(j->n_notes, 0);
    assert_int_equal(j->done.entries, 8);
}

static void where_it_ends_up(void **state)
{
    Jobs *j = *state;

    make_tree(j);
    assert_int_equal(mkdir(at(j, "there"), 0700), 0);
    /* Into a directory that is there, by its name; its contents alone; a file, by its name or another. */
    assert_success(pack(j, at(j, "tree")));
    assert_success(unpack(j, at(j, "there")));
    assert_true(file_is(j, "there/tree/dir/file", "content"));
    assert_success(pack(j, at(j, "tree/.")));
    assert_success(unpack(j, at(j, "there")));
    assert_true(file_is(j, "there/dir/file", "content"));
    assert_int_equal(stat_of(j, "there").st_mode & 07777, 0700);
    assert_success(unpack(j, at(j, "contents")));
    assert_true(file_is(j, "contents/dir/file", "content"));
    assert_success(pack(j, at(j, "tree/dir/file")));
    assert_success(unpack(j, at(j, "there/")));
    assert_true(file_is(j, "there/file", "content"));
    assert_success(unpack(j, at(j, "renamed")));
    assert_true(file_is(j, "renamed", "content"));
    assert_success(pack(j, at(j, "tree/link")));
    assert_success(unpack(j, at(j, "renamed")));
    assert_true(S_ISLNK(stat_of(j, "renamed").st_mode));
}

static void where_it_cannot_end_up(void **state)
{
    Jobs *j = *state;

    make_tree(j);
    assert_int_equal(pack(j, at(j, "nothing")), -ENOENT);
    assert_non_null(strstr(j->t.text, "nothing: No such file"));
    assert_int_equal(pack(j, at(j, "tree/empty/")), -ENOTDIR);
    assert_success(pack(j, at(j, "tree/empty")));
    assert_int_equal(unpack(j, at(j, "absent/file")), -ENOENT);
    assert_int_equal(unpack(j, at(j, "absent/")), -ENOTDIR);
    assert_int_equal(unpack(j, at(j, "tree/dir/file/x")), -ENOTDIR);
    assert_int_equal(unpack_as(j, (UnpackJob){ .path = at(j, "absent"), .directory = true }), -ENOENT);
    assert_success(pack(j, at(j, "tree")));
    assert_int_equal(unpack(j, at(j, "tree/empty")), -ENOTDIR);
    assert_true(file_is(j, "tree/empty", ""));
    assert_int_equal(mkdir(at(j, "tree/dir/empty"), 0700), 0);
    assert_success(pack(j, at(j, "tree/empty")));
    assert_int_equal(unpack(j, at(j, "tree/dir")), -EISDIR);
}

static void names_of_one_file_stay_names_of_one_file(void **state)
{
    Jobs *j = *state;

    assert_int_equal(mkdir(at(j, "tree"), 0755), 0);
    write_file(j, "tree/one", "same", 4);
    assert_int_equal(link(at(j, "tree/one"), at(j, "tree/two")), 0);
    assert_int_equal(link(at(j, "tree/one"), at(j, "outside")), 0);
    assert_success(pack(j, at(j, "tree")));
    assert_success(unpack(j, at(j, "copy")));
    assert_int_equal(stat_of(j, "copy/one").st_ino, stat_of(j, "copy/two").st_ino);
    assert_int_equal(stat_of(j, "copy/one").st_nlink, 2);
    /* Once more over itself: what stood there is replaced, and not written through. */
    assert_success(unpack(j, at(j, "copy/..")));
    assert_int_equal(stat_of(j, "outside").st_nlink, 1);
}

static void holes_stay_holes(void **state)
{
    const off_t size = (off_t)8 << 30;
    Jobs *j = *state;

    write_file(j, "sparse", "begin", 5);
    _cleanup_(closep) int fd = open(at(j, "sparse"), O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "middle", 6, 1 << 30), 6);
    if (ftruncate(fd, size) < 0)
        skip();
    assert_success(pack(j, at(j, "sparse")));
    assert_true(stat_of(j, "archive").st_size < 1 << 20);
    assert_success(unpack(j, at(j, "copy")));
    assert_int_equal(stat_of(j, "copy").st_size, size);
    assert_true(stat_of(j, "copy").st_blocks <= stat_of(j, "sparse").st_blocks + 16);
    _cleanup_(closep) int copy = open(at(j, "copy"), O_RDONLY | O_CLOEXEC);
    char text[7] = { 0 };
    assert_int_equal(pread(copy, text, 6, 1 << 30), 6);
    assert_string_equal(text, "middle");
    assert_int_equal(pread(copy, text, 5, 0), 5);
    assert_memory_equal(text, "begin", 5);
}

static void attributes_go_along(void **state)
{
    Jobs *j = *state;
    char value[64];

    write_file(j, "file", "x", 1);
    if (setxattr(at(j, "file"), "user.a", "1\0\n2", 4, 0) < 0)
        skip();
    assert_int_equal(setxattr(at(j, "file"), "user.empty", "", 0, 0), 0);
    assert_success(pack(j, at(j, "file")));
    assert_success(unpack(j, at(j, "copy")));
    assert_int_equal(getxattr(at(j, "copy"), "user.a", value, sizeof value), 4);
    assert_memory_equal(value, "1\0\n2", 4);
    assert_int_equal(getxattr(at(j, "copy"), "user.empty", value, sizeof value), 0);
}

static void what_cannot_be_copied_is_told(void **state)
{
    Jobs *j = *state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(at(j, "tree"), 0755), 0);
    write_file(j, "tree/file", "x", 1);
    assert_int_equal(mknod(at(j, "tree/null"), S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_success(pack(j, at(j, "tree")));
    assert_string_equal(j->notes.data, "tree/null is a device, and was not copied");
    assert_int_equal(pack(j, at(j, "tree/null")), -EOPNOTSUPP);
    assert_int_equal(pack(j, "/proc/self/status"), -EOPNOTSUPP);
    assert_int_equal(pack(j, "/proc/"), -EOPNOTSUPP);
}

static void deep_and_long_names_go_through(void **state)
{
    enum { LEVELS = 15, LENGTH = 200 };
    Jobs *j = *state;
    _cleanup_(freep) char *path = strdup("tree");
    char part[LENGTH + 1] = { 0 };

    memset(part, 'n', LENGTH);
    assert_int_equal(mkdir(at(j, path), 0755), 0);
    for (int i = 0; i < LEVELS; i++) {
        char *deeper = strf("%s/%s", path, part);
        free(path);
        path = deeper;
        assert_int_equal(mkdir(at(j, path), 0755), 0);
    }
    assert_success(pack(j, at(j, "tree")));
    assert_success(unpack(j, at(j, "copy")));
    memcpy(path, "copy", strlen("copy"));
    assert_true(is_there(j, path));
}

/* RLIMIT_FSIZE is a disk that is full for one process. */
static void a_file_that_does_not_fit_is_not_there(void **state)
{
    Jobs *j = *state;
    _cleanup_(freep) char *data = calloc(1, 1 << 20);
    struct rlimit before, small;

    assert_int_equal(mkdir(at(j, "tree"), 0755), 0);
    write_file(j, "tree/big", data, 1 << 20);
    assert_success(pack(j, at(j, "tree")));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1 << 18;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int r = unpack(j, at(j, "copy"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -EFBIG);
    assert_string_equal(j->t.text, "copy/big: File too large");
    assert_true(is_there(j, "copy") && !is_there(j, "copy/big"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_JOBS(a_tree_is_what_it_was),
        WITH_JOBS(where_it_ends_up),
        WITH_JOBS(where_it_cannot_end_up),
        WITH_JOBS(names_of_one_file_stay_names_of_one_file),
        WITH_JOBS(holes_stay_holes),
        WITH_JOBS(attributes_go_along),
        WITH_JOBS(what_cannot_be_copied_is_told),
        WITH_JOBS(deep_and_long_names_go_through),
        WITH_JOBS(a_file_that_does_not_fit_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
