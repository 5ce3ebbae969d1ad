/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/file.h>

#include "cli/image-users.h"
#include "schemas/checkpoint.h"
#include "schemas/run-definition.h"
#include "tests/unit/test.h"

#define DIGEST "sha256:00"

/* A run path as a pod with this image leaves it; the descriptor holds the machine's lock for as long as it is open. */
static int make_pod(const TestDir *dir, const char *name, const char *digest, bool runs)
{
    _cleanup_(freep) char *run_path = strf("%s/run/pods/%s", dir->path, name), *vm = strf("%s/vm", run_path);
    RunDefinition d;

    assert_success(dir_make_path(vm, 0700));
    _cleanup_(closep) int run_dir = dir_open_at(AT_FDCWD, run_path), vm_dir = dir_open_at(AT_FDCWD, vm);
    assert_success(schema_init(&run_definition_schema, &d));
    d.name = strdup(name);
    RunImage *image = field_append(schema_field(&run_definition_schema, "images"), &d);
    image->digest = strdup(digest);
    assert_success(checkpoint_write(run_dir, &run_definition_kind, (Id128){ 0 }, 1, &d));
    schema_done(&run_definition_schema, &d);
    int lock = openat(vm_dir, RUN_MACHINE_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(lock >= 0);
    if (runs)
        assert_int_equal(flock(lock, LOCK_EX), 0);
    return lock;
}

static void the_users_of_an_image_are_the_pods_that_run_it_now(void **state)
{
    TestDir dir = test_dir_new();
    Paths paths;
    assert_success(paths_init(&paths, dir.path, false));
    int locks[] = {
        make_pod(&dir, "web", DIGEST, true),
        make_pod(&dir, "db", DIGEST, true),
        make_pod(&dir, "held", DIGEST, false),
        make_pod(&dir, "other", "sha256:11", true),
    };

    _cleanup_(strv_freep) char **users = image_users(&paths, DIGEST);
    _cleanup_(freep) char *list = strv_join(users, " ");
    assert_string_equal(list, "db web");

    TABLE_FOREACH (lock, locks)
        safe_close(*lock);
    assert_null(image_users(&paths, DIGEST));
    paths_done(&paths);
    test_dir_done(&dir);
}

static void where_nothing_ever_ran_nobody_uses_anything(void **state)
{
    Paths paths;

    assert_success(paths_init(&paths, "/nonexistent", false));
    assert_null(image_users(&paths, DIGEST));
    paths_done(&paths);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_users_of_an_image_are_the_pods_that_run_it_now),
        cmocka_unit_test(where_nothing_ever_ran_nobody_uses_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
