/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the file that a volume names before a VMM gets it. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backends/disk-file.h"
#include "base/lock-holders.h"
#include "tests/unit/test.h"

#define TEXT(s) ((char *)(uintptr_t)(s))
enum { SIZE = 4096 };

/* A directory with the disk of one volume, and all that is told of it. */
typedef struct Fixture {
    TestDir dir;
    VolumeDefinition volumes[2];
    RunDisk disk;
    RunDefinition definition;
    BackendImage passed;
    BackendContext context;
    DiskFile file;
    char *message;
} Fixture;

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    f->dir = test_dir_new();
    f->volumes[0] = (VolumeDefinition){ .name = TEXT("cache") };
    f->volumes[1] = (VolumeDefinition){ .name = TEXT("data"), .type = VOLUME_DISK };
    f->disk = (RunDisk){ .volume = TEXT("data"), .directory = f->dir.path, .file = TEXT("disk") };
    f->definition = (RunDefinition){ .disks = &f->disk, .n_disks = 1 };
    f->definition.pod.volumes = f->volumes;
    f->definition.pod.n_volumes = 2;
    f->context = (BackendContext){ .definition = &f->definition, .images = &f->passed };
    f->file.fd = f->passed.fd = -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    safe_close(f->file.fd);
    safe_close(f->passed.fd);
    free(f->message);
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

static void fill(const Fixture *f, const void *data, size_t size, off_t whole)
{
    _cleanup_(closep) int fd = file_open_at(f->dir.fd, "disk", O_RDWR | O_CREAT | O_TRUNC, 0600);

    assert_success(fd);
    assert_success(write_all(fd, data, size));
    assert_int_equal(ftruncate(fd, whole), 0);
}

static int look(Fixture *f)
{
    f->file.fd = safe_close(f->file.fd);
    f->message = (free(f->message), NULL);
    return disk_file_open(&f->context, &f->disk, false, &f->file, &f->message);
}

static void assert_refused(Fixture *f, const char *why)
{
    _cleanup_(freep) char *wanted =
        strf("the disk of volume data cannot be used: %s/disk: %s", f->dir.path, why);

    assert_true(look(f) < 0);
    assert_string_equal(f->message, wanted);
}

static void a_disk_has_the_place_of_its_volume_and_the_rights_that_it_says(void **state)
{
    Fixture *f = *state;

    fill(f, "x", 1, SIZE);
    assert_success(look(f));
    assert_int_equal(f->file.id, RUN_VOLUME_DISK + 1);
    assert_int_equal(fcntl(f->file.fd, F_GETFL) & O_ACCMODE, O_RDWR);
    f->volumes[1].read_only = true;
    assert_success(look(f));
    assert_true(f->file.read_only);
    assert_int_equal(fcntl(f->file.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    f->volumes[1].read_only = false;
    f->volumes[1].filesystem = DISK_EROFS;
    assert_success(look(f));
    assert_int_equal(fcntl(f->file.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
}

static void a_descriptor_that_was_handed_over_is_used_and_no_path(void **state)
{
    Fixture *f = *state;
    _cleanup_(closep) int other = file_open_at(f->dir.fd, "other", O_RDWR | O_CREAT, 0600);
    struct stat wanted, found;

    assert_int_equal(ftruncate(other, SIZE), 0);
    f->passed = (BackendImage){ .name = TEXT("volume-data"), .fd = take_fd(&other) };
    f->context.n_images = 1;
    assert_success(look(f));
    assert_int_equal(fstat(f->passed.fd, &wanted), 0);
    assert_int_equal(fstat(f->file.fd, &found), 0);
    assert_int_equal(found.st_ino, wanted.st_ino);
    f->volumes[1].read_only = true;
    assert_refused(f, "it is read-only, and was opened for writing");
}

static void what_is_no_disk_is_refused(void **state)
{
    Fixture *f = *state;

    assert_refused(f, "No such file or directory");
    fill(f, "", 0, 0);
    assert_refused(f, "it is empty (make = true makes a disk only where there is no file)");
    fill(f, "x", 1, 513);
    assert_refused(f, "its size is not a multiple of 512 bytes");
    assert_int_equal(unlinkat(f->dir.fd, "disk", 0), 0);
    assert_int_equal(mkfifoat(f->dir.fd, "disk", 0600), 0);
    assert_refused(f, "it is neither a file nor a block device");
    assert_int_equal(unlinkat(f->dir.fd, "disk", 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", f->dir.fd, "disk"), 0);
    assert_true(look(f) < 0);
}

/* The beginning of an image of QEMU's: magic, version, where the name of another image is, the features that must be known. */
static void fill_image(const Fixture *f, uint8_t version, uint8_t backing, uint8_t features)
{
    uint8_t header[104] = { 'Q', 'F', 'I', 0xfb, [7] = version, [15] = backing, [79] = features };

    fill(f, header, sizeof header, SIZE);
}

static void a_format_is_what_is_declared_or_refused(void **state)
{
    Fixture *f = *state;

    fill_image(f, 3, 0, 0);
    assert_refused(f, "its format is \"raw\", and it begins as an image of format \"qcow2\" does");
    f->volumes[1].format = DISK_QCOW2;
    assert_success(look(f));
    fill_image(f, 2, 0, 4);
    assert_success(look(f));
    fill_image(f, 3, 0, 4);
    assert_refused(f, "it keeps its data in another file, which no pod may have");
    fill_image(f, 2, 8, 0);
    assert_refused(f, "it is made on top of another image, which no pod may have "
                      "(`qemu-img rebase -b \"\"` makes it whole)");
    fill(f, "QFI\xfb", 4, 4);
    assert_refused(f, "its format is \"qcow2\", and it does not begin as such an image does");
}

/* As QEMU takes them: shared, on a byte for each right. */
static int lock_byte(const Fixture *f, off_t byte)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    int fd = file_open_at(f->dir.fd, "disk", O_RDWR, 0);

    assert_success(fd);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    return fd;
}

static void a_disk_that_somebody_uses_is_refused_to_who_would_be_in_the_way(void **state)
{
    enum { READS = 100, WRITES = 101 };
    Fixture *f = *state;

    fill(f, "x", 1, SIZE);
    int reader = lock_byte(f, READS);
    assert_refused(f, "another process uses it");
    f->volumes[1].read_only = true;
    assert_success(look(f));
    int writer = lock_byte(f, WRITES);
    safe_close(reader);
    assert_refused(f, "another process uses it");
    /* Whose machine may be there already is not in its own way. */
    assert_success(disk_file_open(&f->context, &f->disk, true, &f->file, &f->message));
    safe_close(writer);
}

static void who_has_a_file_open_is_found(void **state)
{
    Fixture *f = *state;
    struct stat st;
    int ends[2];
    char c;

    fill(f, "x", 1, SIZE);
    assert_int_equal(fstatat(f->dir.fd, "disk", &st, 0), 0);
    assert_null(file_user(&st));
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = file_open_at(f->dir.fd, "disk", O_RDONLY, 0);
        (void)!write(ends[1], "x", 1);
        pause();
        _exit(fd < 0);
    }
    assert_int_equal(read(ends[0], &c, 1), 1);
    _cleanup_(freep) char *user = file_user(&st), *wanted = strf("process %d (", (int)pid);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_non_null(user);
    assert_non_null(str_after(user, wanted));
    safe_close(ends[0]);
    safe_close(ends[1]);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_disk_has_the_place_of_its_volume_and_the_rights_that_it_says),
        TEST(a_descriptor_that_was_handed_over_is_used_and_no_path),
        TEST(what_is_no_disk_is_refused),
        TEST(a_format_is_what_is_declared_or_refused),
        TEST(a_disk_that_somebody_uses_is_refused_to_who_would_be_in_the_way),
        TEST(who_has_a_file_open_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
