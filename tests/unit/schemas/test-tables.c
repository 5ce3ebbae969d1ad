/* SPDX-License-Identifier: Apache-2.0 */
/* Every table is walked whole: each word round-trips, each row is documented, each default is one that its own row accepts. */
#include "schemas/agent.h"
#include "schemas/checkpoint.h"
#include "schemas/daemon-config.h"
#include "schemas/pod-status.h"
#include "schemas/publish.h"
#include "schemas/schema-json.h"
#include "schemas/template-protocol.h"
#include "schemas/uplink-protocol.h"
#include "tests/unit/test.h"

static const EnumTable *const enum_tables[] = {
    &field_type_table,         &impact_table,           &backend_kind_table,    &restart_policy_table,
    &volume_type_table,        &machine_table,          &accelerator_table,     &runner_state_table,
    &end_reason_table,         &verdict_table,          &container_state_table, &log_target_table,
    &checkpoint_outcome_table, &stream_channel_table,   &pod_state_table,       &json_style_table,
    &launcher_kind_table,      &machined_use_table,     &suspend_policy_table,  &seccomp_profile_table,
    &network_mode_table,       &publish_protocol_table, &pull_policy_table,     &probe_kind_table,
    &container_role_table,     &start_part_table,
};

static const Schema *const schemas[] = {
    &pod_schema,
    &container_schema,
    &probe_schema,
    &restart_schema,
    &limits_schema,
    &rlimits_schema,
    &mount_schema,
    &volume_schema,
    &network_schema,
    &qemu_options_schema,
    &null_options_schema,
    &run_definition_schema,
    &run_image_schema,
    &runner_report_schema,
    &container_report_schema,
    &lease_report_schema,
    &checkpoint_envelope_schema,
    &daemon_config_schema,
    &bridge_link_schema,
    &pod_status_schema,
};

static const MessageTable *const protocols[] = { &runner_protocol, &stream_protocol, &agent_protocol,
                                                 &uplink_protocol, &template_protocol };

static void each_word_of_each_enum_round_trips_and_is_explained(void **state)
{
    TABLE_FOREACH (table, enum_tables)
        for (int i = 0; i < (*table)->n; i++) {
            assert_non_null((*table)->rows[i].name);
            assert_non_null((*table)->rows[i].doc);
            assert_int_equal(enum_from_string(*table, enum_to_string(*table, i)), i);
        }
    assert_int_equal(enum_from_string(&machine_table, "pc"), -EINVAL);
    assert_string_equal(enum_to_string(&machine_table, 99), "invalid");
}

static void check_rows(const Schema *schema)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const Field *field = &schema->fields[i];
        if (str_empty(field->doc) || !str_ends_with(field->doc, "."))
            fail_msg("%s.%s: its doc is no sentence", schema->name, field->name);
        if (field->offset >= schema->size)
            fail_msg("%s.%s: lies outside of its struct", schema->name, field->name);
        if (schema_field(schema, field->name) != field)
            fail_msg("%s.%s: stands twice", schema->name, field->name);
        _cleanup_(freep) char *expected = field_expected(field);
        assert_non_null(expected);
    }
}

static void each_row_is_explained_and_stands_once(void **state)
{
    TABLE_FOREACH (schema, schemas)
        check_rows(*schema);
    TABLE_FOREACH (protocol, protocols)
        for (int i = 0; i < (*protocol)->n_types; i++) {
            assert_non_null((*protocol)->types[i].doc);
            if ((*protocol)->types[i].schema)
                check_rows((*protocol)->types[i].schema);
        }
}

static void a_struct_of_defaults_survives_msgpack_and_back(void **state)
{
    TABLE_FOREACH (schema, schemas) {
        _cleanup_(freep) void *object = calloc(1, (*schema)->size), *copy = calloc(1, (*schema)->size);
        size_t n = 1;
        assert_success(schema_init(*schema, object));
        assert_success(schema_copy(*schema, object, copy));
        assert_success(schema_diff(*schema, object, copy, NULL, NULL, &n));
        if (n != 0)
            fail_msg("%s: %zu fields differ after a round trip", (*schema)->name, n);
        schema_done(*schema, object);
        schema_done(*schema, copy);
    }
}

static void each_message_survives_the_wire(void **state)
{
    TABLE_FOREACH (protocol, protocols)
        for (int i = 0; i < (*protocol)->n_types; i++) {
            const Schema *schema = (*protocol)->types[i].schema;
            _cleanup_(freep) void *body = schema ? calloc(1, schema->size) : NULL;
            Bytes bytes = { 0 };
            Message m;
            if (schema)
                assert_success(schema_init(schema, body));
            assert_success(message_to_bytes(*protocol, i, 7, body, &bytes));
            assert_success(message_from_bytes(*protocol, bytes.data, bytes.size, &m));
            assert_int_equal(m.type, i);
            assert_int_equal(m.id, 7);
            message_done(&m);
            if (schema)
                schema_done(schema, body);
            bytes_done(&bytes);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_word_of_each_enum_round_trips_and_is_explained),
        cmocka_unit_test(each_row_is_explained_and_stands_once),
        cmocka_unit_test(a_struct_of_defaults_survives_msgpack_and_back),
        cmocka_unit_test(each_message_survives_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
