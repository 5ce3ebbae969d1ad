/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/checkpoint.h"
#include "schemas/run-definition.h"
#include "tests/unit/test.h"

static const CheckpointKind kind = { .name = "test", .version = 2, .schema = &run_definition_schema };
static const CheckpointKind older = { .name = "test", .version = 1, .schema = &run_definition_schema };

static void write_one(int dir)
{
    RunDefinition d = { .name = strdup("web"), .attempt = 7 };
    Id128 id = { .bytes = { 1, 2, 3 } };

    assert_success(checkpoint_write(dir, &kind, id, 5, &d));
    free(d.name);
}

static CheckpointOutcome read_one(int dir, const CheckpointKind *k, char **ret_detail)
{
    RunDefinition d;
    CheckpointOutcome outcome = checkpoint_read(dir, k, &d, NULL, ret_detail);
    if (outcome == CHECKPOINT_GOOD)
        schema_done(&run_definition_schema, &d);
    return outcome;
}

static void what_was_written_is_read(void **state)
{
    TestDir t = test_dir_new_in_memory();
    RunDefinition d;
    CheckpointEnvelope e;
    Id128 boot;

    write_one(t.fd);
    assert_int_equal(checkpoint_read(t.fd, &kind, &d, &e, NULL), CHECKPOINT_GOOD);
    assert_string_equal(d.name, "web");
    assert_int_equal(d.attempt, 7);
    assert_int_equal(e.generation, 5);
    assert_int_equal(e.pod.bytes[2], 3);
    assert_success(id128_boot(&boot));
    assert_true(id128_equal(boot, e.boot));
    schema_done(&run_definition_schema, &d);
    schema_done(&checkpoint_envelope_schema, &e);
    test_dir_done(&t);
}

static void each_doubt_has_its_name(void **state)
{
    TestDir t = test_dir_new_in_memory();
    _cleanup_(freep) char *absent = NULL, *newer = NULL, *alien = NULL;
    static const CheckpointKind other = { .name = "other", .version = 1, .schema = &run_definition_schema };

    assert_int_equal(read_one(t.fd, &kind, &absent), CHECKPOINT_ABSENT);
    write_one(t.fd);
    assert_int_equal(read_one(t.fd, &older, &newer), CHECKPOINT_NEWER);
    assert_non_null(strstr(newer, "version 2"));
    assert_int_equal(renameat(t.fd, "test.msgpack", t.fd, "other.msgpack"), 0);
    assert_int_equal(read_one(t.fd, &other, &alien), CHECKPOINT_ALIEN);
    assert_int_equal(symlinkat("other.msgpack", t.fd, "test.msgpack"), 0);
    assert_int_equal(read_one(t.fd, &kind, NULL), CHECKPOINT_UNREADABLE);
    test_dir_done(&t);
}

static void no_truncation_is_taken_for_a_checkpoint(void **state)
{
    TestDir t = test_dir_new_in_memory();
    Bytes whole = { 0 };

    write_one(t.fd);
    assert_success(file_read_at(t.fd, "test.msgpack", 65536, &whole));
    for (size_t n = 0; n < whole.size; n++) {
        assert_success(file_replace_at(t.fd, "test.msgpack", whole.data, n, 0600));
        assert_int_equal(read_one(t.fd, &kind, NULL), CHECKPOINT_CORRUPT);
    }
    bytes_done(&whole);
    test_dir_done(&t);
}

/* A flipped bit may hit what only informs (a time, a generation); it must never change what the owner remembers. */
static void no_flipped_bit_changes_the_body(void **state)
{
    TestDir t = test_dir_new_in_memory();
    Bytes whole = { 0 };

    write_one(t.fd);
    assert_success(file_read_at(t.fd, "test.msgpack", 65536, &whole));
    for (size_t i = 0; i < whole.size * 8; i++) {
        RunDefinition d;
        whole.data[i / 8] ^= (uint8_t)(1 << (i % 8));
        assert_success(file_replace_at(t.fd, "test.msgpack", whole.data, whole.size, 0600));
        if (checkpoint_read(t.fd, &kind, &d, NULL, NULL) == CHECKPOINT_GOOD) {
            assert_string_equal(d.name, "web");
            assert_int_equal(d.attempt, 7);
            schema_done(&run_definition_schema, &d);
        }
        whole.data[i / 8] ^= (uint8_t)(1 << (i % 8));
    }
    bytes_done(&whole);
    test_dir_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(each_doubt_has_its_name),
        cmocka_unit_test(no_truncation_is_taken_for_a_checkpoint),
        cmocka_unit_test(no_flipped_bit_changes_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
