/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <sys/file.h>

#include "supervisor/recovery.h"
#include "supervisor/run-path.h"
#include "tests/unit/guard.h"
#include "tests/unit/test.h"

#define GOOD CHECKPOINT_GOOD
#define ABSENT CHECKPOINT_ABSENT
#define CORRUPT CHECKPOINT_CORRUPT
#define NEWER CHECKPOINT_NEWER

static void every_cause_has_its_verdict(void **state)
{
    const struct {
        RunPathFacts facts; /* record, frozen, vm, same_boot, phase, same_attempt */
        RunPathVerdict verdict;
    } cases[] = {
        { { ABSENT, ABSENT, false, false, MACHINE_NONE, false }, RUN_PATH_NOTHING },
        { { ABSENT, ABSENT, true, false, MACHINE_NONE, false }, RUN_PATH_DOUBT },
        { { ABSENT, GOOD, true, false, MACHINE_NONE, false }, RUN_PATH_DOUBT },
        { { CORRUPT, GOOD, true, false, MACHINE_NONE, false }, RUN_PATH_DOUBT },
        { { NEWER, GOOD, true, false, MACHINE_NONE, false }, RUN_PATH_DOUBT },
        { { CORRUPT, ABSENT, false, false, MACHINE_NONE, false }, RUN_PATH_DOUBT },
        { { GOOD, GOOD, true, false, MACHINE_LIVE, true }, RUN_PATH_STALE },
        { { GOOD, CORRUPT, true, false, MACHINE_LIVE, false }, RUN_PATH_STALE },
        { { GOOD, ABSENT, false, true, MACHINE_NONE, false }, RUN_PATH_AT_REST },
        { { GOOD, GOOD, true, true, MACHINE_ENDED, true }, RUN_PATH_AT_REST },
        { { GOOD, CORRUPT, true, true, MACHINE_ENDED, false }, RUN_PATH_AT_REST },
        { { GOOD, ABSENT, false, true, MACHINE_LAUNCHING, false }, RUN_PATH_NOT_STARTED },
        { { GOOD, GOOD, true, true, MACHINE_LAUNCHING, false }, RUN_PATH_NOT_STARTED },
        { { GOOD, GOOD, true, true, MACHINE_LAUNCHING, true }, RUN_PATH_ALIVE },
        { { GOOD, GOOD, true, true, MACHINE_LIVE, true }, RUN_PATH_ALIVE },
        { { GOOD, GOOD, true, true, MACHINE_STOPPING, true }, RUN_PATH_ALIVE },
        { { GOOD, GOOD, true, true, MACHINE_LIVE, false }, RUN_PATH_DOUBT },
        { { GOOD, ABSENT, true, true, MACHINE_LIVE, false }, RUN_PATH_DOUBT },
        { { GOOD, CORRUPT, true, true, MACHINE_LAUNCHING, false }, RUN_PATH_DOUBT },
        { { GOOD, NEWER, true, true, MACHINE_STOPPING, false }, RUN_PATH_DOUBT },
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        const char *why = NULL;
        if (run_path_verdict(&cases[i].facts, &why) != cases[i].verdict)
            fail_msg("case %zu: %s", i, why);
        assert_non_null(why);
    }
}

/* A run path as it is once a machine was launched. */
static void make_run_path(int pods, MachinePhase phase)
{
    PodRecord record;
    RunDefinition definition;

    assert_success(schema_init(&pod_record_schema, &record));
    assert_success(schema_init(&run_definition_schema, &definition));
    assert_success(str_replace(&record.name, "web"));
    assert_success(str_replace(&definition.name, "web"));
    assert_success(id128_random(&record.uuid));
    definition.uuid = record.uuid;
    definition.attempt = record.attempt = 7;
    record.phase = phase;
    assert_success(run_path_write_record(pods, &record));
    assert_success(run_path_freeze(pods, &definition));
    schema_done(&pod_record_schema, &record);
    schema_done(&run_definition_schema, &definition);
}

static RunPathVerdict look(int pods)
{
    Recovered r;

    assert_success(run_path_read(pods, "web", &r));
    RunPathVerdict verdict = r.verdict;
    recovered_done(&r);
    return verdict;
}

static void a_whole_run_path_tells_of_a_machine(void **state)
{
    TestDir dir = test_dir_new();

    make_run_path(dir.fd, MACHINE_LIVE);
    assert_int_equal(look(dir.fd), RUN_PATH_ALIVE);
    assert_success(run_path_remove(dir.fd, "web"));
    assert_success(run_path_remove(dir.fd, "web"));
    test_dir_done(&dir);
}

/* Takes a lock in a child, as a runner or a machine would; returns the end of a pipe, whose closing ends the child. */
static int hold(int pods, const char *file, bool record)
{
    int ready[2], end[2];
    char byte;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(end, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int fd = file_open_at(pods, file, O_RDWR | O_CREAT, 0600);
        safe_close(end[1]);
        if ((record ? fcntl(fd, F_SETLK, &lock) : flock(fd, LOCK_EX | LOCK_NB)) == 0)
            (void)!write(ready[1], "", 1);
        (void)!read(end[0], &byte, 1);
        _exit(0);
    }
    safe_close(ready[1]);
    safe_close(end[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    safe_close(ready[0]);
    return end[1];
}

static void a_run_path_in_which_a_lock_is_held_is_not_removed(void **state)
{
    static const struct {
        const char *file;
        bool record;
    } locks[] = {
        { "web/" RUN_VM_DIR "/" RUN_MACHINE_LOCK_FILE, false },
        { "web/" RUN_VM_DIR "/" RUN_RUNNER_LOCK_FILE, true },
    };

    TABLE_FOREACH (lock, locks) {
        TestDir dir = test_dir_new();
        make_run_path(dir.fd, MACHINE_LIVE);
        int end = hold(dir.fd, lock->file, lock->record);
        assert_int_equal(run_path_remove(dir.fd, "web"), -EBUSY);
        safe_close(end);
        assert_true(wait(NULL) > 0);
        assert_success(run_path_remove(dir.fd, "web"));
        test_dir_done(&dir);
    }
}

/* In the order in which run_path_remove() goes: podvisord may end between any two of these. */
static void a_run_path_that_is_half_removed_is_no_doubt(void **state)
{
    TestDir dir = test_dir_new();

    make_run_path(dir.fd, MACHINE_ENDED);
    _cleanup_(closep) int run = dir_open_at(dir.fd, "web");
    assert_int_equal(look(dir.fd), RUN_PATH_AT_REST);
    assert_success(tree_remove_at(run, RUN_VM_DIR));
    assert_int_equal(look(dir.fd), RUN_PATH_AT_REST);
    assert_success(file_remove_at(run, RUN_DEFINITION_FILE));
    assert_int_equal(look(dir.fd), RUN_PATH_AT_REST);
    assert_success(file_remove_at(run, RUN_SUPERVISOR_FILE));
    assert_int_equal(look(dir.fd), RUN_PATH_NOTHING);
    test_dir_done(&dir);
}

static void a_held_lock_keeps_the_run_path(void **state)
{
    TestDir dir = test_dir_new();

    make_run_path(dir.fd, MACHINE_ENDED);
    _cleanup_(closep) int machine =
        openat(dir.fd, "web/" RUN_VM_DIR "/" RUN_MACHINE_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_success(flock(machine, LOCK_EX | LOCK_NB));
    assert_int_equal(run_path_remove(dir.fd, "web"), -EBUSY);
    assert_int_equal(look(dir.fd), RUN_PATH_AT_REST);
    assert_success(flock(machine, LOCK_UN));
    assert_success(run_path_remove(dir.fd, "web"));
    test_dir_done(&dir);
}

/* Without the care for the disk that file_replace_at() takes, for some ten thousand times. */
static void put(int run, const char *file, const void *data, size_t size)
{
    _cleanup_(closep) int fd = file_open_at(run, file, O_WRONLY | O_TRUNC, 0);
    assert_success(write_all(fd, data, size));
}

static void truncate_everywhere(int pods, int run, const char *file)
{
    Bytes whole;

    assert_success(file_read_at(run, file, 1024 * 1024, &whole));
    for (size_t n = 0; n < whole.size; n++) {
        put(run, file, whole.data, n);
        assert_int_equal(look(pods), RUN_PATH_DOUBT);
    }
    put(run, file, whole.data, whole.size);
    bytes_done(&whole);
}

/* Never "nothing", never "of another boot": both would let a second machine start beside the first. */
static void flip_everywhere(int pods, int run, const char *file)
{
    Bytes whole;

    assert_success(file_read_at(run, file, 1024 * 1024, &whole));
    for (size_t bit = 0; bit < whole.size * 8; bit++) {
        whole.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        put(run, file, whole.data, whole.size);
        whole.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        RunPathVerdict verdict = look(pods);
        if (verdict != RUN_PATH_DOUBT && verdict != RUN_PATH_ALIVE)
            fail_msg("bit %zu of %s: %s", bit, file, enum_to_string(&run_path_verdict_table, (int)verdict));
    }
    put(run, file, whole.data, whole.size);
    bytes_done(&whole);
}

static void damage_is_a_doubt_at_every_byte(void **state)
{
    TestDir dir = test_dir_new();

    make_run_path(dir.fd, MACHINE_LIVE);
    _cleanup_(closep) int run = dir_open_at(dir.fd, "web");
    truncate_everywhere(dir.fd, run, RUN_SUPERVISOR_FILE);
    truncate_everywhere(dir.fd, run, RUN_DEFINITION_FILE);
    flip_everywhere(dir.fd, run, RUN_SUPERVISOR_FILE);
    flip_everywhere(dir.fd, run, RUN_DEFINITION_FILE);
    assert_int_equal(look(dir.fd), RUN_PATH_ALIVE);
    test_dir_done(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_path_in_which_a_lock_is_held_is_not_removed),
        cmocka_unit_test(every_cause_has_its_verdict),
        cmocka_unit_test(a_whole_run_path_tells_of_a_machine),
        cmocka_unit_test(a_run_path_that_is_half_removed_is_no_doubt),
        cmocka_unit_test(a_held_lock_keeps_the_run_path),
        cmocka_unit_test(damage_is_a_doubt_at_every_byte),
    };
    test_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
