/* SPDX-License-Identifier: Apache-2.0 */
/* Against tests/golden/passt/NAME.argv, one word a line. PODVISOR_GOLDEN=write in the environment writes the files anew. */
#include "tests/unit/test.h"

#include "uplink/passt.h"

static const char *golden_dir;

static void assert_golden(const char *name, const char *const *publish, bool offline)
{
    const PasstInputs inputs = { .guest = 5, .ready = 8, .offline = offline };
    _cleanup_(bytes_done) Bytes wanted = { 0 };
    _cleanup_(strv_freep) char **v = NULL;
    _cleanup_(freep) char *file = strf("%s.argv", name);
    UplinkBegin begin;

    assert_success(schema_init(&uplink_begin_schema, &begin));
    assert_success(str_replace(&begin.passt, "/usr/bin/passt"));
    for (; *publish; publish++)
        assert_success(strv_append(&begin.network.publish, *publish));
    assert_success(passt_arguments(&begin, &inputs, &v));
    schema_done(&uplink_begin_schema, &begin);
    _cleanup_(freep) char *words = strv_join(v, "\n"), *text = strf("%s\n", words);
    _cleanup_(closep) int dir = dir_open_at(AT_FDCWD, golden_dir);
    assert_true(dir >= 0);
    if (getenv("PODVISOR_GOLDEN"))
        assert_success(file_replace_at(dir, file, text, strlen(text), 0644));
    assert_success(file_read_at(dir, file, 65536, &wanted));
    assert_success(bytes_terminate(&wanted));
    assert_string_equal(text, (char *)wanted.data);
}

static void a_network_without_ports_opens_none(void **state)
{
    assert_golden("nothing-published", (const char *const[]){ NULL }, false);
}

static void each_published_port_is_passts_own_words_for_it(void **state)
{
    assert_golden("published",
                  (const char *const[]){ "127.0.0.1:8080:80/tcp", "8081:80", "[::1]:8443:443/tcp",
                                         "5000-5010:6000-6010/udp", "0.0.0.0:53:53/udp", NULL },
                  false);
}

static void a_host_without_a_route_has_its_loopback_for_a_model(void **state)
{
    assert_golden("offline", (const char *const[]){ "127.0.0.1:8080:80", NULL }, true);
}

static void what_is_no_port_never_becomes_a_word(void **state)
{
    const PasstInputs inputs = { .guest = 5, .ready = 8 };
    char *publish[] = { (char *)(uintptr_t) "80:80,~81", NULL }, **v = NULL;
    const UplinkBegin begin = { .network.publish = publish, .passt = (char *)(uintptr_t) "/usr/bin/passt" };

    assert_int_equal(passt_arguments(&begin, &inputs, &v), -EINVAL);
    assert_null(v);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_without_ports_opens_none),
        cmocka_unit_test(each_published_port_is_passts_own_words_for_it),
        cmocka_unit_test(a_host_without_a_route_has_its_loopback_for_a_model),
        cmocka_unit_test(what_is_no_port_never_becomes_a_word),
    };
    _cleanup_(freep) char *dir = strf("%s/../../golden/passt", argc > 1 ? argv[1] : ".");
    golden_dir = dir;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
