/* SPDX-License-Identifier: Apache-2.0 */
/* Archives that mean harm: nothing outside of the destination is made, changed or removed. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/unit/archive/jobs.h"

static TarEntry entry(TarType type, const char *name, const char *link)
{
    return (TarEntry){ .type = type,
                       .name = (char *)(uintptr_t)name,
                       .link = (char *)(uintptr_t)link,
                       .mode = type == TAR_DIRECTORY ? 0755 : 0644,
                       .uid = geteuid(),
                       .gid = getegid() };
}

/* Unpacks the entries, each with the content "evil", into DIR/in, which is there. */
static int unpack_entries(Jobs *j, const TarEntry *entries, size_t n)
{
    Bytes b = { 0 };

    for (size_t i = 0; i < n; i++)
        archive_add(&b, entries[i], entries[i].type == TAR_FILE ? "evil" : "");
    assert_success(tar_write_end(&b));
    archive_write(j, &b);
    bytes_done(&b);
    (void)mkdir(at(j, "in"), 0755);
    return unpack_as(j, (UnpackJob){ .path = at(j, "in"), .owners = geteuid() == 0 });
}

#define UNPACK(j, ...)                                                                                       \
    unpack_entries(j, (TarEntry[]){ __VA_ARGS__ }, sizeof((TarEntry[]){ __VA_ARGS__ }) / sizeof(TarEntry))

static void names_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const names[] = { "/etc/evil", "../evil",   "a/../../evil", "..",
                                         "a/..",      "./../evil", "//evil" };
    Jobs *j = *state;

    TABLE_FOREACH (name, names) {
        assert_int_equal(UNPACK(j, entry(TAR_FILE, *name, NULL)), -EBADMSG);
        assert_non_null(strstr(j->t.text, *name));
    }
    assert_false(is_there(j, "evil"));
}

static void nothing_is_written_through_a_link(void **state)
{
    Jobs *j = *state;

    assert_int_equal(mkdir(at(j, "out"), 0755), 0);
    assert_int_equal(UNPACK(j, entry(TAR_SYMLINK, "way", "../out"), entry(TAR_FILE, "way/evil", NULL)),
                     -ELOOP);
    assert_int_equal(UNPACK(j, entry(TAR_SYMLINK, "way", "../out"), entry(TAR_DIRECTORY, "way/", NULL)),
                     -ENOTDIR);
    assert_int_equal(UNPACK(j, entry(TAR_SYMLINK, "way", "../out"), entry(TAR_FILE, "way/a/b/evil", NULL)),
                     -ELOOP);
    /* Through one that was there before. */
    assert_int_equal(symlink("../out", at(j, "in/old")), 0);
    assert_int_equal(UNPACK(j, entry(TAR_FILE, "old/evil", NULL)), -ELOOP);
    assert_false(is_there(j, "out/evil") || is_there(j, "out/a"));
    /* Instead of one, that is another thing. */
    write_file(j, "victim", "good", 4);
    assert_int_equal(symlink("../victim", at(j, "in/file")), 0);
    assert_success(UNPACK(j, entry(TAR_FILE, "file", NULL)));
    assert_true(file_is(j, "victim", "good") && file_is(j, "in/file", "evil"));
}

static void nothing_is_written_through_another_name(void **state)
{
    Jobs *j = *state;

    write_file(j, "victim", "good", 4);
    (void)mkdir(at(j, "in"), 0755);
    assert_int_equal(link(at(j, "victim"), at(j, "in/file")), 0);
    assert_success(UNPACK(j, entry(TAR_FILE, "file", NULL)));
    assert_true(file_is(j, "victim", "good"));
    assert_int_equal(UNPACK(j, entry(TAR_HARD_LINK, "name", "../victim")), -EBADMSG);
    assert_int_equal(UNPACK(j, entry(TAR_SYMLINK, "up", ".."), entry(TAR_HARD_LINK, "name", "up/victim")),
                     -ELOOP);
    assert_int_equal(UNPACK(j, entry(TAR_HARD_LINK, "name", "/etc/passwd")), -EBADMSG);
    /* A link to a link is that link, and what it leads to is left alone. */
    assert_success(UNPACK(j, entry(TAR_SYMLINK, "to", "../victim"), entry(TAR_HARD_LINK, "name", "to"),
                          entry(TAR_FILE, "name", NULL)));
    assert_true(file_is(j, "victim", "good"));
    assert_success(UNPACK(j, entry(TAR_FILE, "self", NULL), entry(TAR_HARD_LINK, "self", "./self")));
    assert_true(file_is(j, "in/self", "evil"));
}

static void power_is_not_unpacked(void **state)
{
    Jobs *j = *state;
    struct stat st;
    TarEntry suid = entry(TAR_FILE, "suid", NULL), dir = entry(TAR_DIRECTORY, "dir/", NULL);

    suid.mode = 06755;
    dir.mode = 03777;
    assert_success(UNPACK(j, suid, dir));
    assert_int_equal(stat(at(j, "in/suid"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(stat(at(j, "in/dir"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 01777);
}

static void a_device_is_told_of_and_not_made(void **state)
{
    Jobs *j = *state;
    Bytes b = { 0 };

    archive_add(&b, entry(TAR_FIFO, "device", NULL), "");
    /* The letter of the type, and the checksum with it. */
    b.data[156] = '3';
    b.data[153] = (uint8_t)(b.data[153] - 3);
    archive_add(&b, entry(TAR_FILE, "file", NULL), "good");
    assert_success(tar_write_end(&b));
    archive_write(j, &b);
    bytes_done(&b);
    assert_int_equal(mkdir(at(j, "in"), 0755), 0);
    assert_success(unpack(j, at(j, "in")));
    assert_int_equal(j->n_notes, 1);
    assert_true(!is_there(j, "in/device") && file_is(j, "in/file", "good"));
}

static void one_tree_gets_the_name_and_a_second_is_refused(void **state)
{
    Jobs *j = *state;
    Bytes b = { 0 };

    archive_add(&b, entry(TAR_DIRECTORY, "tree/", NULL), "");
    archive_add(&b, entry(TAR_FILE, "tree/file", NULL), "x");
    archive_add(&b, entry(TAR_FILE, "other", NULL), "x");
    assert_success(tar_write_end(&b));
    archive_write(j, &b);
    bytes_done(&b);
    assert_int_equal(unpack(j, at(j, "new")), -EEXIST);
    assert_true(is_there(j, "new/file") && !is_there(j, "other") && !is_there(j, "tree"));
}

/* As a guest would that was asked for its log by somebody who stands in a directory of his own files. */
static void who_asked_for_one_tree_gets_no_other(void **state)
{
    static const char *const names[] = { ".profile", "log2", "lo", "./.ssh/keys", "." };
    Jobs *j = *state;

    (void)mkdir(at(j, "in"), 0755);
    write_file(j, "in/.profile", "good", 4);
    TABLE_FOREACH (name, names) {
        Bytes b = { 0 };
        archive_add(&b, entry(TAR_DIRECTORY, "log/", NULL), "");
        archive_add(&b, entry(TAR_FILE, "./log/file", NULL), "log");
        archive_add(&b, entry(TAR_FILE, *name, NULL), "evil");
        assert_success(tar_write_end(&b));
        archive_write(j, &b);
        bytes_done(&b);
        assert_int_equal(unpack_as(j, (UnpackJob){ .path = at(j, "in"), .tree = "log" }), -EACCES);
        assert_non_null(strstr(j->t.text, *name));
        assert_int_equal(unpack_as(j, (UnpackJob){ .path = at(j, "new"), .tree = "log" }), -EACCES);
    }
    assert_true(file_is(j, "in/.profile", "good") && file_is(j, "in/log/file", "log"));
    assert_false(is_there(j, "in/.ssh") || is_there(j, "in/log2") || is_there(j, "in/lo"));
}

/* Else a copy of the copy would show what was no part of it. */
static void a_tree_has_no_second_name_of_a_file_outside_of_it(void **state)
{
    Jobs *j = *state;
    Bytes b = { 0 };

    (void)mkdir(at(j, "in"), 0755);
    write_file(j, "in/secret", "good", 4);
    archive_add(&b, entry(TAR_HARD_LINK, "log/name", "secret"), "");
    assert_success(tar_write_end(&b));
    archive_write(j, &b);
    bytes_done(&b);
    assert_int_equal(unpack_as(j, (UnpackJob){ .path = at(j, "in"), .tree = "log" }), -EACCES);
    assert_false(is_there(j, "in/log/name"));
}

static void a_flood_of_notes_is_counted(void **state)
{
    Jobs *j = *state;
    Bytes b = { 0 };

    for (int i = 0; i < 1000; i++) {
        archive_add(&b, entry(TAR_FIFO, "device", NULL), "");
        uint8_t *h = b.data + b.size - TAR_BLOCK;
        h[156] = '3';
        h[153] = (uint8_t)(h[153] - 3);
    }
    archive_add(&b, entry(TAR_FILE, "file", NULL), "x");
    assert_success(tar_write_end(&b));
    archive_write(j, &b);
    bytes_done(&b);
    assert_int_equal(mkdir(at(j, "in"), 0755), 0);
    assert_success(unpack(j, at(j, "in")));
    assert_int_equal(j->n_notes, UNPACK_NOTES_MAX + 1);
}

static void a_tree_without_end_is_refused(void **state)
{
    Jobs *j = *state;
    char name[2 * UNPACK_DEPTH_MAX + 10];

    for (size_t i = 0; i < sizeof name - 1; i++)
        name[i] = i % 2 ? '/' : 'a';
    name[sizeof name - 1] = 0;
    assert_int_equal(UNPACK(j, entry(TAR_DIRECTORY, name, NULL)), -EBADMSG);
}

/* Puts a link in the place of a directory and takes it away again, until it is killed. */
static void __attribute__((noreturn)) race(const char *dir, const char *aside)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        bool swapped = rename(dir, aside) == 0 && symlink("../out", dir) == 0;
        if (swapped)
            (void)unlink(dir);
        /* What has been made in its place meanwhile goes on instead of it. */
        if (rename(aside, dir) < 0)
            (void)tree_remove_at(AT_FDCWD, aside);
    }
}

/* Whoever may write to the destination may spoil the copy, and not lead it out. */
static void a_racer_gets_nothing_outside(void **state)
{
    enum { ROUNDS = 500 };
    Jobs *j = *state;
    int good = 0;

    assert_int_equal(mkdir(at(j, "out"), 0755), 0);
    assert_success(UNPACK(j, entry(TAR_DIRECTORY, "dir/", NULL), entry(TAR_DIRECTORY, "dir/deep/", NULL)));
    pid_t pid = fork();
    if (pid == 0)
        race(at(j, "in/dir"), at(j, "in/aside"));
    for (int i = 0; i < ROUNDS; i++)
        good +=
            UNPACK(j, entry(TAR_FILE, "dir/evil", NULL), entry(TAR_DIRECTORY, "dir/", NULL),
                   entry(TAR_FILE, "dir/a/b/evil", NULL), entry(TAR_HARD_LINK, "dir/name", "dir/evil")) >= 0;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(is_there(j, "out/evil") || is_there(j, "out/a") || is_there(j, "out/name"));
    print_message("%d of %d copies went through all the same\n", good, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_JOBS(names_that_lead_elsewhere_are_refused),
        WITH_JOBS(nothing_is_written_through_a_link),
        WITH_JOBS(nothing_is_written_through_another_name),
        WITH_JOBS(power_is_not_unpacked),
        WITH_JOBS(a_device_is_told_of_and_not_made),
        WITH_JOBS(one_tree_gets_the_name_and_a_second_is_refused),
        WITH_JOBS(who_asked_for_one_tree_gets_no_other),
        WITH_JOBS(a_tree_has_no_second_name_of_a_file_outside_of_it),
        WITH_JOBS(a_flood_of_notes_is_counted),
        WITH_JOBS(a_tree_without_end_is_refused),
        WITH_JOBS(a_racer_gets_nothing_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
