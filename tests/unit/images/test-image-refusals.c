/* SPDX-License-Identifier: Apache-2.0 */
/* What is not an image, and what would reach out of its place: refused with a sentence that is true, and nothing left. */
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "images/oci-layout.h"
#include "tests/unit/images/fixture.h"

typedef struct Refusal {
    const char *title;
    const char *make; /* a shell command that makes `source` */
    int error;
    const char *words;
} Refusal;

/* A program head of another processor: ELF, 64 bits, little-endian, machine 183 (arm64). */
#define ARM_PROGRAM "printf '\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\2\\0\\267\\0'"
#define SMALL_ROOTFS "mkdir -p r/bin; cp /bin/busybox r/bin/sh; "

/* One blob of the layout, by what stands in it. */
#define BLOB_WITH(word) "$(grep -l -- '" word "' source/blobs/sha256/*)"
#define LAYOUT                                                                                               \
    "umoci init --layout source; umoci new --image source:latest; umoci unpack --rootless --image "          \
    "source:latest b; "                                                                                      \
    "mkdir b/rootfs/bin; cp /bin/busybox b/rootfs/bin/sh; umoci repack --image source:latest b; "

static const Refusal refusals[] = {
    { "nothing is there", "true", -ENOENT, "No such file" },
    { "an empty file", ": >source", -EBADMSG, "the file is empty" },
    { "a text", "yes hello | head -n 1000 >source", -EBADMSG, "neither a directory, nor a tar archive" },
    { "a short text", "echo hello >source", -EBADMSG, "neither a directory" },
    { "a program", "cp /bin/busybox source", -EBADMSG, "a program" },
    { "an erofs file", SMALL_ROOTFS "mkfs.erofs --quiet source r >/dev/null", -EBADMSG,
      "fsck.erofs --extract" },
    { "a FIFO", "mkfifo source", -EBADMSG, "neither a directory nor a file" },
    { "an empty directory", "mkdir source", -ENODATA, "holds no files" },
    { "an empty archive", "tar -cf source -T /dev/null", -ENODATA, "holds no files" },
    { "an archive of an empty directory", "mkdir r; tar -C r -cf source .", -ENODATA, "holds no files" },
    { "a cut archive", SMALL_ROOTFS "tar -C r -cf whole .; head -c 100000 whole >source", -EBADMSG,
      "Unexpected EOF" },
    { "a cut compressed archive", SMALL_ROOTFS "tar -C r -czf whole .; head -c 100000 whole >source",
      -EBADMSG, "tar failed" },
    { "compressed text", "yes | head -n 9999 | gzip >source", -EBADMSG, "tar failed" },
    { "what docker save makes",
      "mkdir r; echo '[{\"Config\":\"x.json\",\"Layers\":[\"l/layer.tar\"]}]' >r/manifest.json; tar -C r -cf "
      "source .",
      -EBADMSG, "skopeo failed" },
    { "what docker save makes of several images",
      "mkdir r; echo '[{\"Config\":\"x.json\",\"RepoTags\":[\"a/b:1\"],\"Layers\":[]},"
      "{\"Config\":\"y.json\",\"RepoTags\":[\"c:2\"],\"Layers\":[]}]' >r/manifest.json; tar -C r -cf source "
      ".",
      -ENOTUNIQ, "choose one with --tag: a/b:1, c:2" },
    { "a directory for another processor", "mkdir -p source/bin; " ARM_PROGRAM " >source/bin/sh", -ENOEXEC,
      "for arm64" },
    { "an archive for another processor, behind a link",
      "mkdir -p r/usr/bin; " ARM_PROGRAM " >r/usr/bin/sh; ln -s /usr/bin r/bin; tar -C r -cf source .",
      -ENOEXEC, "as its /bin/sh shows" },
    { "a layout for another processor", LAYOUT "umoci config --image source:latest --architecture arm64",
      -ENOEXEC, "an image for arm64" },
    { "a layout for another system", LAYOUT "umoci config --image source:latest --os windows", -ENOEXEC,
      "not an image for Linux" },
    { "a layout without images", "umoci init --layout source", -EBADMSG, "holds no image" },
    { "a layout with several images",
      LAYOUT "for t in one two; do umoci tag --image source:latest $t; done; "
             "umoci rm --image source:latest; umoci config --image source:two --config.user 1",
      -ENOTUNIQ, "one, two" },
    { "a layout with a broken index", LAYOUT "echo '{' >source/index.json", -EBADMSG, "index.json" },
    { "a layout with a changed manifest", LAYOUT "echo ' ' >>" BLOB_WITH("\"layers\":\\[{"), -EBADMSG,
      "is damaged" },
    { "a layout with a changed configuration", LAYOUT "sed -i s/linux/linuz/ source/blobs/sha256/*", -EBADMSG,
      "is damaged" },
    { "a layout with a changed layer",
      LAYOUT
      "l=$(find source/blobs -size +500k); printf x | dd of=$l bs=1 seek=5000 conv=notrunc status=none",
      -EBADMSG, "umoci failed" },
    { "a layout without its layer", LAYOUT "rm $(find source/blobs -size +500k)", -EBADMSG, "umoci failed" },
    { "a layout with a digest that is a path",
      LAYOUT "sed -i 's|sha256:[0-9a-f]*|sha256:../../../../etc/passwd|' source/index.json", -EBADMSG,
      "without a usable SHA-256" },
    { "a layout with layers of another kind",
      LAYOUT
      "m=" BLOB_WITH("\"layers\":\\[{") "; sed s/tar+gzip/tar+zstd/ $m >n; d=$(sha256sum n | cut -d' ' -f1); "
                                        "mv n source/blobs/sha256/$d; sed -i s/sha256:$(basename "
                                        "$m)/sha256:$d/ source/index.json",
      -EBADMSG, "a layer that cannot be unpacked" },
    { "a directory too deep",
      "mkdir source; cd source; for i in $(seq 250); do mkdir d; cd d; done; echo x >x", -ENAMETOOLONG,
      "nested too deep" },
    { "the store itself", "ln -s state source", -ELOOP, "the image store lies in there" },
};

static void clear(void)
{
    shell("chmod -R u+rwx . 2>/dev/null || true; find . -mindepth 1 -maxdepth 1 ! -name state -exec rm -rf "
          "{} +");
}

static void each_refusal_has_its_reason(void **state)
{
    TABLE_FOREACH (row, refusals) {
        print_message("           %s\n", row->title);
        shell("exec >/dev/null 2>&1; %s", row->make);
        import_fails(*state, &(ImportOptions){ .source = "source", .name = "x" }, row->error, row->words);
        clear();
    }
}

/* Every bit of a file turned in turn, and the file cut at every byte: `read_it` must come back. */
static void damage_everywhere(const char *file, void (*read_it)(void *userdata), void *userdata)
{
    Bytes whole = { 0 };
    _cleanup_(closep) int fd = open(file, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_success(file_read_fd(fd, 1 << 20, &whole));
    for (size_t bit = 0; bit < 8 * whole.size; bit++) {
        uint8_t damaged = whole.data[bit / 8] ^ (uint8_t)(1U << bit % 8);
        assert_int_equal(pwrite(fd, &damaged, 1, (off_t)(bit / 8)), 1);
        read_it(userdata);
        assert_int_equal(pwrite(fd, &whole.data[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    for (size_t size = whole.size; size > 0; size--) {
        assert_int_equal(ftruncate(fd, (off_t)size - 1), 0);
        read_it(userdata);
    }
    bytes_done(&whole);
}

static void read_layout(void *userdata)
{
    OciImage image;
    char *error = NULL;

    int r = oci_layout_read(userdata, NULL, "amd64", &image, &error);
    if (r == 0)
        oci_image_done(&image);
    else
        assert_non_null(error);
    free(error);
}

static void no_damage_of_an_index_does_harm(void **state)
{
    make_layout("source");
    _cleanup_(closep) int dir = dir_open_at(AT_FDCWD, "source");
    _cleanup_(closep) int blobs = dir_open_at(AT_FDCWD, "source/blobs");
    OciLayout layout = { .dir = dir, .blobs = blobs };

    damage_everywhere("source/index.json", read_layout, &layout);
}

static void read_image(void *userdata)
{
    Fixture *f = userdata;
    ImageRecord record;
    ImageList list;
    char *error = NULL;

    int r = image_lookup(f->store, "x", &record, NULL, &error);
    if (r == 0)
        image_record_done(&record);
    else
        assert_non_null(error);
    assert_success(image_list(f->store, &list, NULL));
    assert_int_equal(list.n_images, 1);
    image_list_done(&list);
    free(error);
}

static void no_damage_of_a_record_or_a_name_does_harm(void **state)
{
    Fixture *f = *state;
    shell("mkdir source; echo x >source/x");
    _cleanup_(freep) char *digest = import_ok(f, "source", "x");
    _cleanup_(freep) char *record = strf("state/images/blobs/sha256-%s.msgpack", digest + strlen("sha256:"));

    damage_everywhere("state/images/names/x", read_image, f);
    damage_everywhere(record, read_image, f);
}

static void a_tag_that_is_not_there_is_refused_with_those_that_are(void **state)
{
    make_layout("source");
    import_fails(*state, &(ImportOptions){ .source = "source", .name = "x", .tag = "nope" }, -ENOENT,
                 "its tags are: latest");
}

static void a_bad_name_is_refused_before_anything_is_done(void **state)
{
    import_fails(*state, &(ImportOptions){ .source = "source", .name = "../x" }, -EINVAL, "cannot be a name");
}

/* --- archives that reach out of their place --------------------------------------------------------------------------- */

/* Each makes `source` so that a careless program would write to $PWD/victim/file. A refusal is as good as a harmless image. */
static const struct {
    const char *title, *make;
} attacks[] = {
    { "an absolute name", "tar -P -cf source $PWD/victim/file $PWD/r/bin/sh" },
    { "a name with ..", "cd r; tar -P -cf ../source --transform 's|^x|../../../../../victim/file|' x bin" },
    { "a file through an absolute link",
      "ln -s $PWD/victim r/out; tar -cf source -C r out bin; rm r/out; mkdir r/out; echo evil >r/out/file; "
      "tar -rf source -C r out/file" },
    { "a file through a link upwards", "ln -s ../../../../../victim r/out; tar -cf source -C r out bin; rm "
                                       "r/out; mkdir r/out; echo evil >r/out/file; "
                                       "tar -rf source -C r out/file" },
    { "a file over an absolute link", "ln -s $PWD/victim/file r/f; tar -cf source -C r f bin; rm r/f; echo "
                                      "evil >r/f; tar -rf source -C r f" },
    { "a hard link to a file of the host", "echo evil >r/f; ln r/f r/g; tar -P -cf source -C r f g bin "
                                           "--transform \"flags=h;s|^f|$PWD/victim/file|\"; "
                                           "tar -rf source -C r g" },
    { "a directory's mode and owner through a link",
      "ln -s $PWD/victim r/d; tar -cf source -C r d bin; rm r/d; mkdir r/d; chmod 0777 r/d; tar -rf source "
      "-C r d" },
};

static void no_archive_writes_outside_of_its_place(void **state)
{
    Fixture *f = *state;

    TABLE_FOREACH (row, attacks) {
        print_message("           %s\n", row->title);
        shell("mkdir -m 0700 victim r r/bin; echo good >victim/file; touch -d 2020-01-01 victim victim/file; "
              "cp /bin/busybox "
              "r/bin/sh; echo evil >r/x; stat -c '%%a %%Y %%h' victim victim/file >before");
        shell("exec 2>/dev/null; %s", row->make);
        shell("echo good >victim/file; touch -d 2020-01-01 victim/file; chmod 0700 victim; touch -d "
              "2020-01-01 victim; "
              "stat -c '%%a %%Y %%h' victim victim/file >before");
        const ImportOptions options = { .source = "source", .name = "x" };
        (void)image_import(f->store, &options, NULL, NULL);
        shell("stat -c '%%a %%Y %%h' victim victim/file | cmp - before; [ \"$(cat victim/file)\" = good ]; "
              "[ \"$(ls victim)\" = file ]");
        assert_clean(f);
        clear();
    }
}

static void links_that_lead_outside_are_kept_as_they_are(void **state)
{
    make_rootfs("r");
    shell("tar -C r -cf source .");

    _cleanup_(freep) char *digest = import_ok(*state, "source", "x");

    shell("fsck.erofs --extract=out state/images/blobs/sha256-%s.erofs >/dev/null\n"
          "[ $(readlink out/etc/absolute) = /etc/passwd ] && [ $(readlink out/etc/upwards) = "
          "../../../../etc/passwd ]",
          digest + strlen("sha256:"));
}

/* --- programs that are missing, hang or die ---------------------------------------------------------------------------- */

static void a_program_that_is_missing_is_named_with_its_package(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *make, *there, *words;
    } rows[] = {
        { "mkdir source; cp /bin/busybox source/sh", "", "`apt install erofs-utils`" },
        { "tar -cf source /bin/busybox 2>/dev/null", "", "`apt install tar`" },
        { "tar -cJf source /bin/busybox 2>/dev/null", "tar", "`apt install xz-utils`" },
        { LAYOUT, "", "`apt install umoci`" },
        { "echo '[{\"Config\":\"x\",\"Layers\":[]}]' >manifest.json; tar -cf source manifest.json", "tar",
          "`apt install skopeo`" },
    };
    TABLE_FOREACH (row, rows) {
        shell("exec >/dev/null 2>&1; mkdir programs; for p in %s; do ln -s $(command -v $p) programs/; done; "
              "%s",
              row->there, row->make);
        _cleanup_(freep) char *programs = strf("%s/programs", f->top);
        import_fails(f, &(ImportOptions){ .source = "source", .name = "x", .programs = programs }, -ENOPKG,
                     row->words);
        clear();
    }
}

/* With a mkfs.erofs that is this shell script instead. */
static void import_with_program(Fixture *f, const char *script, usec_t stall, int error, const char *words)
{
    _cleanup_(freep) char *text = strf("#!/bin/sh\n%s\n", script);
    _cleanup_(freep) char *path = strf("%s/programs:/bin:/usr/bin", f->top);

    shell("mkdir -p programs source; cp /bin/busybox source/sh");
    _cleanup_(closep) int programs = dir_open_at(AT_FDCWD, "programs");
    assert_success(file_replace_at(programs, "mkfs.erofs", text, strlen(text), 0755));
    import_fails(
        f, &(ImportOptions){ .source = "source", .name = "x", .programs = path, .stall_timeout = stall },
        error, words);
}

static void a_program_that_hangs_is_killed_with_its_children(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *script =
        strf("mkfifo /proc/self/fd/3/pipe; exec 9<%s/held; flock -n 9 || exit; sleep 4711 & wait", f->top);

    shell(": >held");
    import_with_program(f, script, USEC_PER_SEC, -ETIMEDOUT, "made no progress for 1s");
    /* The lock is free when all are gone that have it open. */
    shell("flock --timeout 60 held true");
}

static void a_program_that_only_works_is_not_taken_for_hanging(void **state)
{
    import_with_program(*state, "i=0; while [ $i -lt 800000 ]; do i=$((i+1)); done; echo worked >&2; exit 1",
                        500 * USEC_PER_MSEC, -EBADMSG, "worked");
}

static void the_death_of_a_program_is_told(void **state)
{
    import_with_program(*state, "kill -SEGV $$", 0, -EBADMSG, "killed by signal 11 (SEGV)");
}

static void the_last_that_a_program_says_is_shown_escaped(void **state)
{
    import_with_program(*state, "printf '%100000d\\nred \\033[31mwords\\n' 0 >&2; exit 3", 0, -EBADMSG,
                        "; red \\x1b[31mwords");
}

static void a_program_gets_four_descriptors_and_no_privileges(void **state)
{
    _cleanup_(closep) int other = open("/dev/zero", O_RDONLY); /* on purpose without O_CLOEXEC */

    assert_true(other >= 0);
    import_with_program(*state,
                        "f=$(ls /proc/$$/fd); grep NoNewPrivs /proc/self/status >&2; echo $f >&2; exit 1", 0,
                        -EBADMSG, "NoNewPrivs:\\x091; 0 1 10 2 3");
}

static void a_program_cannot_write_outside_of_its_work(void **state)
{
    /* The wall is Landlock's, where the kernel has it. */
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2)
        skip();
    import_with_program(
        *state,
        "echo x >/proc/self/fd/3/inside || exit 1; echo evil >../evil; rm ./sh; mkdir /tmp/evil.$$; "
        "ln -s x ../evil; [ -e sh ] && echo walled >&2; exit 1",
        0, -EACCES, "walled");
    assert_int_equal(shell_status("[ -e evil ] || [ -h evil ]"), 1);
}

/* --- a disk that is full ------------------------------------------------------------------------------------------------- */

/* In a process with a mount namespace of its own, so that the disk is ours: 0 when all was as it should be. */
static int import_on_small_disk(const char *source, unsigned kilobytes, const char *programs)
{
    char *error = NULL;
    _cleanup_(freep) char *options = strf("size=%uk", kilobytes);
    ImageStore *store;
    const ImportOptions import = { .source = source, .name = "x", .programs = programs };

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mkdir("disk", 0700) < 0 || mount("disk", "disk", "tmpfs", 0, options) < 0)
        return 77;
    _cleanup_(closep) int disk = dir_open_at(AT_FDCWD, "disk");
    if (image_store_open(disk, IMAGE_WRITE, &store, NULL) < 0)
        return 1;
    int r = image_import(store, &import, NULL, &error);
    if (r != -ENOSPC || !error || !strstr(error, "disk of the image store is full")) {
        fprintf(stderr, "%s on %u KiB: %d: %s\n", source, kilobytes, r, error ?: "no sentence");
        return 2;
    }
    return shell_status(
               "[ -z \"$(find disk/images -type f ! -name lock)\" ] && [ -z \"$(ls disk/images/work)\" ]") ==
                   0
               ? 0
               : 3;
}

static void check_small_disk(const char *source, unsigned kilobytes, const char *programs)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(import_on_small_disk(source, kilobytes, programs));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    shell("rm -rf disk");
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

static void a_full_disk_is_told_and_nothing_is_left(void **state)
{
    static const char *const sources[] = { "r", "archive", "archive.gz", "layout" };
    static const unsigned sizes[] = { 64, 1024, 2600 };
    if (geteuid() != 0)
        skip();
    shell("exec >/dev/null 2>&1; " LAYOUT
          "mv source layout; mkdir -p r/bin; cp /bin/busybox r/bin/sh; tar -C r -cf archive .; "
          "gzip -k archive");

    TABLE_FOREACH (source, sources)
        TABLE_FOREACH (size, sizes)
            /* A directory is only packed: it fits where its copy beside it would not. */
            if (!streq(*source, "r") || *size <= 2000)
                check_small_disk(*source, *size, NULL);
}

static void a_full_disk_is_told_where_the_program_tells_something_else(void **state)
{
    Fixture *f = *state;
    static const char *const ends[] = { "exit 2", "kill -BUS $$" };
    if (geteuid() != 0)
        skip();
    _cleanup_(freep) char *path = strf("%s/programs:/bin:/usr/bin", f->top);

    shell("mkdir programs source; cp /bin/busybox source/sh");
    TABLE_FOREACH (end, ends) {
        shell("printf '#!/bin/sh\\ncat /dev/zero >/proc/self/fd/3/some 2>&-; echo panic >&2; %%s\\n' "
              "'%s' >programs/mkfs.erofs; chmod +x programs/mkfs.erofs",
              *end);
        check_small_disk("source", 4096, path);
    }
}

/* --- a directory that cannot be taken whole --------------------------------------------------------------------------------- */

static int mount_in_source(void)
{
    return mount("x", "source/a/b", "tmpfs", 0, NULL);
}

/* What was there and what came later are on two devices then. */
static int overlay_on_source(void)
{
    if (mkdir("layers", 0700) < 0 || mount("x", "layers", "tmpfs", 0, NULL) < 0 ||
        mkdir("layers/upper", 0755) < 0 || mkdir("layers/work", 0755) < 0)
        return -1;
    if (mount("x", "source", "overlay", 0, "lowerdir=source,upperdir=layers/upper,workdir=layers/work") < 0)
        return -1;
    shell("touch source/a/later");
    return 0;
}

/* Imports source in a process of its own, after an arrangement of mounts that it alone sees: what was returned, and said. */
static int import_with(int (*arrange)(void), int expected, const char *words)
{
    char *error = NULL;
    ImageStore *store;
    const ImportOptions import = { .source = "source", .name = "x" };

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || arrange() < 0)
        return 77;
    _cleanup_(closep) int state = dir_open_at(AT_FDCWD, "state");
    if (image_store_open(state, IMAGE_WRITE, &store, NULL) < 0)
        return 1;
    int r = image_import(store, &import, NULL, &error);
    return r == expected && (!words || (error && strstr(error, words))) ? 0 : 2;
}

static void check_import_with(int (*arrange)(void), int expected, const char *words)
{
    int status;
    if (geteuid() != 0)
        skip();
    shell("mkdir -p source/a/b; cp /bin/busybox source/sh");

    pid_t pid = fork();
    if (pid == 0)
        _exit(import_with(arrange, expected, words));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

static void another_file_system_in_a_directory_is_refused(void **state)
{
    check_import_with(mount_in_source, -EXDEV, "a/b: another file system is mounted there");
}

static void a_directory_of_an_overlay_is_one_file_system(void **state)
{
    check_import_with(overlay_on_source, 0, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_refusal_has_its_reason),
        TEST(no_damage_of_an_index_does_harm),
        TEST(no_damage_of_a_record_or_a_name_does_harm),
        TEST(a_tag_that_is_not_there_is_refused_with_those_that_are),
        TEST(a_bad_name_is_refused_before_anything_is_done),
        TEST(no_archive_writes_outside_of_its_place),
        TEST(links_that_lead_outside_are_kept_as_they_are),
        TEST(a_program_that_is_missing_is_named_with_its_package),
        TEST(a_program_that_hangs_is_killed_with_its_children),
        TEST(a_program_that_only_works_is_not_taken_for_hanging),
        TEST(the_death_of_a_program_is_told),
        TEST(the_last_that_a_program_says_is_shown_escaped),
        TEST(a_program_gets_four_descriptors_and_no_privileges),
        TEST(a_program_cannot_write_outside_of_its_work),
        TEST(a_full_disk_is_told_and_nothing_is_left),
        TEST(a_full_disk_is_told_where_the_program_tells_something_else),
        TEST(another_file_system_in_a_directory_is_refused),
        TEST(a_directory_of_an_overlay_is_one_file_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
