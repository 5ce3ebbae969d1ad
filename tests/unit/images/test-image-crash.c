/* SPDX-License-Identifier: Apache-2.0 */
/* Killed anywhere, several at once: the store has the image whole, or has nothing of it. */
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/images/fixture.h"

/* What this program is when it is run as `test-image-crash import SOURCE NAME`: one import, as a command would do it. */
static int import_main(const char *source, const char *name)
{
    char *error = NULL;
    ImageStore *store;
    const ImportOptions options = { .source = source, .name = name };
    _cleanup_(closep) int state = dir_open_at(AT_FDCWD, "state");

    int r = image_store_open(state, IMAGE_WRITE, &store, &error);
    if (r < 0 || (r = image_import(store, &options, NULL, &error)) < 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    image_store_free(store);
    return 0;
}

/* The leak sanitizer, where it is built in, cannot do its work in a process that strace watches. */
#define NO_LEAKS "ASAN_OPTIONS=detect_leaks=0 "

static char self[4096]; /* the path of this program */

/* Returns when nobody holds a work directory any more: a killed import's children die after it, of its death. */
static void wait_for_children(void)
{
    shell("for w in state/images/work/*; do [ ! -e $w ] || flock $w true; done");
}

/* After a kill the next program finds no remains, no image that is not whole or not named, and no name that leads nowhere. */
static void assert_consistent(Fixture *f)
{
    ImageList list;
    size_t names = 0;

    wait_for_children();
    fixture_reopen(f);
    assert_clean(f);
    assert_success(image_list(f->store, &list, NULL));
    for (size_t i = 0; i < list.n_images; i++) {
        assert_null(list.images[i].problem);
        assert_non_null(list.images[i].names);
        assert_success(image_verify(f->store, list.images[i].record.digest, NULL));
        names += strv_length(list.images[i].names);
    }
    _cleanup_(freep) char *files = shell_output("ls state/images/names | wc -l");
    assert_int_equal(strtoul(files, NULL, 10), names);
    image_list_done(&list);
}

static void empty_the_store(void)
{
    shell("rm -rf state/images/blobs/* state/images/names/*");
}

/* --- at each phase, as the program itself sees it -------------------------------------------------------------------------- */

static int die_in_phase(void *userdata, ImportPhase phase, uint64_t done, uint64_t total)
{
    if ((int)phase == *(int *)userdata)
        raise(SIGKILL);
    return 0;
}

static void an_import_killed_in_any_phase_leaves_nothing(void **state)
{
    Fixture *f = *state;
    static const char *const sources[] = { "rootfs", "archive", "layout" };
    make_rootfs("rootfs");
    make_layout("layout");
    shell("tar -C rootfs -cf archive .");

    for (size_t i = 0; i < ELEMENTSOF(sources) * IMPORT_PHASE_MAX; i++) {
        int status, phase = (int)(i % IMPORT_PHASE_MAX);
        const ImportOptions options = { .source = sources[i / IMPORT_PHASE_MAX],
                                        .name = "app",
                                        .progress = die_in_phase,
                                        .userdata = &phase };
        pid_t pid = fork();
        if (pid == 0)
            _exit(image_import(f->store, &options, NULL, NULL) < 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_consistent(f);
        assert_int_equal(count_images(f), 0);
    }
}

/* --- at each system call ------------------------------------------------------------------------------------------------------ */

/* The calls that change something outside of the process; a kill between two others cannot be told from one at the next of these. */
static const char *const changes[] = { "mkdirat",  "fchmod", "flock",     "openat2",  "write", "fsync",
                                       "renameat", "rename", "renameat2", "unlinkat", "clone", "waitid" };

/* One run of import_main() that is killed at its n-th such call (strace counts each by itself): false when it came to its end before. */
static bool import_killed_at(const char *call, unsigned n, const char *source)
{
    int status =
        shell_status("exec 2>/dev/null; " NO_LEAKS "strace -o /dev/null -e signal=none -e trace=%s -e "
                     "inject=%s:signal=KILL:when=%u %s import %s app",
                     call, call, n, self, source);
    if (status != 0 && status != 128 + SIGKILL)
        fail_msg("killed at %s %u: status %d", call, n, status);
    return status != 0;
}

typedef void (*CrashStep)(Fixture *f);

/* Kills an import at each of its calls in turn, with `before` done before and `after` looked at afterwards. */
static void kill_at_each_call(Fixture *f, const char *source, CrashStep before, CrashStep after)
{
    unsigned places = 0;

    TABLE_FOREACH (call, changes) {
        bool killed = true;
        for (unsigned n = 1; killed; n++) {
            before(f);
            killed = import_killed_at(*call, n, source);
            places += killed;
            assert_consistent(f);
            after(f);
            empty_the_store();
        }
    }
    print_message("           %u places\n", places);
    assert_true(places > 30);
}

static bool strace_works(void)
{
    return shell_status("strace -o /dev/null -e inject=getppid:signal=KILL true 2>/dev/null") == 0;
}

static void nothing(Fixture *f) {}

static void an_import_killed_at_any_change_leaves_nothing_or_the_whole(void **state)
{
    if (!strace_works())
        skip();
    shell("mkdir source; echo x >source/x; tar -C source -cf archive x");
    kill_at_each_call(*state, "archive", nothing, nothing);
}

static void import_old(Fixture *f)
{
    free(import_ok(f, "old", "app"));
    assert_success(image_tag(f->store, "app", "keep", NULL));
}

static void assert_old_or_new(Fixture *f)
{
    assert_success(image_lookup(f->store, "app", NULL, NULL, NULL));
    assert_success(image_lookup(f->store, "keep", NULL, NULL, NULL));
}

static void an_import_killed_while_it_replaces_a_name_leaves_the_old_or_the_new(void **state)
{
    if (!strace_works())
        skip();
    shell("mkdir old new; echo old >old/x; echo new >new/x");
    kill_at_each_call(*state, "new", import_old, assert_old_or_new);
}

/* --- errors at each system call ---------------------------------------------------------------------------------------------------- */

/* It came to its end although the call failed, or without it; or it failed and said why. */
static void import_failing_at(const char *call, const char *error, unsigned n)
{
    int status = shell_status("exec 2>errors; " NO_LEAKS
                              "strace -o trace -e signal=none -e trace=%s -e inject=%s:error=%s:when=%u "
                              "%s import archive app",
                              call, call, error, n, self);
    /* The dynamic loader reads files too, and ends so when it cannot. */
    if (status == 127)
        return;
    if (status > 1 || (status == 1 && shell_status("[ -s errors ]") != 0))
        fail_msg("%s with %s at %u: status %d", call, error, n, status);
}

static void an_error_at_any_call_is_told_and_leaves_nothing_or_the_whole(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *call, *error;
    } faults[] = { { "mkdirat", "ENOSPC" }, { "openat2", "EMFILE" },    { "fstat", "EIO" },
                   { "newfstatat", "EIO" }, { "flock", "ENOLCK" },      { "fchmod", "EIO" },
                   { "write", "ENOSPC" },   { "fsync", "EIO" },         { "rename", "EIO" },
                   { "renameat", "EIO" },   { "unlinkat", "EIO" },      { "clone", "EAGAIN" },
                   { "pipe2", "EMFILE" },   { "pidfd_open", "EMFILE" }, { "read", "EIO" },
                   { "poll", "ENOMEM" },    { "getdents64", "EIO" } };
    if (!strace_works())
        skip();
    shell("mkdir source; echo x >source/x; tar -C source -cf archive x");

    TABLE_FOREACH (fault, faults) {
        bool reached = true;
        for (unsigned n = 1; reached; n++) {
            import_failing_at(fault->call, fault->error, n);
            reached = shell_status("grep -q INJECTED trace") == 0;
            assert_consistent(f);
            empty_the_store();
        }
    }
}

/* --- remains ------------------------------------------------------------------------------------------------------------------ */

static void remains_of_any_shape_are_removed(void **state)
{
    Fixture *f = *state;
    if (geteuid() == 0)
        shell("mkdir -p state/images/work/x; mknod state/images/work/x/null c 1 3");
    shell("cd state/images/work; mkdir -p x/deep; cd x; (cd deep; p=$(printf 'd/%%.0s' $(seq 600)); for i in "
          "1 2; do "
          "mkdir -p $p; cd -P $p; echo >f; done)\n"
          "mkdir 0 1 2; echo >0/x; mkfifo fifo; ln -s /etc out; ln -s deep/d in; mkdir -p closed/in; chmod 0 "
          "closed/in closed\n"
          "echo >../file; cd ../../blobs; echo >.x.new; echo >sha256-$(printf %%064d 0).msgpack; echo "
          ">../names/.y.new");

    fixture_reopen(f);

    assert_clean(f);
    shell("[ -d /etc ] && [ -z \"$(ls state/images/blobs state/images/names | grep -v :$)\" ]");
}

static void an_ordinary_user_can_remove_what_it_unpacked(void **state)
{
    int status;
    if (geteuid() != 0)
        skip();
    shell(
        "mkdir -p user/state/images/work/x/a/b/c; echo >user/state/images/work/x/a/b/f; chown -R 65534 user; "
        "cd user/state/images; mkdir blobs names; chown 65534 . blobs names; chmod -R a-w work/x");

    pid_t pid = fork();
    if (pid == 0) {
        ImageStore *store;
        _exit(setuid(65534) < 0 ||
              image_store_open(dir_open_at(AT_FDCWD, "user/state"), IMAGE_WRITE, &store, NULL) < 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);

    assert_int_equal(status, 0);
    shell("[ -z \"$(ls user/state/images/work)\" ]");
}

/* --- several at once -------------------------------------------------------------------------------------------------------------- */

typedef struct Gate {
    int reached[2], open[2]; /* pipes */
} Gate;

static int pass_gate(void *userdata, ImportPhase phase, uint64_t done, uint64_t total)
{
    Gate *gate = userdata;
    char x = 0;

    if (phase != IMPORT_STORE)
        return 0;
    return write(gate->reached[1], &x, 1) == 1 && read(gate->open[0], &x, 1) == 1 ? 0 : -EIO;
}

static void an_import_under_way_is_left_alone_by_other_programs(void **state)
{
    Fixture *f = *state;
    Gate gate;
    char x = 0;
    int status;
    const ImportOptions options = {
        .source = "source", .name = "app", .progress = pass_gate, .userdata = &gate
    };
    shell("mkdir source; echo x >source/x");
    assert_success(pipe(gate.reached));
    assert_success(pipe(gate.open));

    pid_t pid = fork();
    if (pid == 0)
        _exit(image_import(f->store, &options, NULL, NULL) < 0);
    assert_int_equal(read(gate.reached[0], &x, 1), 1);
    fixture_reopen(f);
    assert_int_equal(count_images(f), 0);
    assert_int_equal(write(gate.open[1], &x, 1), 1);

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_consistent(f);
    assert_int_equal(count_images(f), 1);
}

static void many_importers_at_once_all_succeed(void **state)
{
    Fixture *f = *state;
    make_rootfs("rootfs");
    shell("mkdir small; echo x >small/x; tar -C rootfs -cf archive .");

    shell("pids=; for i in 1 2 3 4; do for s in rootfs archive small; do %s import $s name-$i-$s & "
          "pids=\"$pids $!\"; done; done; "
          "for p in $pids; do wait $p; done",
          self);

    assert_clean(f);
    ImageList list;
    assert_success(image_list(f->store, &list, NULL));
    size_t names = 0;
    for (size_t i = 0; i < list.n_images; i++)
        names += strv_length(list.images[i].names);
    assert_int_equal(names, 12);
    assert_int_equal(list.n_images, 2); /* the archive is of the directory */
    image_list_done(&list);
}

static void importers_and_removers_do_not_hurt_each_other(void **state)
{
    Fixture *f = *state;
    int status;
    shell("mkdir a b; echo a >a/x; echo b >b/x");

    pid_t importer = fork();
    if (importer == 0) {
        for (int i = 0; i < 20; i++)
            if (import_main(i % 2 ? "a" : "b", "app") != 0)
                _exit(1);
        _exit(0);
    }
    while (waitpid(importer, &status, WNOHANG) == 0) {
        int fd = -1;
        char *error = NULL;
        ImageRecord record;
        int r = image_lookup(f->store, "app", &record, &fd, &error);
        if (r < 0 && r != -ENOENT)
            fail_msg("%s", error);
        if (r == 0)
            image_record_done(&record);
        free(error);
        safe_close(fd);
        (void)image_remove(f->store, "app", NULL);
        ImagePruned pruned;
        assert_success(image_prune(f->store, &(PruneOptions){ 0 }, &pruned, NULL));
        image_pruned_done(&pruned);
    }

    assert_int_equal(status, 0);
    assert_consistent(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        TEST(an_import_killed_in_any_phase_leaves_nothing),
        TEST(an_import_killed_at_any_change_leaves_nothing_or_the_whole),
        TEST(an_import_killed_while_it_replaces_a_name_leaves_the_old_or_the_new),
        TEST(an_error_at_any_call_is_told_and_leaves_nothing_or_the_whole),
        TEST(remains_of_any_shape_are_removed),
        TEST(an_ordinary_user_can_remove_what_it_unpacked),
        TEST(an_import_under_way_is_left_alone_by_other_programs),
        TEST(many_importers_at_once_all_succeed),
        TEST(importers_and_removers_do_not_hurt_each_other),
    };

    if (argc == 4)
        return import_main(argv[2], argv[3]);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return 1;
    self[n] = 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
