/* SPDX-License-Identifier: Apache-2.0 */
/* Against tests/golden/qemu/NAME.argv, one word a line. PODVISOR_GOLDEN=write in the environment writes the files anew. */
#include "tests/unit/test.h"

#include "backends/qemu/command-line.h"

static const char *golden_dir;

static RunDefinition definition_new(Machine machine)
{
    RunDefinition d;

    assert_success(schema_init(&run_definition_schema, &d));
    assert_success(id128_parse("0f8fad5b-d9cb-469f-a165-70867728950e", &d.uuid));
    assert_success(str_replace(&d.name, "web"));
    assert_success(str_replace(&d.qemu, "/usr/bin/qemu-system-x86_64"));
    assert_success(str_replace(&d.kernel, "/usr/lib/podvisor/guest/vmlinux"));
    assert_success(str_replace(&d.initrd, "/usr/lib/podvisor/guest/initrd"));
    d.pod.qemu.machine = machine;
    return d;
}

static void assert_golden(const char *name, const RunDefinition *d, const CommandLineInputs *in)
{
    _cleanup_(strv_freep) char **v = NULL;
    Bytes wanted = { 0 };
    _cleanup_(freep) char *file = strf("%s.argv", name);

    assert_success(command_line_build(d, in, &v));
    _cleanup_(freep) char *words = strv_join(v, "\n"), *text = strf("%s\n", words);
    _cleanup_(closep) int dir = dir_open_at(AT_FDCWD, golden_dir);
    assert_true(dir >= 0);
    if (getenv("PODVISOR_GOLDEN"))
        assert_success(file_replace_at(dir, file, text, strlen(text), 0644));
    assert_success(file_read_at(dir, file, 65536, &wanted));
    assert_success(bytes_terminate(&wanted));
    assert_string_equal(text, (char *)wanted.data);
    bytes_done(&wanted);
}

static void test_each_machine_under_each_accelerator_has_its_golden_command_line(void **state)
{
    static const CommandLineDisk disks[] = { { 0, 20 }, { 2, 21 } };

    for (int m = 0; m < MACHINE_MAX; m++)
        for (int a = ACCELERATOR_KVM; a <= ACCELERATOR_TCG; a++) {
            RunDefinition d = definition_new((Machine)m);
            CommandLineInputs in = { (Accelerator)a, .kernel_fd = 8, .initrd_fd = 9,
                                     .qmp_fd = 10,   .agent_fd = 11, .bell_fd = 12,
                                     .disks = disks, .n_disks = 2,   .network_fd = -1 };
            in.tsc_khz = m == MACHINE_MICROVM && a == ACCELERATOR_TCG ? 2596128 : 0;
            _cleanup_(freep) char *name =
                strf("%s-%s", enum_to_string(&machine_table, m), enum_to_string(&accelerator_table, a));
            assert_golden(name, &d, &in);
            schema_done(&run_definition_schema, &d);
        }
}

static void test_volumes_are_disks_with_their_format_and_rights(void **state)
{
    static const DiskFile volumes[] = {
        { .id = 32, .fd = 22, .format = DISK_RAW },
        { .id = 33, .fd = 23, .format = DISK_RAW, .read_only = true },
        { .id = 40, .fd = 24, .format = DISK_QCOW2 },
        { .id = 41, .fd = 26, .format = DISK_RAW, .scratch = true },
        { .id = 63, .fd = 25, .format = DISK_RAW, .device = true },
    };
    RunDefinition d = definition_new(MACHINE_MICROVM);
    CommandLineInputs in = { ACCELERATOR_TCG,    .kernel_fd = 8,
                             .initrd_fd = 9,     .qmp_fd = 10,
                             .agent_fd = 11,     .bell_fd = 12,
                             .volumes = volumes, .n_volumes = ELEMENTSOF(volumes),
                             .network_fd = -1 };

    assert_golden("volumes", &d, &in);
    schema_done(&run_definition_schema, &d);
}

static void test_a_live_share_is_a_device_that_is_served_from_the_guests_memory(void **state)
{
    static const CommandLineShare shares[] = { { .index = 1, .fd = 27 }, { .index = 4, .fd = 28 } };
    RunDefinition d = definition_new(MACHINE_Q35);
    CommandLineInputs in = { ACCELERATOR_TCG,  .kernel_fd = 8,
                             .initrd_fd = 9,   .qmp_fd = 10,
                             .agent_fd = 11,   .bell_fd = 12,
                             .shares = shares, .n_shares = ELEMENTSOF(shares),
                             .network_fd = -1 };

    assert_golden("q35-shares", &d, &in);
    schema_done(&run_definition_schema, &d);
}

static void test_a_pod_with_a_network_has_one_interface_whose_other_end_connects_to_it(void **state)
{
    for (int m = 0; m < MACHINE_MAX; m++) {
        RunDefinition d = definition_new((Machine)m);
        CommandLineInputs in = { ACCELERATOR_KVM, .kernel_fd = 8, .initrd_fd = 9,  .qmp_fd = 10,
                                 .agent_fd = 11,  .bell_fd = 12,  .network_fd = 13 };
        _cleanup_(freep) char *name = strf("%s-network", enum_to_string(&machine_table, m));
        assert_golden(name, &d, &in);
        schema_done(&run_definition_schema, &d);
    }
}

static void test_a_template_and_its_copy_are_the_same_machine(void **state)
{
    static const CommandLineDisk disks[] = { { 0, 20 } };

    for (int m = 0; m < MACHINE_MAX; m++) {
        RunDefinition d = definition_new((Machine)m);
        CommandLineInputs in = { ACCELERATOR_TCG, .memory = MEMORY_TEMPLATE,
                                 .memory_fd = 7,  .kernel_fd = 8,
                                 .initrd_fd = 9,  .qmp_fd = 10,
                                 .agent_fd = 11,  .bell_fd = 12,
                                 .network_fd = 13 };
        _cleanup_(freep) char *template = strf("%s-template", enum_to_string(&machine_table, m)),
                              *copy = strf("%s-copy", enum_to_string(&machine_table, m));
        d.pod.network.mode = NETWORK_USER;
        assert_golden(template, &d, &in);
        in.memory = MEMORY_COPY;
        in.disks = disks;
        in.n_disks = 1;
        assert_golden(copy, &d, &in);
        schema_done(&run_definition_schema, &d);
    }
}

static void test_a_name_with_commas_stays_one_value(void **state)
{
    RunDefinition d = definition_new(MACHINE_MICROVM);
    CommandLineInputs in = { ACCELERATOR_TCG, .kernel_fd = 8, .initrd_fd = 9,  .qmp_fd = 10,
                             .agent_fd = 11,  .bell_fd = 12,  .network_fd = 13 };
    _cleanup_(strv_freep) char **v = NULL;

    assert_success(str_replace(&d.name, "a,debug-threads=on,"));
    assert_success(command_line_build(&d, &in, &v));
    assert_true(strv_contains(v, "guest=a,,debug-threads=on,,"));
    schema_done(&run_definition_schema, &d);
}

/* Fills every text of the pod file, at any depth, with something that would be seen. */
static void canary_fill(const Schema *schema, void *object)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const Field *f = &schema->fields[i];
        void *at = field_at(f, object);
        if (f->type == FIELD_STRING)
            assert_success(str_replace(at, "canary"));
        else if (f->type == FIELD_STRV || f->type == FIELD_ENVIRONMENT)
            assert_success(strv_append(at, "canary"));
        else if (f->type == FIELD_GROUP)
            canary_fill(f->schema, at);
        else if (f->type == FIELD_LIST)
            canary_fill(f->schema, field_append(f, object));
    }
}

static void test_no_text_of_a_pod_file_reaches_the_command_line(void **state)
{
    RunDefinition d = definition_new(MACHINE_MICROVM);
    CommandLineInputs in = { ACCELERATOR_TCG, .kernel_fd = 8, .initrd_fd = 9,  .qmp_fd = 10,
                             .agent_fd = 11,  .bell_fd = 12,  .network_fd = 13 };
    _cleanup_(strv_freep) char **v = NULL;

    canary_fill(&pod_schema, &d.pod);
    canary_fill(&run_image_schema, field_append(schema_field(&run_definition_schema, "images"), &d));
    assert_success(command_line_build(&d, &in, &v));
    STRV_FOREACH (word, v)
        assert_null(strstr(*word, "canary"));
    schema_done(&run_definition_schema, &d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_machine_under_each_accelerator_has_its_golden_command_line),
        cmocka_unit_test(test_volumes_are_disks_with_their_format_and_rights),
        cmocka_unit_test(test_a_live_share_is_a_device_that_is_served_from_the_guests_memory),
        cmocka_unit_test(test_a_pod_with_a_network_has_one_interface_whose_other_end_connects_to_it),
        cmocka_unit_test(test_a_template_and_its_copy_are_the_same_machine),
        cmocka_unit_test(test_a_name_with_commas_stays_one_value),
        cmocka_unit_test(test_no_text_of_a_pod_file_reaches_the_command_line),
    };
    _cleanup_(freep) char *dir = strf("%s/../../golden/qemu", argc > 1 ? argv[1] : ".");
    golden_dir = dir;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
