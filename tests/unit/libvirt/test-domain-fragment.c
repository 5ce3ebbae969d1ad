/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "backends/libvirt/domain-fragment.h"

static void assert_refused(const char *xml, const char *wanted)
{
    DomainFragment f = { 0 };
    _cleanup_(freep) char *message = NULL;

    int r = domain_fragment_read(xml, &f, &message);
    if (r != -EBADMSG || !message || !streq(message, wanted))
        fail_msg("%s: %d, %s; not: %s", xml, r, message ?: "no message", wanted);
    assert_null(f.text[0]);
}

static void assert_taken(const char *xml, FragmentPlace place, const char *wanted)
{
    DomainFragment f;
    _cleanup_(freep) char *message = NULL;

    if (domain_fragment_read(xml, &f, &message) < 0)
        fail_msg("%s: %s", xml, message ?: "no message");
    assert_string_equal(f.text[place], wanted);
    domain_fragment_done(&f);
}

static void test_each_element_goes_where_it_belongs(void **state)
{
    assert_taken("", FRAGMENT_DOMAIN, "");
    assert_taken(" <!-- nothing --> ", FRAGMENT_DEVICES, "");
    assert_taken("<iothreads>2</iothreads>", FRAGMENT_DOMAIN, "<iothreads>2</iothreads>");
    assert_taken("<devices><video><model type='virtio'/></video></devices><title>t</title>", FRAGMENT_DOMAIN,
                 "<title>t</title>");
    assert_taken("<devices><video><model type='virtio'/></video></devices><devices><hub type='x'/></devices>",
                 FRAGMENT_DEVICES, "<video><model type=\"virtio\"></model></video><hub type=\"x\"></hub>");
    assert_taken("<features><pmu state='off'/></features>", FRAGMENT_FEATURES, "<pmu state=\"off\"></pmu>");
    assert_taken("<metadata><a:b xmlns:a='urn:x'><a:c/></a:b><d xmlns='urn:y'/></metadata>",
                 FRAGMENT_METADATA, "<a:b xmlns:a=\"urn:x\"><a:c></a:c></a:b><d xmlns=\"urn:y\"></d>");
}

static void test_the_example_of_the_manual_is_taken(void **state)
{
    assert_success(domain_fragment_check(
        "<memoryBacking><hugepages/></memoryBacking><devices>  <interface type='network'><source "
        "network='default'/><model type='virtio'/></interface>  <watchdog model='i6300esb' "
        "action='reset'/></devices>",
        NULL));
}

static void test_what_was_understood_is_written_anew(void **state)
{
    assert_taken("<title><![CDATA[<a>]]>&#38;&lt;&amp;<?x y?><!-- <b> --></title>", FRAGMENT_DOMAIN,
                 "<title>&lt;a&gt;&amp;&lt;&amp;</title>");
    assert_taken("<devices><disk type='block'><target bus='virtio' dev='&#34;/&gt;'/></disk></devices>",
                 FRAGMENT_DEVICES,
                 "<disk type=\"block\"><target bus=\"virtio\" dev=\"&quot;/&gt;\"></target></disk>");
}

static void test_what_is_not_well_formed_is_told_with_its_place(void **state)
{
    assert_refused("<title>", "line 1, column 8: an element is not closed");
    assert_refused("<devices>\n <watchdog>\n</devices>", "line 3, column 3: mismatched tag");
    assert_refused("<title></titel>", "line 1, column 10: mismatched tag");
    assert_refused("<title", "line 1, column 7: not well-formed (invalid token)");
    assert_refused("<clock offset=utc/>", "line 1, column 15: not well-formed (invalid token)");
    assert_refused("\n<clock a='1' a='2'/>", "line 2, column 14: duplicate attribute");
    assert_refused("<title>\xff</title>", "line 1, column 8: not well-formed (invalid token)");
    assert_refused("<title>\x01</title>", "line 1, column 8: not well-formed (invalid token)");
    assert_refused("<!-- never closed", "line 1, column 1: unclosed token");
    assert_refused("a pod", "line 1, column 1: there is text outside of elements");
    assert_refused("<devices>text</devices>", "line 1, column 10: there is text outside of elements");
}

static void test_nothing_closes_the_domain_around_it(void **state)
{
    assert_refused("</domain>", "line 1, column 1: </domain> closes what was not opened here");
    assert_refused("</domain><domain>", "line 1, column 1: </domain> closes what was not opened here");
    assert_refused("</devices>", "line 1, column 3: mismatched tag");
}

static void test_neither_document_types_nor_entities_nor_encodings_can_be_declared(void **state)
{
    assert_refused("<!DOCTYPE domain [<!ENTITY a 'b'>]>",
                   "line 1, column 3: a document type or an entity cannot be declared here");
    assert_refused("\n <!ENTITY a SYSTEM '/etc/passwd'>",
                   "line 2, column 4: a document type or an entity cannot be declared here");
    assert_refused("<title>&a;</title>",
                   "line 1, column 8: there are no entities but &lt; &gt; &amp; &quot; &apos;");
    assert_refused("<?xml version='1.0' encoding='UTF-16'?><title/>",
                   "line 1, column 1: an XML declaration has no place inside of <domain>");
}

static void test_each_element_that_podvisor_owns_is_refused_by_name(void **state)
{
    static const struct {
        const char *place, *names, *why;
    } rows[] = {
        { NULL, "domain", "write what stands inside of <domain>, without it" },
        { NULL, "name uuid", "podvisor knows its machine by it" },
        { NULL, "memory currentMemory maxMemory", "the pod's `memory` says it" },
        { NULL, "vcpu vcpus", "the pod's `cpus` says it" },
        { NULL, "cpu", "`libvirt.cpu_model` says it" },
        { NULL, "os bootloader bootloader_args", "podvisor boots the machine" },
        { NULL, "on_poweroff on_reboot on_crash on_lockfailure",
          "each end of the machine is an end of the pod" },
        { NULL, "pm", "podvisor alone lets the machine sleep" },
        { NULL, "seclabel", "`libvirt.security_label` says it" },
        { "features", "acpi", "a pod is stopped through it" },
        { "features", "vmport", "a pod's guest has no use for it" },
        { "features", "tcg", "podvisor bounds what emulation takes of the host" },
        { "devices", "emulator", "no key of a pod file names a program of the host" },
        { "devices", "serial console", "podvisor has both consoles of the machine" },
        { "devices", "channel", "the machine's only channel is podvisor's agent's" },
        { "devices", "memballoon panic", "podvisor has the machine's only one" },
        { "devices", "memory", "the pod's `memory` says it" },
    };

    TABLE_FOREACH (row, rows) {
        _cleanup_(strv_freep) char **names = strv_split(row->names, " ");
        STRV_FOREACH (name, names) {
            const char *p = row->place;
            _cleanup_(freep) char *xml = p ? strf("<%s><%s/></%s>", p, *name, p) : strf("<%s/>", *name),
                                  *wanted = strf("line 1, column %zu: <%s> cannot be added: %s",
                                                 p ? strlen(p) + 3 : 1, *name, row->why);
            assert_refused(xml, wanted);
        }
    }
}

static void test_elements_that_nobody_knows_are_refused_and_the_meant_one_named(void **state)
{
    assert_refused("<device/>",
                   "line 1, column 1: <device> cannot be added to <domain>; did you mean <devices>?");
    assert_refused("<devices><watchdgo/></devices>",
                   "line 1, column 10: <watchdgo> cannot be added to <devices>; did you mean <watchdog>?");
    assert_refused("<features><nothing-like-it/></features>",
                   "line 1, column 11: <nothing-like-it> cannot be added to <features>");
    assert_refused("<devices x='y'/>", "line 1, column 1: <devices> has no attributes");
}

static void test_arguments_of_qemu_do_not_get_in_by_a_namespace(void **state)
{
#define TAIL                                                                                                 \
    ": names with a namespace stand below <metadata> only; nothing of a pod file becomes an argument of "    \
    "QEMU"
    assert_refused("<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'/>",
                   "line 1, column 1: qemu:commandline" TAIL);
    assert_refused("<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'/>",
                   "line 1, column 1: xmlns" TAIL);
    assert_refused("<title>\n<q:x xmlns:q='urn:q'/></title>", "line 2, column 1: q:x" TAIL);
    assert_refused("<devices xmlns:q='urn:q'/>", "line 1, column 1: xmlns:q" TAIL);
#undef TAIL
}

static void test_metadata_is_anybodys_but_podvisors(void **state)
{
    assert_refused("<metadata><a:b xmlns:a='urn:podvisor:pod:1'/></metadata>",
                   "line 1, column 11: <a:b>: the namespace urn:podvisor:pod:1 is podvisor's own");
    assert_refused("<metadata><a xmlns='urn:x'><b xmlns='urn:podvisor&#58;pod:1'/></a></metadata>",
                   "line 1, column 28: <b>: the namespace urn:podvisor:pod:1 is podvisor's own");
    assert_refused(
        "<metadata><podvisor:pod/></metadata>",
        "line 1, column 11: <podvisor:pod>: an element of <metadata> declares its own namespace, here as "
        "xmlns:podvisor=");
    assert_refused(
        "<metadata><pod/></metadata>",
        "line 1, column 11: <pod>: an element of <metadata> declares its own namespace, here as xmlns=");
}

static void test_devices_do_not_get_between_podvisor_and_its_own(void **state)
{
#define SCSI "podvisor has the machine's only SCSI host, where it knows images by their place"
    static const struct {
        const char *xml, *wanted;
    } rows[] = {
        { "<controller type='scsi'/>", "<controller>: type of <controller>: " SCSI },
        { "<controller type='usb'/>", "<controller>: type of <controller>: the machine has no USB" },
        { "<controller type='virtio-serial'/>",
          "<controller>: type of <controller>: the machine's only channel is podvisor's agent's" },
        { "<controller/>", "<controller>: type of <controller>: libvirt would choose one" },
        { "<hostdev type='scsi'/>", "<hostdev>: type of <hostdev>: " SCSI },
        { "<hostdev type='scsi_host'/>", "<hostdev>: type of <hostdev>: " SCSI },
        { "<hostdev type='usb'/>", "<hostdev>: type of <hostdev>: the machine has no USB" },
        { "<hostdev/>", "<hostdev>: type of <hostdev>: libvirt would choose one" },
        { "<input type='tablet' bus='usb'/>", "<input>: bus of <input>: the machine has no USB" },
    };
    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *xml = strf("<devices>%s</devices>", row->xml),
                              *wanted = strf("line 1, column 10: %s", row->wanted);
        assert_refused(xml, wanted);
    }
    assert_refused("<devices><disk>\n<target dev='sda' bus='scsi'/></disk></devices>",
                   "line 2, column 1: <disk>: bus of <target>: " SCSI);
    assert_refused("<devices><disk>\n<target dev='sda' bus='usb'/></disk></devices>",
                   "line 2, column 1: <disk>: bus of <target>: the machine has no USB");
    assert_refused("<devices><disk>\n<target dev='sda'/></disk></devices>",
                   "line 2, column 1: <disk>: bus of <target>: libvirt would choose one");
#undef SCSI
}

static void test_no_program_of_the_host_gets_in(void **state)
{
#define TAIL ": no key of a pod file names a program of the host"
    assert_refused("<devices><interface type='ethernet'>\n<script path='/x'/></interface></devices>",
                   "line 2, column 1: <interface>: <script>" TAIL);
    assert_refused("<devices><interface type='ethernet'>\n<downscript path='/x'/></interface></devices>",
                   "line 2, column 1: <interface>: <downscript>" TAIL);
    assert_refused("<devices><filesystem>\n<binary path='/x'/></filesystem></devices>",
                   "line 2, column 1: <filesystem>: <binary>" TAIL);
#undef TAIL
}

static char *repeated(const char *text, size_t n)
{
    size_t size = strlen(text);
    char *all = malloc(n * size + 1);

    assert_non_null(all);
    for (size_t i = 0; i < n; i++)
        memcpy(all + i * size, text, size);
    all[n * size] = 0;
    return all;
}

static void test_size_depth_and_number_of_elements_are_bounded(void **state)
{
    _cleanup_(freep) char *deep = repeated("<title>", FRAGMENT_DEPTH_MAX), *many = repeated("<title/>", 1001),
                          *fits = repeated("<title/>", 1000), *big = repeated(" ", FRAGMENT_SIZE_MAX + 1);

    assert_refused(deep, "line 1, column 106: elements are nested deeper than 16");
    assert_refused(many, "line 1, column 8001: there are more than 1000 elements");
    assert_success(domain_fragment_check(fits, NULL));
    assert_refused(big, "line 1, column 1: it is larger than 64K");
    big[FRAGMENT_SIZE_MAX] = 0;
    assert_success(domain_fragment_check(big, NULL));
}

static void test_what_is_strange_is_escaped_where_it_is_told(void **state)
{
    assert_refused("<title\xc2\x9b/>", "line 1, column 7: not well-formed (invalid token)");
    assert_refused("<t\xc3\xa9/>", "line 1, column 1: <t\xc3\xa9> cannot be added to <domain>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_element_goes_where_it_belongs),
        cmocka_unit_test(test_the_example_of_the_manual_is_taken),
        cmocka_unit_test(test_what_was_understood_is_written_anew),
        cmocka_unit_test(test_what_is_not_well_formed_is_told_with_its_place),
        cmocka_unit_test(test_nothing_closes_the_domain_around_it),
        cmocka_unit_test(test_neither_document_types_nor_entities_nor_encodings_can_be_declared),
        cmocka_unit_test(test_each_element_that_podvisor_owns_is_refused_by_name),
        cmocka_unit_test(test_elements_that_nobody_knows_are_refused_and_the_meant_one_named),
        cmocka_unit_test(test_arguments_of_qemu_do_not_get_in_by_a_namespace),
        cmocka_unit_test(test_metadata_is_anybodys_but_podvisors),
        cmocka_unit_test(test_devices_do_not_get_between_podvisor_and_its_own),
        cmocka_unit_test(test_no_program_of_the_host_gets_in),
        cmocka_unit_test(test_size_depth_and_number_of_elements_are_bounded),
        cmocka_unit_test(test_what_is_strange_is_escaped_where_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
