/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "supervisor/watch.h"
#include "tests/unit/supervisor/loop.h"

typedef struct Fixture {
    TestDir dir;
    sd_event *event;
    Watch *watch;
    char *directories[3];
    char **names; /* told so far */
    unsigned everything;
} Fixture;

static void on_change(void *userdata, const char *name)
{
    Fixture *f = userdata;

    if (name)
        assert_success(strv_append(&f->names, name));
    else
        f->everything++;
}

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    f->dir = test_dir_new();
    assert_success(mkdirat(f->dir.fd, "there", 0755));
    f->directories[0] = strf("%s/there", f->dir.path);
    f->directories[1] = strf("%s/not/yet/there", f->dir.path);
    assert_success(sd_event_new(&f->event));
    assert_success(watch_new(&f->watch, f->event, f->directories, on_change, f));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    watch_free(f->watch);
    sd_event_unref(f->event);
    test_dir_done(&f->dir);
    free(f->directories[0]);
    free(f->directories[1]);
    strv_free(f->names);
    free(f);
    return 0;
}

static int make(Fixture *f, const char *path)
{
    int fd = openat(f->dir.fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    return fd;
}

static void touch(Fixture *f, const char *path)
{
    close(make(f, path));
}

static void a_burst_on_one_file_is_told_once(void **state)
{
    Fixture *f = *state;

    for (int i = 0; i < 100; i++)
        touch(f, "there/web.pod");
    loop_until(f->event, f->names);

    assert_int_equal(strv_length(f->names), 1);
    assert_string_equal(f->names[0], "web.pod");
    assert_int_equal(f->everything, 0);
}

/* As programs that write atomically do: another name in the same directory first. */
static void replace(Fixture *f, const char *name)
{
    _cleanup_(freep) char *new = strf("there/.%s.new", name), *path = strf("there/%s", name);

    touch(f, new);
    assert_success(renameat(f->dir.fd, new, f->dir.fd, path));
}

static void a_file_that_is_renamed_into_place_is_told_at_once(void **state)
{
    Fixture *f = *state;

    replace(f, "one.pod");
    /* One round that reads the events, and one that tells: nothing is waited for. */
    for (int i = 0; i < 2; i++)
        assert_true(sd_event_run(f->event, 0) >= 0);
    assert_true(strv_contains(f->names, "one.pod"));
    size_t told = strv_length(f->names);
    touch(f, "there/two.pod");
    loop_until(f->event, strv_contains(f->names, "two.pod"));
    assert_int_equal(strv_length(f->names), told + 1);
}

static void a_file_is_told_when_its_writer_closes_it(void **state)
{
    Fixture *f = *state;

    int writer = make(f, "there/slow.pod");
    assert_int_equal(write(writer, "x", 1), 1);
    touch(f, "there/quick.pod");
    loop_until(f->event, f->names);
    assert_int_equal(strv_length(f->names), 1);
    assert_string_equal(f->names[0], "quick.pod");

    close(writer);
    loop_until(f->event, strv_length(f->names) == 2);
    assert_string_equal(f->names[1], "slow.pod");
}

static void links_moves_removals_and_modes_are_told(void **state)
{
    Fixture *f = *state;

    touch(f, "elsewhere.pod");
    assert_success(symlinkat("/dev/null", f->dir.fd, "there/mask.pod"));
    assert_success(linkat(f->dir.fd, "elsewhere.pod", f->dir.fd, "there/link.pod", 0));
    assert_success(renameat(f->dir.fd, "elsewhere.pod", f->dir.fd, "there/moved.pod"));
    loop_until(f->event, strv_length(f->names) == 3);
    f->names = strv_free(f->names);

    assert_success(unlinkat(f->dir.fd, "there/mask.pod", 0));
    assert_success(fchmodat(f->dir.fd, "there/moved.pod", 0600, 0));
    loop_until(f->event, strv_contains(f->names, "mask.pod") && strv_contains(f->names, "moved.pod"));
}

static void a_directory_that_comes_later_is_watched_from_then_on(void **state)
{
    Fixture *f = *state;

    assert_success(mkdirat(f->dir.fd, "not", 0755));
    loop_until(f->event, f->everything == 1);
    assert_success(mkdirat(f->dir.fd, "not/yet", 0755));
    loop_until(f->event, f->everything == 2);
    assert_success(mkdirat(f->dir.fd, "not/yet/there", 0755));
    loop_until(f->event, f->everything == 3);

    touch(f, "not/yet/there/web.pod");
    loop_until(f->event, strv_contains(f->names, "web.pod"));
}

static void a_directory_that_is_replaced_is_watched_again(void **state)
{
    Fixture *f = *state;

    assert_success(renameat(f->dir.fd, "there", f->dir.fd, "old"));
    loop_until(f->event, f->everything > 0);
    assert_success(mkdirat(f->dir.fd, "new", 0755));
    touch(f, "new/first.pod");
    unsigned before = f->everything;
    assert_success(renameat(f->dir.fd, "new", f->dir.fd, "there"));
    loop_until(f->event, f->everything > before);

    touch(f, "there/second.pod");
    loop_until(f->event, strv_contains(f->names, "second.pod"));
    touch(f, "old/third.pod");
    touch(f, "there/fourth.pod");
    loop_until(f->event, strv_contains(f->names, "fourth.pod"));
    assert_false(strv_contains(f->names, "third.pod"));
}

static void a_removed_directory_is_watched_when_it_is_back(void **state)
{
    Fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        unsigned before = f->everything;
        assert_success(unlinkat(f->dir.fd, "there", AT_REMOVEDIR));
        assert_success(mkdirat(f->dir.fd, "there", 0755));
        loop_until(f->event, f->everything > before);
    }
    touch(f, "there/web.pod");
    loop_until(f->event, strv_contains(f->names, "web.pod"));
}

static unsigned queue_length(void)
{
    unsigned n = 0;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%u", &n), 1);
    fclose(file);
    return n;
}

static void a_queue_that_overran_means_everything(void **state)
{
    Fixture *f = *state;

    for (unsigned i = queue_length(); i > 0; i--) {
        char path[64];
        snprintf(path, sizeof path, "there/%u", i);
        touch(f, path);
    }
    loop_until(f->event, f->everything > 0);
}

static void a_directory_that_is_added_later_is_watched_like_the_others(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *directory = strf("%s/later", f->dir.path);

    assert_success(watch_add(f->watch, f->directories[0]));
    assert_success(watch_add(f->watch, directory));
    assert_success(watch_add(f->watch, directory));
    assert_success(mkdirat(f->dir.fd, "later", 0755));
    loop_until(f->event, f->everything > 0);
    _cleanup_(closep) int later = dir_open_at(f->dir.fd, "later");
    assert_success(file_replace_at(later, "key", "x", 1, 0600));
    loop_until(f->event, strv_contains(f->names, "key"));
    _cleanup_(closep) int there = dir_open_at(f->dir.fd, "there");
    assert_success(file_replace_at(there, "web.pod", "x", 1, 0600));
    loop_until(f->event, strv_contains(f->names, "web.pod"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_burst_on_one_file_is_told_once),
        TEST(a_file_that_is_renamed_into_place_is_told_at_once),
        TEST(a_file_is_told_when_its_writer_closes_it),
        TEST(links_moves_removals_and_modes_are_told),
        TEST(a_directory_that_comes_later_is_watched_from_then_on),
        TEST(a_directory_that_is_replaced_is_watched_again),
        TEST(a_removed_directory_is_watched_when_it_is_back),
        TEST(a_queue_that_overran_means_everything),
        TEST(a_directory_that_is_added_later_is_watched_like_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
