/* SPDX-License-Identifier: Apache-2.0 */
/* What comes out of an import is what went in; and the same in gives the same out. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/strings.h"
#include "images/tree.h"
#include "tests/unit/images/fixture.h"

/* Unpacks an image of the store into the directory `out`. */
static void extract(const char *digest, const char *out)
{
    shell("fsck.erofs --extract=%s state/images/blobs/sha256-%s.erofs >/dev/null", out,
          digest + strlen("sha256:"));
}

static void a_directory_comes_back_as_it_was(void **state)
{
    make_rootfs("rootfs");

    _cleanup_(freep) char *digest = import_ok(*state, "rootfs", "busybox");
    extract(digest, "out");

    _cleanup_(freep) char *before =
        shell_output("cd rootfs && find . ! -type d -printf '%%y %%s %%T@ %%l %%p\\n' | sort");
    _cleanup_(freep) char *after =
        shell_output("cd out && find . ! -type d -printf '%%y %%s %%T@ %%l %%p\\n' | sort");
    assert_string_equal(before, after);
    shell("diff -r --no-dereference rootfs/bin out/bin && diff -r --no-dereference rootfs/etc out/etc");
}

static void owners_and_modes_are_in_the_image(void **state)
{
    static const struct {
        const char *path, *mode;
    } rows[] = { { "/etc/shadow", "100640" }, { "/bin/su", "104755" }, { "/tmp", "41777" },
                 { "/dev/null", "20644" },    { "/bin/sh", "120777" }, { "/", "40755" } };
    if (geteuid() != 0)
        skip();
    make_rootfs("rootfs");

    _cleanup_(freep) char *digest = import_ok(*state, "rootfs", "busybox");
    _cleanup_(freep) char *blob = strf("state/images/blobs/sha256-%s.erofs", digest + strlen("sha256:"));

    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *mode = mode_in_image(blob, row->path);
        assert_string_equal(mode, row->mode);
    }
    _cleanup_(freep) char *dump = shell_output("dump.erofs --path=/etc/shadow %s", blob);
    assert_non_null(strstr(dump, "Uid: 12   Gid: 34 "));
}

static void the_same_directory_gives_the_same_digest(void **state)
{
    Fixture *f = *state;
    make_rootfs("rootfs");

    _cleanup_(freep) char *first = import_ok(f, "rootfs", "one");
    _cleanup_(freep) char *second = import_ok(f, "rootfs", "two");

    assert_string_equal(first, second);
    assert_int_equal(count_images(f), 1);
}

static void a_directory_and_its_archives_give_the_same_digest(void **state)
{
    static const char *const options[] = { "-cf", "-czf", "-cJf", "-cjf", "--zstd -cf" };
    if (geteuid() != 0)
        skip();
    make_rootfs("rootfs");
    _cleanup_(freep) char *directory = import_ok(*state, "rootfs", "directory");

    for (size_t i = 0; i < ELEMENTSOF(options); i++) {
        shell("tar -C rootfs %s archive .", options[i]);
        _cleanup_(freep) char *archive = import_ok(*state, "archive", "archive");
        assert_string_equal(archive, directory);
    }
}

static void directories_that_an_archive_does_not_name_do_not_change_its_digest(void **state)
{
    make_rootfs("rootfs");
    shell("tar -C rootfs -cf archive bin/busybox bin/sh etc/passwd");

    _cleanup_(freep) char *first = import_ok(*state, "archive", "one");
    shell(
        "touch -d '1 minute' nothing; while [ nothing -ot archive ]; do :; done"); /* another time of unpacking */
    _cleanup_(freep) char *second = import_ok(*state, "archive", "two");

    assert_string_equal(first, second);
}

static void another_configuration_gives_another_digest(void **state)
{
    Fixture *f = *state;
    char *command[] = { (char *)"/bin/sh", NULL };
    const ImageConfig config = { .command = command };
    const ImportOptions options = { .source = "rootfs", .name = "other", .config = &config };
    ImageRecord record;
    make_rootfs("rootfs");
    _cleanup_(freep) char *plain = import_ok(f, "rootfs", "plain");

    assert_int_equal(image_import(f->store, &options, &record, NULL), 0);

    assert_string_not_equal(record.digest, plain);
    assert_string_equal(record.config.command[0], "/bin/sh");
    image_record_done(&record);
}

static void a_layout_brings_its_configuration_and_no_labels(void **state)
{
    Fixture *f = *state;
    ImageRecord record;
    make_layout("layout");

    _cleanup_(freep) char *digest = import_ok(f, "layout", "app");

    assert_int_equal(image_lookup(f->store, "app", &record, NULL, NULL), 0);
    assert_string_equal(record.architecture, host_architecture());
    assert_string_equal(record.config.entrypoint[0], "/bin/busybox");
    assert_string_equal(record.config.command[1], "hello");
    assert_string_equal(record.config.environment[0], "LANG=C.UTF-8");
    assert_string_equal(record.config.user, "1000:100");
    assert_string_equal(record.config.working_dir, "/var");
    assert_string_equal(record.config.stop_signal, "SIGINT");
    assert_int_equal(shell_status("grep -q evil state/images/blobs/*.msgpack"), 1);
    image_record_done(&record);
    extract(digest, "out");
    shell("[ $(readlink out/bin/sh) = busybox ] && grep -q root out/etc/passwd");
}

static void a_layout_and_its_archive_give_the_same_digest(void **state)
{
    make_layout("layout");
    shell("tar -C layout -cf archive .");

    _cleanup_(freep) char *first = import_ok(*state, "layout", "one");
    _cleanup_(freep) char *second = import_ok(*state, "layout", "two");
    _cleanup_(freep) char *third = import_ok(*state, "archive", "three");

    assert_string_equal(first, second);
    assert_string_equal(first, third);
}

static void an_image_of_a_layout_is_chosen_by_tag(void **state)
{
    Fixture *f = *state;
    ImageRecord record;
    make_layout("layout");
    shell("umoci config --image layout:latest --tag other --config.user 7");
    const ImportOptions other = { .source = "layout", .name = "other", .tag = "other" };
    const ImportOptions latest = { .source = "layout", .name = "latest" };

    assert_int_equal(image_import(f->store, &other, &record, NULL), 0);
    assert_string_equal(record.config.user, "7");
    image_record_done(&record);
    assert_int_equal(image_import(f->store, &latest, &record, NULL), 0);
    assert_string_equal(record.config.user, "1000:100");
    image_record_done(&record);
}

static void an_entrypoint_that_is_given_takes_the_images_command_away(void **state)
{
    Fixture *f = *state;
    char *entrypoint[] = { (char *)"/bin/sh", NULL };
    const ImageConfig config = { .entrypoint = entrypoint };
    const ImportOptions options = { .source = "layout", .name = "app", .config = &config };
    ImageRecord record;
    make_layout("layout");

    assert_int_equal(image_import(f->store, &options, &record, NULL), 0);

    assert_string_equal(record.config.entrypoint[0], "/bin/sh");
    assert_null(record.config.command);
    image_record_done(&record);
}

/* In a child with an ordinary user's identity: what `import` gives for each of the sources. */
static int import_as_nobody(const char *const sources[], size_t n)
{
    char *error = NULL;
    ImageStore *store;

    if (setgid(65534) < 0 || setuid(65534) < 0)
        return 1;
    _cleanup_(closep) int state = dir_make_at(AT_FDCWD, "nobody/state", 0700);
    if (image_store_open(state, IMAGE_WRITE, &store, NULL) < 0)
        return 2;
    for (size_t i = 0; i < n; i++) {
        ImageRecord record;
        const ImportOptions options = { .source = sources[i], .name = "x" };
        if (image_import(store, &options, &record, &error) < 0) {
            fprintf(stderr, "%s: %s\n", sources[i], error);
            return 3;
        }
        _cleanup_(freep) char *link = strf("nobody/image-%zu", i);
        _cleanup_(freep) char *blob =
            strf("state/images/blobs/sha256-%s.erofs", record.digest + strlen("sha256:"));
        if (symlink(blob, link) < 0)
            return 4;
        image_record_done(&record);
    }
    image_store_free(store);
    return 0;
}

static void an_ordinary_user_can_import_and_owns_nothing_in_it(void **state)
{
    static const char *const sources[] = { "nobody/rootfs", "archive", "layout" };
    int status;
    if (geteuid() != 0)
        skip();
    make_rootfs("rootfs");
    make_layout("layout");
    shell("tar -C rootfs -cf archive .; chmod 644 archive; chmod -R a+rX layout; mkdir nobody; cp -r rootfs "
          "nobody/rootfs\n"
          "rm nobody/rootfs/dev/null; chown -R 65534:65534 nobody");

    pid_t pid = fork();
    if (pid == 0)
        _exit(import_as_nobody(sources, ELEMENTSOF(sources)));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);

    _cleanup_(freep) char *owners = shell_output(
        "ls nobody/state/images/work; for b in nobody/state/images/blobs/*.erofs; do "
        "fsck.erofs --extract=out $b >/dev/null; find out -printf '%%U:%%G\\n'; rm -rf out; done | sort -u");
    assert_string_equal(owners, "0:0");
    _cleanup_(freep) char *mode = mode_in_image("nobody/image-1", "/bin/su");
    assert_string_equal(mode, "104755");
}

static void capabilities_of_files_are_kept(void **state)
{
    if (geteuid() != 0)
        skip();
    make_rootfs("rootfs");
    if (shell_status("command -v setcap >/dev/null && setcap cap_net_raw+ep rootfs/bin/busybox && "
                     "tar --xattrs --xattrs-include='*' -C rootfs -cf archive .") != 0)
        skip();

    _cleanup_(freep) char *digest = import_ok(*state, "archive", "x");
    _cleanup_(freep) char *dump = shell_output(
        "dump.erofs --path=/bin/busybox state/images/blobs/sha256-%s.erofs", digest + strlen("sha256:"));

    assert_null(strstr(dump, "Xattr size: 0"));
}

typedef struct Progress {
    unsigned seen; /* bits of phases */
    int last;
    int cancel_in; /* phase */
} Progress;

static int note_progress(void *userdata, ImportPhase phase, uint64_t done, uint64_t total)
{
    Progress *p = userdata;

    assert_true((int)phase >= p->last);
    p->last = (int)phase;
    p->seen |= 1U << phase;
    return p->cancel_in == (int)phase ? -ECANCELED : 0;
}

static void progress_goes_through_all_phases(void **state)
{
    Fixture *f = *state;
    Progress progress = { .cancel_in = -1 };
    const ImportOptions options = {
        .source = "archive", .name = "x", .progress = note_progress, .userdata = &progress
    };
    make_rootfs("rootfs");
    shell("tar -C rootfs -cf archive .");

    assert_int_equal(image_import(f->store, &options, NULL, NULL), 0);

    assert_int_equal(progress.seen, (1U << IMPORT_PHASE_MAX) - 1);
}

static void an_import_can_be_cancelled_in_each_phase(void **state)
{
    make_rootfs("rootfs");
    shell("tar -C rootfs -cf archive .");

    for (int phase = 0; phase < IMPORT_PHASE_MAX; phase++) {
        Progress progress = { .cancel_in = phase };
        import_fails(*state,
                     &(ImportOptions){
                         .source = "archive", .name = "x", .progress = note_progress, .userdata = &progress },
                     -ECANCELED, "archive");
    }
}

static void nothing_is_wider_than_its_owner(void **state)
{
    mode_t before = umask(0);
    make_rootfs("rootfs");

    fixture_reopen(*state);
    free(import_ok(*state, "rootfs", "x"));
    umask(before);

    _cleanup_(freep) char *wide = shell_output("find state/images -perm /077");
    assert_string_equal(wide, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_directory_comes_back_as_it_was, fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(owners_and_modes_are_in_the_image, fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(the_same_directory_gives_the_same_digest, fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(a_directory_and_its_archives_give_the_same_digest, fixture_new,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(directories_that_an_archive_does_not_name_do_not_change_its_digest,
                                        fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(another_configuration_gives_another_digest, fixture_new,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(a_layout_brings_its_configuration_and_no_labels, fixture_new,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(a_layout_and_its_archive_give_the_same_digest, fixture_new,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(an_image_of_a_layout_is_chosen_by_tag, fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(an_entrypoint_that_is_given_takes_the_images_command_away,
                                        fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(an_ordinary_user_can_import_and_owns_nothing_in_it, fixture_new,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(capabilities_of_files_are_kept, fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(progress_goes_through_all_phases, fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(an_import_can_be_cancelled_in_each_phase, fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(nothing_is_wider_than_its_owner, fixture_new, fixture_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
