/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "backends/abilities.h"

typedef void (*KeyFunc)(const char *key);

/* Every key that can be written, groups and lists left out. */
static void each_key(const Schema *schema, const char *above, KeyFunc func)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const Field *f = &schema->fields[i];
        _cleanup_(freep) char *key = *above ? strf("%s.%s", above, f->name) : strdup(f->name);
        if (f->type == FIELD_GROUP || f->type == FIELD_LIST)
            each_key(f->schema, key, func);
        else
            func(key);
    }
}

static void assert_told_of_every_backend(const char *key)
{
    const AbilityRow *row = ability_row(key);

    if (!row)
        fail_msg("no row says which backends have %s", key);
    for (int b = 0; b < BACKEND_KIND_MAX; b++)
        if (row->on[b].ability == ABILITY_NONE)
            fail_msg("the row of %s says nothing about %s", key, enum_to_string(&backend_kind_table, b));
}

static void test_every_key_has_a_word_about_every_backend(void **state)
{
    each_key(&pod_schema, "", assert_told_of_every_backend);
}

static const Field *field_of(const char *key)
{
    _cleanup_(strv_freep) char **steps = strv_split(key, ".");
    const Schema *schema = &pod_schema;
    const Field *field = NULL;

    STRV_FOREACH (step, steps) {
        field = schema ? schema_field(schema, *step) : NULL;
        schema = field ? field->schema : NULL;
    }
    return field;
}

static void test_every_row_is_about_a_key_and_is_there_once(void **state)
{
    for (size_t i = 0; i < n_ability_rows; i++) {
        if (!field_of(ability_rows[i].key))
            fail_msg("there is no key %s", ability_rows[i].key);
        assert_ptr_equal(ability_row(ability_rows[i].key), &ability_rows[i]);
    }
}

static void test_what_has_no_or_only_some_effect_says_why(void **state)
{
    for (size_t i = 0; i < n_ability_rows; i++)
        for (int b = 0; b < BACKEND_KIND_MAX; b++) {
            const AbilityCell *cell = &ability_rows[i].on[b];
            assert_true(cell->ability == ABILITY_WORKS || cell->note);
            assert_int_equal(cell->refuses != NULL, cell->ability == ABILITY_PARTLY);
        }
}

static void test_the_nearest_row_counts(void **state)
{
    assert_string_equal(ability_row("containers.limits.memory")->key, "containers");
    assert_string_equal(ability_row("containers.image")->key, "containers.image");
    assert_null(ability_row("containersx"));
    assert_null(ability_row("nothing"));
}

/* What is said of a pod file, one line each. */
static char *complaints(const char *text, bool libvirt_xml)
{
    const AbilitySettings settings = { .libvirt_xml = libvirt_xml };
    Bytes bytes = { .data = (uint8_t *)(uintptr_t)text, .size = strlen(text) };
    Diagnostics d = { 0 };
    PodDefinition pod;

    int r = pod_file_read(&pod, &settings, "web.pod", &bytes, &d, NULL);
    assert_success(r);
    assert_int_equal(r, diagnostics_any(&d));
    char *said = diagnostics_format(&d);
    diagnostics_done(&d);
    pod_definition_done(&pod);
    assert_non_null(said);
    return said;
}

#define POD(rest) "containers = ( { name = \"a\"; image = \"b\"; } );\n" rest

static void assert_said(const char *text, bool libvirt_xml, const char *wanted)
{
    _cleanup_(freep) char *said = complaints(text, libvirt_xml);

    if (ability_missing(BACKEND_LIBVIRT))
        skip();
    assert_string_equal(said, wanted);
}

static void test_a_pod_without_groups_is_right_on_every_backend(void **state)
{
    assert_said(POD("backend = \"qemu\";"), false, "");
    assert_said(POD("backend = \"libvirt\";"), false, "");
    assert_said(POD("backend = \"null\";"), false, "");
}

static void test_the_groups_of_other_backends_are_without_effect(void **state)
{
    static const char *const words[] = { "qemu", "null" };

    TABLE_FOREACH (word, words) {
        _cleanup_(freep) char *text =
            strf(POD("backend = \"%s\"; libvirt = { xml = \"<name/>\"; accelerator = \"tcg\"; "
                     "cpu_model = \"host-passthrough\"; };"),
                 *word);
        assert_said(text, false, "");
    }
    assert_said(
        POD("backend = \"libvirt\"; qemu = { machine = \"microvm\"; }; null = { fail_start = true; };"),
        false, "");
}

static void test_xml_is_refused_where_podvisord_does_not_allow_it(void **state)
{
    const char *text = POD("backend = \"libvirt\";\nlibvirt = {\n  xml = \"<title>t</title>\"; };");

    assert_said(text, true, "");
    assert_said(text, false,
                "web.pod:4: libvirt.xml: podvisord.conf does not allow it: that takes libvirt_xml = true");
}

static void test_xml_that_touches_what_podvisor_owns_is_refused(void **state)
{
    const char *text = POD("backend = \"libvirt\";\nlibvirt = { xml = \"<name>x</name>\"; };");

    assert_said(
        text, true,
        "web.pod:3: libvirt.xml: line 1, column 1: <name> cannot be added: podvisor knows its machine by it");
    assert_said(
        text, false,
        "web.pod:3: libvirt.xml: podvisord.conf does not allow it: that takes libvirt_xml = true; besides, "
        "line 1, column 1: <name> cannot be added: podvisor knows its machine by it");
}

static void test_a_processor_that_emulation_has_not_is_refused(void **state)
{
    assert_said(POD("backend = \"libvirt\";\nlibvirt = { accelerator = \"tcg\";\ncpu_model = "
                    "\"host-passthrough\"; };"),
                false,
                "web.pod:4: libvirt.cpu_model: \"host-passthrough\" needs KVM, and libvirt.accelerator is "
                "\"tcg\"; take "
                "\"maximum\" or \"auto\"");
    assert_said(POD("backend = \"libvirt\";\nlibvirt = { cpu_model = \"host-passthrough\"; };"), false, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_has_a_word_about_every_backend),
        cmocka_unit_test(test_every_row_is_about_a_key_and_is_there_once),
        cmocka_unit_test(test_what_has_no_or_only_some_effect_says_why),
        cmocka_unit_test(test_the_nearest_row_counts),
        cmocka_unit_test(test_a_pod_without_groups_is_right_on_every_backend),
        cmocka_unit_test(test_the_groups_of_other_backends_are_without_effect),
        cmocka_unit_test(test_xml_is_refused_where_podvisord_does_not_allow_it),
        cmocka_unit_test(test_xml_that_touches_what_podvisor_owns_is_refused),
        cmocka_unit_test(test_a_processor_that_emulation_has_not_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
