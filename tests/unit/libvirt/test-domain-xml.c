/* SPDX-License-Identifier: Apache-2.0 */
/* Against tests/golden/libvirt/NAME.xml. PODVISOR_GOLDEN=write in the environment writes the files anew. */
#include "tests/unit/test.h"

#include "backends/libvirt/domain-xml.h"

static const char *golden_dir;

static const char *const images[] = { "/var/lib/podvisor/images/one.erofs", NULL,
                                      "/var/lib/podvisor/images/two.erofs" };
static const DomainInputs inputs = {
    .accelerator = ACCELERATOR_TCG,
    .emulator = "/usr/bin/qemu-system-x86_64",
    .kernel = "/usr/lib/podvisor/guest/vmlinux",
    .initrd = "/usr/lib/podvisor/guest/initrd",
    .vm_dir = "/run/podvisor/pods/web/vm",
    .image_paths = images,
    .n_image_paths = ELEMENTSOF(images),
};

static RunDefinition definition_new(void)
{
    RunDefinition d;

    assert_success(schema_init(&run_definition_schema, &d));
    assert_success(id128_parse("0f8fad5b-d9cb-469f-a165-70867728950e", &d.uuid));
    assert_success(str_replace(&d.name, "web"));
    d.generation = 3;
    d.attempt = 12;
    return d;
}

static char *build(const RunDefinition *d, const DomainInputs *in)
{
    char *text = NULL;

    assert_success(domain_xml_build(d, in, &text));
    return text;
}

static void assert_golden(const char *name, const RunDefinition *d, const DomainInputs *in)
{
    Bytes wanted = { 0 };
    _cleanup_(freep) char *file = strf("%s.xml", name), *xml = build(d, in), *text = strf("%s\n", xml);

    _cleanup_(closep) int dir = dir_open_at(AT_FDCWD, golden_dir);
    assert_true(dir >= 0);
    if (getenv("PODVISOR_GOLDEN"))
        assert_success(file_replace_at(dir, file, text, strlen(text), 0644));
    assert_success(file_read_at(dir, file, 65536, &wanted));
    assert_success(bytes_terminate(&wanted));
    assert_string_equal(text, (char *)wanted.data);
    bytes_done(&wanted);
}

/* The text between what stands before and behind it. */
static void assert_holds(const RunDefinition *d, const DomainInputs *in, const char *part, bool wanted)
{
    _cleanup_(freep) char *text = build(d, in);

    if ((strstr(text, part) != NULL) != wanted)
        fail_msg("%s is %s in %s", part, wanted ? "not" : "there", text);
}

static void test_a_pod_under_emulation_has_its_golden_domain(void **state)
{
    RunDefinition d = definition_new();
    DomainInputs in = inputs;

    in.tsc_khz = 2596128;
    assert_golden("emulated", &d, &in);
    schema_done(&run_definition_schema, &d);
}

static void test_volumes_are_disks_with_their_format_and_rights(void **state)
{
    static const DomainDisk volumes[] = {
        { .id = 32, .path = "/var/lib/podvisor/volumes/web.data.raw", .format = DISK_RAW },
        { .id = 33, .path = "/srv/a<b>&'c'.raw", .format = DISK_RAW, .read_only = true },
        { .id = 40, .path = "/srv/image.qcow2", .format = DISK_QCOW2 },
        { .id = 41, .path = "/srv/scratch.raw", .format = DISK_RAW, .scratch = true },
        { .id = 63, .path = "/dev/vg/db", .format = DISK_RAW, .device = true },
    };
    RunDefinition d = definition_new();
    DomainInputs in = inputs;

    in.disks = volumes;
    in.n_disks = ELEMENTSOF(volumes);
    assert_golden("volumes", &d, &in);
    schema_done(&run_definition_schema, &d);
}

static void test_a_pod_with_every_option_has_its_golden_domain(void **state)
{
    RunDefinition d = definition_new();
    DomainInputs in = inputs;

    in.accelerator = ACCELERATOR_KVM;
    in.security_model = "selinux";
    d.pod.cpus = 4;
    d.pod.memory = (UINT64_C(1) << 30) + 1;
    d.pod.libvirt.machine = LIBVIRT_MACHINE_PC;
    assert_success(str_replace(&d.pod.libvirt.cpu_model, "EPYC-v2"));
    assert_success(str_replace(&d.pod.libvirt.security_label, "system_u:system_r:svirt_t:s0:c1,c2"));
    d.libvirt_xml = true;
    assert_success(str_replace(&d.pod.libvirt.xml,
                               "<title>The front page</title>\n"
                               "<metadata><x:owner xmlns:x='urn:example'>web &amp; co</x:owner></metadata>\n"
                               "<features><pmu state='off'/></features>\n"
                               "<devices>\n  <watchdog model='i6300esb' action='none'/>\n</devices>"));
    assert_golden("every-option", &d, &in);
    schema_done(&run_definition_schema, &d);
}

static void test_the_processor_is_what_the_accelerator_can_give_or_what_was_asked_for(void **state)
{
    static const struct {
        Accelerator accelerator;
        const char *model, *element;
    } rows[] = {
        { ACCELERATOR_KVM, "auto", "<cpu mode=\"host-passthrough\"/>" },
        { ACCELERATOR_TCG, "auto", "<cpu mode=\"maximum\"/>" },
        { ACCELERATOR_KVM, "maximum", "<cpu mode=\"maximum\"/>" },
        { ACCELERATOR_KVM, "host-model", "<cpu mode=\"host-model\"/>" },
        { ACCELERATOR_KVM, "host-passthrough", "<cpu mode=\"host-passthrough\"/>" },
        { ACCELERATOR_TCG, "qemu64", "<model fallback=\"forbid\">qemu64</model>" },
    };

    TABLE_FOREACH (row, rows) {
        RunDefinition d = definition_new();
        DomainInputs in = inputs;
        in.accelerator = row->accelerator;
        assert_success(str_replace(&d.pod.libvirt.cpu_model, row->model));
        assert_holds(&d, &in, row->element, true);
        schema_done(&run_definition_schema, &d);
    }
}

static void test_labels_are_libvirts_own_or_none_or_the_pods(void **state)
{
    static const struct {
        const char *model, *label, *element;
        bool session, wanted;
    } rows[] = {
        { "apparmor", "auto", "model=\"apparmor\"", false, false },
        { "apparmor", "auto", "<seclabel type=\"none\" model=\"dac\"/>", false, true },
        { "apparmor", "none", "<seclabel type=\"none\" model=\"apparmor\"/>", false, true },
        { "apparmor", "mine", "<label>mine</label>", false, true },
        { "selinux", "mine", "<seclabel type=\"static\" model=\"selinux\">", true, true },
        { NULL, "none", "<seclabel type=\"none\" model=\"dac\"/>", false, true },
        { NULL, "none", "<seclabel", true, false },
        { "selinux", "none", "model=\"dac\"", true, false },
    };

    TABLE_FOREACH (row, rows) {
        RunDefinition d = definition_new();
        DomainInputs in = inputs;
        in.security_model = row->model;
        in.session = row->session;
        assert_success(str_replace(&d.pod.libvirt.security_label, row->label));
        assert_holds(&d, &in, row->element, row->wanted);
        schema_done(&run_definition_schema, &d);
    }
}

static void test_a_label_without_a_driver_for_it_is_refused(void **state)
{
    RunDefinition d = definition_new();
    char *text = NULL;

    assert_success(str_replace(&d.pod.libvirt.security_label, "mine"));
    assert_int_equal(domain_xml_build(&d, &inputs, &text), -ENOTSUP);
    assert_null(text);
    schema_done(&run_definition_schema, &d);
}

static void test_text_of_the_pod_and_of_paths_is_escaped(void **state)
{
    RunDefinition d = definition_new();
    DomainInputs in = inputs;
    const char *path = "/a\"b<c>&'d.erofs";

    in.image_paths = &path;
    in.n_image_paths = 1;
    in.kernel = "/k</kernel><x>";
    assert_success(str_replace(&d.name, "a</name>\"&"));
    assert_holds(&d, &in, "<source file=\"/a&quot;b&lt;c&gt;&amp;&apos;d.erofs\"/>", true);
    assert_holds(&d, &in, "<kernel>/k&lt;/kernel&gt;&lt;x&gt;</kernel>", true);
    assert_holds(&d, &in, "<name>a&lt;/name&gt;&quot;&amp;</name>", true);
    assert_holds(&d, &in, " name=\"a&lt;/name&gt;&quot;&amp;\"", true);
    schema_done(&run_definition_schema, &d);
}

static void test_a_path_that_xml_cannot_say_is_refused(void **state)
{
    RunDefinition d = definition_new();
    DomainInputs in = inputs;
    char *text = NULL;

    in.initrd = "/initrd\x01";
    assert_int_equal(domain_xml_build(&d, &in, &text), -EINVAL);
    in = inputs;
    in.vm_dir = "/run/\xff";
    assert_int_equal(domain_xml_build(&d, &in, &text), -EINVAL);
    assert_null(text);
    schema_done(&run_definition_schema, &d);
}

static void test_a_path_too_long_for_a_socket_is_refused(void **state)
{
    RunDefinition d = definition_new();
    DomainInputs in = inputs;
    char *text = NULL, path[108 - sizeof "/console.socket" + 2];

    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    in.vm_dir = path;
    assert_int_equal(domain_xml_build(&d, &in, &text), -ENAMETOOLONG);
    assert_null(text);
    path[sizeof path - 2] = 0;
    free(build(&d, &in));
    schema_done(&run_definition_schema, &d);
}

static void test_as_many_disks_as_containers_have_names_and_places_of_their_own(void **state)
{
    RunDefinition d = definition_new();
    DomainInputs in = inputs;
    const char *paths[CONTAINERS_MAX];

    for (size_t i = 0; i < CONTAINERS_MAX; i++)
        paths[i] = "/image";
    in.image_paths = paths;
    in.n_image_paths = CONTAINERS_MAX;
    assert_golden("disks", &d, &in);
    schema_done(&run_definition_schema, &d);
}

static void test_a_fragment_counts_only_where_podvisord_allows_it(void **state)
{
    RunDefinition d = definition_new();
    char *text = NULL;

    assert_success(str_replace(&d.pod.libvirt.xml, "<title>t</title>"));
    assert_int_equal(domain_xml_build(&d, &inputs, &text), -EPERM);
    d.libvirt_xml = true;
    assert_holds(&d, &inputs, "<title>t</title>", true);
    assert_success(str_replace(&d.pod.libvirt.xml, "<name>t</name>"));
    assert_int_equal(domain_xml_build(&d, &inputs, &text), -EBADMSG);
    assert_null(text);
    schema_done(&run_definition_schema, &d);
}

/* Fills every text of the containers, at any depth, with something that would be seen. */
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

static void test_no_text_of_a_container_reaches_the_domain(void **state)
{
    RunDefinition d = definition_new();

    canary_fill(&container_schema, field_append(schema_field(&pod_schema, "containers"), &d.pod));
    canary_fill(&volume_schema, field_append(schema_field(&pod_schema, "volumes"), &d.pod));
    canary_fill(&run_image_schema, field_append(schema_field(&run_definition_schema, "images"), &d));
    assert_success(str_replace(&d.pod.description, "canary"));
    assert_holds(&d, &inputs, "canary", false);
    schema_done(&run_definition_schema, &d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pod_under_emulation_has_its_golden_domain),
        cmocka_unit_test(test_volumes_are_disks_with_their_format_and_rights),
        cmocka_unit_test(test_a_pod_with_every_option_has_its_golden_domain),
        cmocka_unit_test(test_the_processor_is_what_the_accelerator_can_give_or_what_was_asked_for),
        cmocka_unit_test(test_labels_are_libvirts_own_or_none_or_the_pods),
        cmocka_unit_test(test_a_label_without_a_driver_for_it_is_refused),
        cmocka_unit_test(test_text_of_the_pod_and_of_paths_is_escaped),
        cmocka_unit_test(test_a_path_that_xml_cannot_say_is_refused),
        cmocka_unit_test(test_a_path_too_long_for_a_socket_is_refused),
        cmocka_unit_test(test_as_many_disks_as_containers_have_names_and_places_of_their_own),
        cmocka_unit_test(test_a_fragment_counts_only_where_podvisord_allows_it),
        cmocka_unit_test(test_no_text_of_a_container_reaches_the_domain),
    };
    _cleanup_(freep) char *dir = strf("%s/../../golden/libvirt", argc > 1 ? argv[1] : ".");
    golden_dir = dir;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
