/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/publish.h"
#include "tests/unit/test.h"

static Publish parse(const char *text)
{
    Publish p;

    if (publish_parse(text, &p, NULL) < 0)
        fail_msg("%s is not read", text);
    return p;
}

/* What each is taken for, written anew: its last port on the host, and the last one in the pod. */
static void ports_are_read_as_the_manual_says(void **state)
{
    static const struct {
        const char *text, *last;
        unsigned guest, count;
    } rows[] = {
        { "8080:80", "8080/tcp", 80, 1 },
        { "8080:80/tcp", "8080/tcp", 80, 1 },
        { "1:65535/udp", "1/udp", 65535, 1 },
        { "127.0.0.1:8080:80/tcp", "127.0.0.1:8080/tcp", 80, 1 },
        { "0.0.0.0:8080:80", "0.0.0.0:8080/tcp", 80, 1 },
        { "[::1]:8443:443/tcp", "[::1]:8443/tcp", 443, 1 },
        { "[::]:53:53/udp", "[::]:53/udp", 53, 1 },
        { "5000-5010:6000-6010/udp", "5010/udp", 6000, 11 },
        { "192.0.2.7:1-1024:64512-65535", "192.0.2.7:1024/tcp", 64512, 1024 },
    };

    TABLE_FOREACH (row, rows) {
        Publish p = parse(row->text);
        _cleanup_(freep) char *last = publish_format_port(&p, p.count - 1U);
        assert_string_equal(last, row->last);
        assert_int_equal(p.guest, row->guest);
        assert_int_equal(p.count, row->count);
    }
}

/* The words are golden: tests/golden/fail-publish.txt. */
static void what_is_no_port_is_refused_with_a_reason(void **state)
{
    static const char *const texts[] = { "",
                                         "80",
                                         ":",
                                         "::",
                                         ":80:80",
                                         "80:",
                                         "0:80",
                                         "80:0",
                                         "80-:80",
                                         "-80:80",
                                         "80:80-",
                                         "80:80/",
                                         "80:80/TCP",
                                         "80:80/tcp/udp",
                                         " 80:80",
                                         "80 :80",
                                         "+80:80",
                                         "0x50:80",
                                         "1e3:80",
                                         "65536:80",
                                         "80:65536",
                                         "2-1:1-2",
                                         "1-2:1",
                                         "1:1-2",
                                         "1-1025:1-1025",
                                         "[]:80:80",
                                         "[::1]80:80",
                                         "[::1]:80",
                                         "::1:80:80",
                                         "1.2.3:80:80",
                                         "1.2.3.4.5:80:80",
                                         "[1.2.3.4]:80:80",
                                         "[::ffff:1.2.3.4]:80:80",
                                         "a:80:80",
                                         "1.2.3.4%eth0:80:80",
                                         "[fe80::1%eth0]:80:80",
                                         "80:80,81:81",
                                         "80:80\n" };

    TABLE_FOREACH (text, texts) {
        Publish p;
        char *why = NULL;
        if (publish_parse(*text, &p, &why) != -EINVAL)
            fail_msg("\"%s\" is read", *text);
        assert_non_null(why);
        free(why);
    }
}

static void two_collide_where_a_host_has_the_port_once(void **state)
{
    static const struct {
        const char *a, *b;
        bool same_port, collide;
    } rows[] = {
        { "80:80", "80:81", true, true },
        { "80:80", "81:80", false, false },
        { "80:80", "80:80/udp", false, false },
        { "127.0.0.1:80:80", "127.0.0.1:80:80", true, true },
        { "127.0.0.1:80:80", "127.0.0.2:80:80", true, false },
        { "127.0.0.1:80:80", "80:80", true, true },
        { "127.0.0.1:80:80", "0.0.0.0:80:80", true, true },
        { "[::1]:80:80", "127.0.0.1:80:80", true, false },
        { "[::1]:80:80", "[::]:80:80", true, true },
        { "[::1]:80:80", "[::2]:80:80", true, false },
        { "10-20:10-20", "20-30:20-30", true, true },
        { "10-20:10-20", "21-30:21-30", false, false },
        { "10-20:10-20", "15:15", true, true },
    };

    TABLE_FOREACH (row, rows) {
        Publish a = parse(row->a), b = parse(row->b);
        if (publish_same_port(&a, &b, NULL) != row->same_port ||
            publish_same_port(&b, &a, NULL) != row->same_port)
            fail_msg("%s and %s: the same port", row->a, row->b);
        if (publish_collide(&a, &b, NULL) != row->collide || publish_collide(&b, &a, NULL) != row->collide)
            fail_msg("%s and %s: collide", row->a, row->b);
    }
}

static void the_first_port_that_two_pods_have_is_named(void **state)
{
    char *mine[] = { (char *)(uintptr_t) "127.0.0.1:70-90:70-90", NULL };
    char *theirs[] = { (char *)(uintptr_t) "80:80/udp", (char *)(uintptr_t) "85-95:85-95", NULL };
    char *others[] = { (char *)(uintptr_t) "127.0.0.2:70:70", NULL };

    _cleanup_(freep) char *port = publish_collision(mine, theirs);
    assert_string_equal(port, "127.0.0.1:85/tcp");
    assert_null(publish_collision(mine, others));
    assert_null(publish_collision(mine, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_read_as_the_manual_says),
        cmocka_unit_test(what_is_no_port_is_refused_with_a_reason),
        cmocka_unit_test(two_collide_where_a_host_has_the_port_once),
        cmocka_unit_test(the_first_port_that_two_pods_have_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
