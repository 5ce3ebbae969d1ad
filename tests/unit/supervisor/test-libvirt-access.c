/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt's user gets of a pod, and what it is told that it does not get. */
#include <grp.h>
#include <sys/stat.h>

#include "supervisor/libvirt-access.h"
#include "tests/unit/test.h"

#define STRANGER 4242
#define POD "web"
#define DIGITS "0000000000000000000000000000000000000000000000000000000000000000"

/* A podvisord's directories with one pod and one image, as they are before the first start. */
typedef struct Host {
    TestDir dir;
    char *run, *blob;
    Paths paths;
    DaemonConfig config;
    Supervisor supervisor;
    RunImage image;
    RunDefinition definition;
} Host;

static void make_file(int dir, const char *name, mode_t mode)
{
    _cleanup_(closep) int fd = file_open_at(dir, name, O_WRONLY | O_CREAT, mode);

    assert_success(fd);
    assert_success(fchmod(fd, mode));
}

static void host_init(Host *h)
{
    *h = (Host){ .dir = test_dir_new() };
    h->run = strf("%s/run", h->dir.path);
    h->blob = strf("%s/state/images/blobs/sha256-" DIGITS ".erofs", h->dir.path);
    h->paths.run = h->run;
    h->config.libvirt_user = (char *)(uintptr_t) "4242";
    assert_success(fchmod(h->dir.fd, 0755));
    _cleanup_(closep) int pod = -1, vm = -1;
    h->supervisor = (Supervisor){
        .paths = &h->paths,
        .config = &h->config,
        .run_dir = dir_make_at(h->dir.fd, "run", 0700),
        .state_dir = dir_make_at(h->dir.fd, "state", 0700),
    };
    h->supervisor.pods_dir = dir_make_at(h->supervisor.run_dir, PATHS_PODS, 0700);
    assert_success(pod = dir_make_at(h->supervisor.pods_dir, POD, 0700));
    assert_success(vm = dir_make_at(pod, RUN_VM_DIR, 0700));
    _cleanup_(closep) int images = dir_make_at(h->supervisor.state_dir, PATHS_IMAGES, 0700);
    _cleanup_(closep) int blobs = dir_make_at(images, "blobs", 0700);
    make_file(blobs, "sha256-" DIGITS ".erofs", 0400);
    make_file(blobs, "other.erofs", 0400);
    make_file(h->dir.fd, "vmlinux", 0644);
    h->image.path = h->blob;
    h->definition = (RunDefinition){
        .name = (char *)(uintptr_t)POD,
        .pod.backend = BACKEND_LIBVIRT,
        .images = &h->image,
        .n_images = 1,
    };
    h->definition.kernel = h->definition.initrd = strf("%s/vmlinux", h->dir.path);
}

static void host_done(Host *h)
{
    safe_close(h->supervisor.run_dir);
    safe_close(h->supervisor.pods_dir);
    safe_close(h->supervisor.state_dir);
    free(h->definition.kernel);
    free(h->run);
    free(h->blob);
    test_dir_done(&h->dir);
}

static void assert_mode(const Host *h, const char *path, mode_t mode, gid_t gid)
{
    struct stat st;

    assert_success(fstatat(h->dir.fd, path, &st, AT_SYMLINK_NOFOLLOW));
    assert_int_equal(st.st_mode & 07777, mode);
    assert_int_equal(st.st_gid, gid);
    assert_int_equal(st.st_uid, geteuid());
}

/* The user's group as it is found for one of the host that tests run on. */
static gid_t group_of_nobody(Host *h)
{
    _cleanup_(freep) char *error = NULL;
    LibvirtUser user;

    h->config.libvirt_user = (char *)(uintptr_t) "nobody";
    assert_success(libvirt_user_find("nobody", &user, &error));
    free(user.name);
    return user.gid;
}

static void libvirts_group_gets_what_the_pod_has_and_no_more(void **state)
{
    _cleanup_(freep) char *error = NULL;
    Host h;

    if (geteuid() != 0)
        skip();
    host_init(&h);
    gid_t gid = group_of_nobody(&h);
    for (int again = 0; again < 2; again++) {
        assert_success(libvirt_access_give(&h.supervisor, &h.definition, &error));
        assert_mode(&h, "run", 0710, gid);
        assert_mode(&h, "run/pods/" POD, 0710, gid);
        assert_mode(&h, "run/pods/" POD "/vm", 0710, gid);
        assert_mode(&h, "state/images/blobs", 0710, gid);
        assert_mode(&h, "state/images/blobs/sha256-" DIGITS ".erofs", 0440, gid);
        assert_mode(&h, "state/images/blobs/other.erofs", 0400, getegid());
    }
    host_done(&h);
}

static void a_machine_of_another_backend_is_closed_to_it(void **state)
{
    _cleanup_(freep) char *error = NULL;
    Host h;

    if (geteuid() != 0)
        skip();
    host_init(&h);
    gid_t gid = group_of_nobody(&h);
    assert_success(libvirt_access_give(&h.supervisor, &h.definition, &error));
    h.definition.pod.backend = BACKEND_QEMU;
    assert_success(libvirt_access_give(&h.supervisor, &h.definition, &error));
    assert_mode(&h, "run/pods/" POD "/vm", 0700, gid);
    host_done(&h);
}

static void what_everybody_may_is_left_as_it_is(void **state)
{
    _cleanup_(freep) char *error = NULL;
    Host h;

    if (geteuid() != 0)
        skip();
    host_init(&h);
    (void)group_of_nobody(&h);
    assert_success(fchmod(h.supervisor.run_dir, 0755));
    assert_success(libvirt_access_give(&h.supervisor, &h.definition, &error));
    assert_mode(&h, "run", 0755, getegid());
    host_done(&h);
}

static void a_closed_directory_and_the_user_are_named(void **state)
{
    _cleanup_(freep) char *error = NULL;
    Host h;

    if (geteuid() != 0)
        skip();
    host_init(&h);
    (void)group_of_nobody(&h);
    assert_success(fchmod(h.dir.fd, 0700));
    assert_int_equal(libvirt_access_give(&h.supervisor, &h.definition, &error), -EACCES);
    _cleanup_(freep) char *wanted = strf("it may not pass through %s (mode 0700", h.dir.path);
    assert_non_null(strstr(error, "\"nobody\" cannot use"));
    assert_non_null(strstr(error, wanted));
    host_done(&h);
}

static void a_group_that_all_pods_are_in_is_refused(void **state)
{
    _cleanup_(freep) char *error = NULL;
    Host h;

    if (geteuid() != 0 || !getgrnam("kvm"))
        skip();
    host_init(&h);
    h.config.libvirt_user = (char *)(uintptr_t) "nobody:kvm";
    h.supervisor.units = true;
    assert_int_equal(libvirt_access_give(&h.supervisor, &h.definition, &error), -EINVAL);
    assert_non_null(strstr(error, "is kvm, in which all pods are"));
    assert_mode(&h, "run/pods/" POD, 0700, getegid());
    host_done(&h);
}

static void a_closed_kernel_is_named(void **state)
{
    _cleanup_(freep) char *error = NULL;
    const LibvirtUser user = { (char *)(uintptr_t) "x", STRANGER, STRANGER, STRANGER };
    Host h;

    host_init(&h);
    assert_success(libvirt_access_check(&user, h.definition.kernel, S_IROTH, &error));
    assert_success(fchmodat(h.dir.fd, "vmlinux", 0640, 0));
    assert_int_equal(libvirt_access_check(&user, h.definition.kernel, S_IROTH, &error), -EACCES);
    _cleanup_(freep) char *wanted = strf("it may not read %s (mode 0640", h.definition.kernel);
    assert_non_null(strstr(error, wanted));
    host_done(&h);
}

static void a_user_that_is_not_there_is_named(void **state)
{
    _cleanup_(freep) char *error = NULL, *no_group = NULL;
    LibvirtUser user;

    assert_int_equal(libvirt_user_find("no-such-user", &user, &error), -ENOENT);
    assert_non_null(strstr(error, "no user \"no-such-user\""));
    assert_int_equal(libvirt_user_find("root:no-such-group", &user, &no_group), -ENOENT);
    assert_non_null(strstr(no_group, "no group \"no-such-group\""));
}

static void the_group_can_be_named(void **state)
{
    _cleanup_(freep) char *error = NULL;
    LibvirtUser user;

    assert_success(libvirt_user_find("root:tty", &user, &error));
    assert_string_equal(user.name, "root");
    assert_int_equal(user.uid, 0);
    assert_int_not_equal(user.gid, user.first_gid);
    free(user.name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libvirts_group_gets_what_the_pod_has_and_no_more),
        cmocka_unit_test(a_machine_of_another_backend_is_closed_to_it),
        cmocka_unit_test(what_everybody_may_is_left_as_it_is),
        cmocka_unit_test(a_closed_directory_and_the_user_are_named),
        cmocka_unit_test(a_group_that_all_pods_are_in_is_refused),
        cmocka_unit_test(a_closed_kernel_is_named),
        cmocka_unit_test(a_user_that_is_not_there_is_named),
        cmocka_unit_test(the_group_can_be_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
