/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "schemas/backend-description.h"
#include "schemas/pod-definition.h"
#include "schemas/schema-json.h"

static int read_description(const char *text, BackendDescription *ret)
{
    return schema_from_json(&backend_description_schema, ret, text, strlen(text));
}

static void test_what_is_written_is_read_back(void **state)
{
    BackendDescription before, after;
    char *text = NULL;
    size_t size = 0;

    assert_success(schema_init(&backend_description_schema, &before));
    assert_success(str_replace(&before.name, "qemu"));
    assert_success(str_replace(&before.vmm, "QEMU \"7.2\" \xc3\xa9"));
    before.usable = true;
    assert_success(backend_description_accelerator(&before, "kvm", false, strdup("no /dev/kvm")));
    assert_success(backend_description_accelerator(&before, "tcg", true, NULL));
    FILE *f = open_memstream(&text, &size);
    _cleanup_(json_releasep) Json *json = schema_to_json(&backend_description_schema, &before);
    assert_success(json_print(json, JSON_SHORT, f));
    assert_int_equal(fclose(f), 0);

    assert_success(schema_from_json(&backend_description_schema, &after, text, size));
    size_t n = 0;
    assert_success(schema_diff(&backend_description_schema, &before, &after, NULL, NULL, &n));
    assert_int_equal(n, 0);
    assert_string_equal(after.accelerators[0].note, "no /dev/kvm");
    schema_done(&backend_description_schema, &before);
    schema_done(&backend_description_schema, &after);
    free(text);
}

static void test_numbers_words_and_groups_are_read(void **state)
{
    const char *text = "{ \"format\": \"json\" }",
               *pod = "{ \"cpus\": 7, \"libvirt\": { \"machine\": \"pc\" } }";
    ContainerLog log;
    PodDefinition p;

    assert_success(schema_from_json(&container_log_schema, &log, text, strlen(text)));
    assert_int_equal(log.format, LOG_SYNTAX_JSON);
    assert_success(schema_from_json(&pod_schema, &p, pod, strlen(pod)));
    assert_int_equal(p.cpus, 7);
    assert_int_equal(p.libvirt.machine, LIBVIRT_MACHINE_PC);
    pod_definition_done(&p);
}

static void test_unknown_keys_are_passed_over_and_missing_ones_have_their_default(void **state)
{
    BackendDescription d;

    assert_success(read_description("{ \"future\": [ 1, { } ], \"note\": null }", &d));
    assert_null(d.name);
    assert_null(d.note);
    assert_int_equal(d.n_daemons, 0);
    schema_done(&backend_description_schema, &d);
}

static void test_what_is_no_json_or_of_another_type_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "null",
        "{} {}",
        "{ \"name\": 7 }",
        "{ \"name\": \"a\\u0000b\" }",
        "{ \"name\": \"\xff\" }",
        "{ \"usable\": \"true\" }",
        "{ \"usable\": 1 }",
        "{ \"accelerators\": {} }",
        "{ \"accelerators\": [ 7 ] }",
        "{ \"accelerators\": [ { \"name\": [] } ] }",
        "{ \"name\": \"a\", \"name\": \"b\" }",
        "{ \"daemons\": [ {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {} ] }",
    };

    TABLE_FOREACH (text, texts) {
        BackendDescription d;
        if (read_description(*text, &d) != -EBADMSG)
            fail_msg("%s was taken", *text);
    }
}

static void test_deep_nesting_is_refused_and_not_followed(void **state)
{
    enum { DEPTH = 30000 };
    _cleanup_(freep) char *text = malloc(DEPTH + 1);
    BackendDescription d;

    assert_non_null(text);
    memset(text, '[', DEPTH);
    text[DEPTH] = 0;
    assert_int_equal(read_description(text, &d), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read_back),
        cmocka_unit_test(test_numbers_words_and_groups_are_read),
        cmocka_unit_test(test_unknown_keys_are_passed_over_and_missing_ones_have_their_default),
        cmocka_unit_test(test_what_is_no_json_or_of_another_type_is_refused),
        cmocka_unit_test(test_deep_nesting_is_refused_and_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
