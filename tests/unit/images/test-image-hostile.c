/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images whose maker means harm, layer by layer, or only did what layers allow: what comes out is what the layers say, and nothing
 * reaches out of its place, lasts for ever or fills the disk.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/images/fixture.h"

/* Makes the layout `source` of the tar files that follow, the lowest first, with the configuration that $config says. */
#define LAYERED                                                                                              \
    "put() { d=$(sha256sum $1 | cut -c-64); cp $1 source/blobs/sha256/$d; s=$(stat -c %%s $1); }\n"          \
    "layered() {\n"                                                                                          \
    "    mkdir -p source/blobs/sha256; l= i=\n"                                                              \
    "    for t; do put $t; i=$i${i:+,}'\"sha256:'$d'\"'\n"                                                   \
    "        "                                                                                               \
    "l=$l${l:+,}'{\"mediaType\":\"application/"                                                              \
    "vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:'$d'\",\"size\":'$s'}'; "                              \
    "done\n"                                                                                                 \
    "    printf '%%s\\n' "                                                                                   \
    "'{\"os\":\"linux\",\"config\":{'$config'},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":['$i']}}' >c; "  \
    "put c\n"                                                                                                \
    "    echo "                                                                                              \
    "'{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"                                         \
    "vnd.oci.image.config.v1+json\",\"digest\":\"sha256:'$d'\",\"size\":'$s'},\"layers\":['$l']}' >m; put "  \
    "m\n"                                                                                                    \
    "    echo "                                                                                              \
    "'{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"                                     \
    "vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:'$d'\",\"size\":'$s'}]}' >source/index.json\n"     \
    "    echo '{\"imageLayoutVersion\":\"1.0.0\"}' >source/oci-layout\n"                                     \
    "}\n"

static void clear(void)
{
    shell("chmod -R u+rwx . 2>/dev/null || true; find . -mindepth 1 -maxdepth 1 ! -name state -exec rm -rf "
          "{} +");
}

static void make_victim(void)
{
    shell("mkdir -m 0700 victim; echo good >victim/file; touch -d 2020-01-01 victim/file victim");
}

static void assert_victim_is_well(void)
{
    shell("[ \"$(cat victim/file)\" = good ] && [ \"$(ls -A victim)\" = file ] && "
          "[ \"$(stat -c '%%a %%h %%Y' victim/file)\" = \"644 1 $(date -d 2020-01-01 +%%s)\" ] && [ $(stat "
          "-c %%a "
          "victim) = 700 ]");
}

/* --- what layers say ------------------------------------------------------------------------------------------------ */

/* `make` calls layered; `expect` looks at `out`, where the image is unpacked then. */
static const struct {
    const char *title, *make, *expect;
} honest[] = {
    { "a whiteout takes away what is below, and is none itself",
      "mkdir -p 1/a 2/a; echo x >1/a/x; echo y >1/a/y; touch 2/a/.wh.x", "[ \"$(ls -A out/a)\" = y ]" },
    { "an opaque whiteout takes away all that is below, and nothing of its own layer",
      "mkdir -p 1/a/deep 2/a; echo x >1/a/x; echo x >1/a/deep/x; echo n >2/a/new; touch 2/a/.wh..wh..opq",
      "[ \"$(ls -A out/a)\" = new ]" },
    { "a directory over a file, and a file over a directory",
      "mkdir -p 1/d 2/f; echo x >1/d/x; echo x >1/f; echo y >2/d; echo y >2/f/y",
      "[ \"$(cat out/d)\" = y ] && [ \"$(cat out/f/y)\" = y ]" },
    { "a hard link to a file of a lower layer is that file",
      "mkdir 1 2; echo x >1/f; echo x >2/f; ln 2/f 2/g; rm -f two; tar -C 2 -cf two --no-recursion f g; "
      "tar -f two --delete f; mv two 2.tar",
      "[ \"$(cat out/g)\" = x ]" },
    { "a whiteout of what is not there is nothing", "mkdir 1 2; echo x >1/f; touch 2/.wh.nothing",
      "[ \"$(ls -A out)\" = f ]" },
    { "a name with line ends, quotes and blanks stays as it is",
      "mkdir 1 2; echo x >1/\"a\n'b \\\"c\\\"\"; printf 'd\\\\n\\001' >name; echo x >2/\"$(cat name)\"",
      "[ -e out/\"a\n'b \\\"c\\\"\" ] && [ -e out/\"$(cat name)\" ]" },
    { "a FIFO is not waited for, and a socket not spoken to",
      "mkdir 1 2; echo x >1/f; mkfifo 2/fifo; python3 -c 'import socket; "
      "socket.socket(socket.AF_UNIX).bind(\"2/socket\")'",
      "[ -p out/fifo ]" },
    { "a hole in a file is as long as it was",
      "mkdir 1 2; echo x >1/f; truncate -s 20M 2/hole; echo end >>2/hole",
      "[ $(stat -c %s out/hole) = 20971524 ] && [ \"$(tail -c 4 out/hole)\" = end ]" },
};

static void layers_become_what_they_say(void **state)
{
    TABLE_FOREACH (row, honest) {
        print_message("           %s\n", row->title);
        shell(LAYERED "%s\nfor n in 1 2; do [ -e $n.tar ] || tar -C $n --format=posix -S -cf $n.tar .; done; "
                      "layered 1.tar 2.tar",
              row->make);
        _cleanup_(freep) char *digest = import_ok(*state, "source", "x");
        shell("fsck.erofs --extract=out state/images/blobs/sha256-%s.erofs >/dev/null",
              digest + strlen("sha256:"));
        if (shell_status("%s", row->expect) != 0)
            fail_msg("%s: %s", row->title, shell_output("find out -ls"));
        clear();
    }
}

static void devices_and_privileges_of_layers_are_what_they_were(void **state)
{
    static const struct {
        const char *path, *mode;
    } rows[] = { { "/null", "20666" },
                 { "/disk", "60600" },
                 { "/su", "104755" },
                 { "/sg", "102755" },
                 { "/t", "41777" } };
    if (geteuid() != 0)
        skip();
    shell(LAYERED
          "mkdir 1 1/t; mknod 1/null c 1 3; mknod 1/disk b 8 0; cp /bin/busybox 1/su; cp /bin/busybox 1/sg\n"
          "chmod 666 1/null; chmod 600 1/disk; chmod 4755 1/su; chmod 2755 1/sg; chmod 1777 1/t\n"
          "tar -C 1 -cf 1.tar .; layered 1.tar");

    _cleanup_(freep) char *digest = import_ok(*state, "source", "x");
    _cleanup_(freep) char *blob = strf("state/images/blobs/sha256-%s.erofs", digest + strlen("sha256:"));

    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *mode = mode_in_image(blob, row->path);
        assert_string_equal(mode, row->mode);
    }
}

/* --- layers that reach out ---------------------------------------------------------------------------------------------- */

/* Each makes two layers by which a careless program would change $PWD/victim. A refusal is as good as a harmless image. */
static const struct {
    const char *title, *make;
} attacks[] = {
    { "a file through an absolute link of the layer below",
      "ln -s $PWD/victim 1/out; mkdir 2/out; echo evil >2/out/file" },
    { "a file through a link upwards of the layer below",
      "ln -s ../../../../../../../../../..$PWD/victim 1/out; mkdir 2/out; echo evil >2/out/new" },
    { "a file over a link of the layer below", "ln -s $PWD/victim/file 1/f; echo evil >2/f" },
    { "a whiteout through a link of the layer below",
      "ln -s $PWD/victim 1/out; mkdir 2/out; touch 2/out/.wh.file" },
    { "an opaque whiteout through a link of the layer below",
      "ln -s $PWD/victim 1/out; mkdir 2/out; touch 2/out/.wh..wh..opq" },
    { "a whiteout of the directory above", "mkdir 2/a; touch 2/a/.wh..." },
    { "a whiteout of the directory itself", "mkdir 2/a; touch 2/a/.wh.." },
    { "a whiteout without a name", "mkdir 2/a; touch 2/a/.wh." },
    { "a hard link through a link of the layer below",
      "ln -s $PWD/victim 1/out; mkdir 2/out; echo x >2/out/file; ln 2/out/file 2/g; tar -C 2 -cf 2.tar "
      "--no-recursion "
      "out/file g; tar -f 2.tar --delete out/file" },
    { "a hard link to a file of the host", "echo x >2/f; ln 2/f 2/g; tar -P -C 2 -cf 2.tar --transform "
                                           "\"flags=h;s|^f|$PWD/victim/file|\" f g; tar -P -f 2.tar "
                                           "--delete f; echo evil >3; tar -rf 2.tar --transform 's|3|g|' 3" },
    { "a mode through a link of the layer below", "ln -s $PWD/victim 1/out; mkdir -m 0777 2/out" },
    { "a name with ..", "echo evil >2/x; tar -P -C 2 -cf 2.tar --transform 's|^x|../../../victim/file|' x" },
    { "an absolute name", "echo evil >2/x; tar -P -C 2 -cf 2.tar --transform \"s|^x|$PWD/victim/file|\" x" },
};

static void no_layer_reaches_out_of_its_place(void **state)
{
    Fixture *f = *state;

    TABLE_FOREACH (row, attacks) {
        print_message("           %s\n", row->title);
        make_victim();
        shell("exec 2>/dev/null\n" LAYERED "mkdir 1 2; echo x >1/x; %s\nfor n in 1 2; do [ -e $n.tar ] || "
              "tar -C $n -cf $n.tar .; done; layered 1.tar "
              "2.tar",
              row->make);
        const ImportOptions options = { .source = "source", .name = "x" };
        (void)image_import(f->store, &options, NULL, NULL);
        assert_victim_is_well();
        assert_clean(f);
        clear();
    }
}

/* --- what is too much ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *title, *make;
    uint64_t size_max, entries_max;
    int error;
    const char *words;
} excesses[] = {
    { "a file of a terabyte that is one hole, in an archive", "truncate -s 1T 1/f; tar -C 1 -S -cf source .",
      0, 0, -EFBIG, "larger than an image may be" },
    { "a file that is mostly a hole, in a layer",
      "truncate -s 1T 1/f; tar -C 1 --format=posix -S -cf 1.tar .; layered 1.tar", 1 << 20, 0, -EFBIG,
      "larger than an image may be" },
    { "a file of a terabyte that is one hole, in a directory", "mv 1 source; truncate -s 1T source/f", 0, 0,
      -EFBIG, "more than the 64G that an image may have" },
    { "files that are too much together", "for i in 1 2; do head -c 600K /dev/zero >1/$i; done; mv 1 source",
      1 << 20, 0, -EFBIG, "more than the 1M that an image may have" },
    { "zeros that were packed well", "head -c 9M /dev/zero >1/f; tar -C 1 -czf source .", 1 << 20, 0, -EFBIG,
      "larger than an image may be" },
    { "more files than an image may have", "(cd 1; touch $(seq 60)); tar -C 1 -cf source .", 0, 50, -E2BIG,
      "more files in it than an image may have" },
};

static void what_is_too_much_is_refused_and_nothing_is_left(void **state)
{
    TABLE_FOREACH (row, excesses) {
        print_message("           %s\n", row->title);
        shell("exec >/dev/null\n" LAYERED "mkdir 1; echo x >1/x; %s", row->make);
        import_fails(
            *state,
            &(ImportOptions){
                .source = "source", .name = "x", .size_max = row->size_max, .entries_max = row->entries_max },
            row->error, row->words);
        clear();
    }
}

static void a_file_with_many_names_counts_once(void **state)
{
    Fixture *f = *state;
    const ImportOptions options = { .source = "source", .name = "x", .size_max = 1 << 20 };

    shell(
        "mkdir source; head -c 600K /dev/zero >source/f; for i in $(seq 20); do ln source/f source/$i; done");
    assert_success(image_import(f->store, &options, NULL, NULL));
}

/* In a process with mounts of its own: 0 when a hole that the disk has no room for is refused before it is packed. */
static int import_hole_on_small_disk(void)
{
    char *error = NULL;
    ImageStore *store;
    const ImportOptions import = { .source = "source", .name = "x" };

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mkdir("disk", 0700) < 0 || mount("disk", "disk", "tmpfs", 0, "size=4m") < 0)
        return 77;
    _cleanup_(closep) int disk = dir_open_at(AT_FDCWD, "disk");
    if (image_store_open(disk, IMAGE_WRITE, &store, NULL) < 0)
        return 1;
    int r = image_import(store, &import, NULL, &error);
    return r == -ENOSPC && error && strstr(error, "needs 1G") ? 0 : 2;
}

static void a_hole_that_the_disk_has_no_room_for_is_not_packed(void **state)
{
    int status;
    if (geteuid() != 0)
        skip();
    shell("mkdir source; truncate -s 1G source/f");

    pid_t pid = fork();
    if (pid == 0)
        _exit(import_hole_on_small_disk());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

/* --- configurations ---------------------------------------------------------------------------------------------------- */

static void a_configuration_that_cannot_be_meant_is_refused(void **state)
{
    static const struct {
        const char *config, *words;
    } rows[] = {
        { "\"User\":\"root\\nx\"", "User = \"root\\x0ax\"" },
        { "\"User\":\"../x\"", "User = " },
        { "\"WorkingDir\":\"/a/../../etc\"", "WorkingDir = " },
        { "\"StopSignal\":\"$(reboot)\"", "StopSignal = " },
    };
    TABLE_FOREACH (row, rows) {
        shell(LAYERED "mkdir 1; echo x >1/x; tar -C 1 -cf 1.tar .; config='%s'; layered 1.tar", row->config);
        import_fails(*state, &(ImportOptions){ .source = "source", .name = "x" }, -EBADMSG, row->words);
        clear();
    }
}

/* --- docker save ------------------------------------------------------------------------------------------------------- */

static void what_docker_save_writes_gives_the_image_of_its_layout(void **state)
{
    make_layout("layout");
    _cleanup_(freep) char *layout = import_ok(*state, "layout", "layout");
    shell("skopeo --insecure-policy copy -q oci:layout:latest docker-archive:saved:example.org/app:1");
    _cleanup_(freep) char *saved = import_ok(*state, "saved", "saved");
    shell("gzip saved");
    _cleanup_(freep) char *packed = import_ok(*state, "saved.gz", "packed");

    assert_string_equal(saved, layout);
    assert_string_equal(packed, layout);
}

static void one_of_several_saved_images_is_chosen_by_its_tag(void **state)
{
    Fixture *f = *state;
    ImageRecord record;
    make_layout("layout");
    shell("umoci config --image layout:latest --tag other --config.user 7; mkdir both\n"
          "for t in latest other; do skopeo --insecure-policy copy -q oci:layout:$t "
          "docker-archive:$t:example.org/app:$t\n"
          "    tar -C both -xf $t; mv both/manifest.json $t.json; done\n"
          "echo \"[$(sed 's/^\\[//; s/\\]$//' latest.json),$(sed 's/^\\[//; s/\\]$//' other.json)]\" "
          ">both/manifest.json\n"
          "tar -C both -cf source .");

    import_fails(f, &(ImportOptions){ .source = "source", .name = "x" }, -ENOTUNIQ,
                 "choose one with --tag: example.org/app:latest, example.org/app:other");
    import_fails(f, &(ImportOptions){ .source = "source", .name = "x", .tag = "nope" }, -ENOENT,
                 "its tags are");
    static const char *const tags[] = { "other", "example.org/app:other" };
    TABLE_FOREACH (tag, tags) {
        const ImportOptions options = { .source = "source", .name = "x", .tag = *tag };
        assert_success(image_import(f->store, &options, &record, NULL));
        assert_string_equal(record.config.user, "7");
        image_record_done(&record);
    }
}

static void a_saved_layer_that_is_a_link_to_a_file_of_the_host_is_refused(void **state)
{
    make_layout("layout");
    shell("skopeo --insecure-policy copy -q oci:layout:latest docker-archive:saved:x:1; mkdir r; tar -C r "
          "-xf saved\n"
          "tar -cf $PWD/victim.tar /bin/busybox 2>/dev/null; cd r; layer=$(ls -S *.tar | head -n 1); ln -sf "
          "$PWD/../victim.tar $layer; "
          "tar -cf ../source .");

    import_fails(*state, &(ImportOptions){ .source = "source", .name = "x" }, -EBADMSG, "skopeo failed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(layers_become_what_they_say),
        TEST(devices_and_privileges_of_layers_are_what_they_were),
        TEST(no_layer_reaches_out_of_its_place),
        TEST(what_is_too_much_is_refused_and_nothing_is_left),
        TEST(a_file_with_many_names_counts_once),
        TEST(a_hole_that_the_disk_has_no_room_for_is_not_packed),
        TEST(a_configuration_that_cannot_be_meant_is_refused),
        TEST(what_docker_save_writes_gives_the_image_of_its_layout),
        TEST(one_of_several_saved_images_is_chosen_by_its_tag),
        TEST(a_saved_layer_that_is_a_link_to_a_file_of_the_host_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
