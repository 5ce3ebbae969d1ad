/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/daemon-config.h"
#include "schemas/pod-definition.h"
#include "schemas/run-definition.h"
#include "tests/unit/test.h"

static const char base_pod[] = "description = \"Front page\";\n"
                               "memory = \"256M\";\n"
                               "volumes = ( { name = \"cache\"; type = \"tmpfs\"; size = \"32M\"; } );\n"
                               "containers = (\n"
                               "  { name = \"httpd\"; image = \"busybox\"; command = [ \"httpd\", \"-f\" ];\n"
                               "    environment = { LANG = \"C\"; TZ = \"UTC\"; };\n"
                               "    mounts = ( { volume = \"cache\"; path = \"/cache\"; } );\n"
                               "    limits = { memory = \"64M\"; cpu = 0.5; pids = 64; }; }\n"
                               ");\n";

static PodDefinition read_pod(const char *text)
{
    PodDefinition pod;
    Diagnostics d = { 0 };
    int r = pod_definition_read(&pod, "web.pod", text, strlen(text), &d, NULL);
    if (r != 0)
        fail_msg("%s", diagnostics_format(&d));
    return pod;
}

static void a_pod_file_becomes_a_struct(void **state)
{
    PodDefinition pod = read_pod(base_pod);
    const ContainerDefinition *c = &pod.containers[0];

    assert_true(pod.memory == UINT64_C(256) << 20);
    assert_true(pod.autostart);
    assert_int_equal(pod.backend, BACKEND_QEMU);
    assert_int_equal(pod.restart.policy, RESTART_ALWAYS);
    assert_true(pod.restart.max_delay == 5 * USEC_PER_MINUTE);
    assert_string_equal(c->command[1], "-f");
    assert_string_equal(c->environment[0], "LANG=C");
    assert_true(c->limits.cpu > 0.49 && c->limits.cpu < 0.51);
    assert_string_equal(c->mounts[0].path, "/cache");
    assert_null(c->user);
    pod_definition_done(&pod);
}

static void tell(void *userdata, const char *path, const Field *field, const char *before, const char *after)
{
    strv_appendf(userdata, "%s %s -> %s", path, before ?: "nothing", after ?: "nothing");
}

static void a_difference_names_its_path_and_cost(void **state)
{
    PodDefinition before = read_pod(base_pod), after = read_pod(base_pod);
    _cleanup_(strv_freep) char **lines = NULL;
    size_t n;

    str_replace(&after.description, "Back page");
    assert_int_equal(schema_diff(&pod_schema, &before, &after, NULL, NULL, &n), IMPACT_NONE);
    assert_int_equal(n, 1);

    after.memory = UINT64_C(192) << 20;
    str_replace(&after.containers[0].environment[0], "LANG=C.UTF-8");
    str_replace(&after.containers[0].environment[1], "PATH=/bin");
    assert_int_equal(schema_diff(&pod_schema, &before, &after, tell, &lines, &n), IMPACT_REBOOT);
    assert_true(strv_contains(lines, "memory \"256M\" -> \"192M\""));
    assert_true(strv_contains(lines, "containers.httpd.environment.LANG \"C\" -> \"C.UTF-8\""));
    assert_true(strv_contains(lines, "containers.httpd.environment.TZ \"UTC\" -> nothing"));
    assert_true(strv_contains(lines, "containers.httpd.environment.PATH nothing -> \"/bin\""));
    assert_int_equal(n, 5);
    pod_definition_done(&before);
    pod_definition_done(&after);
}

static void items_of_a_list_are_matched_by_name(void **state)
{
    PodDefinition before =
        read_pod("containers = ( { name = \"a\"; image = \"x\"; }, { name = \"b\"; image = \"y\"; } );");
    PodDefinition after =
        read_pod("containers = ( { name = \"b\"; image = \"y\"; }, { name = \"c\"; image = \"z\"; } );");
    _cleanup_(strv_freep) char **lines = NULL;
    size_t n;

    assert_int_equal(schema_diff(&pod_schema, &before, &after, tell, &lines, &n), IMPACT_REBOOT);
    assert_int_equal(n, 2);
    assert_true(strv_contains(lines, "containers.a { ... } -> nothing"));
    assert_true(strv_contains(lines, "containers.c nothing -> { ... }"));
    pod_definition_done(&before);
    pod_definition_done(&after);
}

static const PackLimits limits = { .size = 65536, .depth = 16, .count = 10000 };

static void unknown_fields_are_kept_when_an_older_program_rewrites(void **state)
{
    Packer *p;
    Bytes newer = { 0 }, rewritten = { 0 };
    RunDefinition d;
    PackDocument *doc;
    uint64_t n = 0;

    assert_success(packer_new(&p));
    packer_map(p, 3);
    packer_string(p, "attempt");
    packer_unsigned(p, 3);
    packer_string(p, "color");
    packer_unsigned(p, 42);
    packer_string(p, "later");
    packer_array(p, 1);
    packer_string(p, "x");
    assert_success(packer_finish(p, &newer));
    packer_free(p);

    assert_success(schema_from_bytes(&run_definition_schema, &d, newer.data, newer.size, &limits, NULL));
    d.attempt = 4;
    assert_success(schema_to_bytes(&run_definition_schema, &d, &rewritten));
    assert_success(pack_parse(rewritten.data, rewritten.size, &limits, &doc));
    assert_success(pack_get_unsigned(pack_find(pack_root(doc), "color"), &n));
    assert_int_equal(n, 42);
    assert_int_equal(pack_count(pack_find(pack_root(doc), "later")), 1);
    assert_success(pack_get_unsigned(pack_find(pack_root(doc), "attempt"), &n));
    assert_int_equal(n, 4);

    pack_document_free(doc);
    schema_done(&run_definition_schema, &d);
    bytes_done(&newer);
    bytes_done(&rewritten);
}

static void a_wrong_type_is_refused_and_named(void **state)
{
    Packer *p;
    Bytes b = { 0 };
    RunDefinition d;
    _cleanup_(freep) char *where = NULL;

    assert_success(packer_new(&p));
    packer_map(p, 1);
    packer_string(p, "pod");
    packer_map(p, 1);
    packer_string(p, "memory");
    packer_string(p, "much");
    assert_success(packer_finish(p, &b));
    packer_free(p);
    assert_int_equal(schema_from_bytes(&run_definition_schema, &d, b.data, b.size, &limits, &where),
                     -EBADMSG);
    assert_string_equal(where, "pod.memory");
    bytes_done(&b);
}

static void keys_are_explained_by_path(void **state)
{
    const char *suggestion;
    FILE *f = fopen("/dev/null", "w");

    assert_success(schema_explain(&pod_schema, "containers.restart.policy", f, &suggestion));
    assert_int_equal(schema_explain(&pod_schema, "containers.comand", f, &suggestion), -ENOENT);
    assert_string_equal(suggestion, "command");
    assert_int_equal(schema_explain(&pod_schema, "memory.size", f, &suggestion), -ENOENT);
    fclose(f);
}

static void only_real_pod_file_names_are_pods(void **state)
{
    static const char *const others[] = {
        "web.pod~", ".web.pod", "web.pod.swp", "web.pod.dpkg-new", "web.conf",
        ".pod",     "Web.pod",  "a b.pod",     "-a.pod",           "web.pod.d",
    };

    _cleanup_(freep) char *name = pod_name_from_file("web-1.pod");
    assert_string_equal(name, "web-1");
    TABLE_FOREACH (other, others)
        assert_null(pod_name_from_file(*other));
}

#define UNLIMITED                                                                                            \
    {                                                                                                        \
        SIZE_INFINITY, SIZE_INFINITY                                                                         \
    }

static void what_can_be_changed_live_is_taken_over_and_nothing_else(void **state)
{
    ContainerDefinition from[] = { { .name = (char[]){ "b" },
                                     .limits = { .memory = 1 << 24,
                                                 .memory_high = SIZE_INFINITY,
                                                 .cpu_weight = 7,
                                                 .io = UNLIMITED } },
                                   { .name = (char[]){ "a" },
                                     .limits = { .memory = SIZE_INFINITY,
                                                 .memory_high = SIZE_INFINITY,
                                                 .cpu_weight = 1,
                                                 .io = { 1 << 20, SIZE_INFINITY, 9 } } },
                                   { .name = (char[]){ "new" } } },
                        to[] = { { .name = (char[]){ "a" }, .stop_timeout = 5 },
                                 { .name = (char[]){ "b" } } };
    PodDefinition wanted = { .cpus = 3, .containers = from, .n_containers = ELEMENTSOF(from) },
                  running = { .cpus = 2, .containers = to, .n_containers = ELEMENTSOF(to) };

    assert_success(schema_take_live(&pod_schema, &wanted, &running));
    assert_int_equal(running.cpus, 2);
    assert_string_equal(to[0].name, "a");
    assert_true(to[0].limits.memory == SIZE_INFINITY && to[0].stop_timeout == 5);
    assert_int_equal(to[1].limits.memory, 1 << 24);
    assert_int_equal(to[1].limits.cpu_weight, 7);
    assert_true(to[1].limits.io.read_bps == SIZE_INFINITY);
    assert_int_equal(to[0].limits.io.read_bps, 1 << 20);
    assert_int_equal(to[0].limits.io.read_iops, 9);
}

static void the_lines_of_keys_need_not_be_asked_for(void **state)
{
    static const char text[] = "log_size = \"1M\";\ncontainers = 3;\nmax_starts = \"many\";\n";
    Diagnostics d = { 0 };
    DaemonConfig config;

    assert_int_equal(
        schema_read_config(&daemon_config_schema, &config, "podvisord.conf", text, sizeof text - 1, &d, NULL),
        1);
    assert_int_equal(d.n_items, 2);
    assert_int_equal(d.items[1].line, 3);
    assert_true(config.log_size == 1024 * 1024);
    schema_done(&daemon_config_schema, &config);
    diagnostics_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pod_file_becomes_a_struct),
        cmocka_unit_test(a_difference_names_its_path_and_cost),
        cmocka_unit_test(items_of_a_list_are_matched_by_name),
        cmocka_unit_test(unknown_fields_are_kept_when_an_older_program_rewrites),
        cmocka_unit_test(a_wrong_type_is_refused_and_named),
        cmocka_unit_test(keys_are_explained_by_path),
        cmocka_unit_test(only_real_pod_file_names_are_pods),
        cmocka_unit_test(what_can_be_changed_live_is_taken_over_and_nothing_else),
        cmocka_unit_test(the_lines_of_keys_need_not_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
