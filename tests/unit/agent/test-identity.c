/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "guest/agent/identity.h"
#include "tests/unit/test.h"

static Bytes text(const char *s)
{
    return (Bytes){ .data = (uint8_t *)(uintptr_t)s, .size = strlen(s) };
}

static const char passwd_text[] = "root:x:0:0:root:/root:/bin/sh\n"
                                  "broken\n"
                                  "\n"
                                  "www:x:33:33:www:/var/www:/bin/false\n"
                                  "odd:x:-5:33::/:\n"
                                  "nohome:x:40:41:::\n"
                                  "last:x:1000:1000:no newline:/home/last";
static const char group_text[] = "root:x:0:\nadm:x:4:www,last\nwww:x:33:\nextra:x:77:wwwx,www\n";

static const struct {
    const char *user;
    int result;
    uid_t uid;
    gid_t gid;
    size_t n_groups;
    const char *home;
} rows[] = {
    { NULL, 0, 0, 0, 0, "/root" },
    { "", 0, 0, 0, 0, "/root" },
    { "root", 0, 0, 0, 0, "/root" },
    { "www", 0, 33, 33, 2, "/var/www" },
    { "33", 0, 33, 33, 2, "/var/www" },
    { "www:adm", 0, 33, 4, 0, "/var/www" },
    { "www:99", 0, 33, 99, 0, "/var/www" },
    { "last", 0, 1000, 1000, 1, "/home/last" },
    { "nohome", 0, 40, 41, 0, "/" },
    { "4242", 0, 4242, 0, 0, "/" },
    { "4242:4343", 0, 4242, 4343, 0, "/" },
    { "nobody", -ENOENT },
    { "www:nogroup", -ENOENT },
    { "broken", -EINVAL },
    { "odd", -EINVAL },
    { ":5", -EINVAL },
    { "www:", -EINVAL },
    { "4294967295", -ENOENT },
    { "-1", -ENOENT },
};

static void users_are_looked_up_as_people_write_them(void **state)
{
    Bytes passwd = text(passwd_text), group = text(group_text);

    TABLE_FOREACH (row, rows) {
        Identity i;
        assert_int_equal(identity_resolve(row->user, &passwd, &group, &i), row->result);
        if (row->result < 0)
            continue;
        assert_int_equal(i.uid, row->uid);
        assert_int_equal(i.gid, row->gid);
        assert_int_equal(i.n_groups, row->n_groups);
        assert_string_equal(i.home, row->home);
    }
}

static void groups_are_added_to_those_of_the_user(void **state)
{
    Bytes passwd = text(passwd_text), group = text(group_text);
    char *const both[] = { (char[]){ "adm" }, (char[]){ "4711" }, NULL };
    char *const missing[] = { (char[]){ "adm" }, (char[]){ "nogroup" }, NULL };
    char *many[IDENTITY_GROUPS_MAX + 2] = { NULL };
    const char *which = NULL;
    Identity i;

    assert_success(identity_resolve("www", &passwd, &group, &i));
    assert_success(identity_add_groups(&i, both, &group, &which));
    assert_int_equal(i.n_groups, 4);
    assert_int_equal(i.groups[2], 4);
    assert_int_equal(i.groups[3], 4711);
    assert_int_equal(identity_add_groups(&i, missing, &group, &which), -ENOENT);
    assert_ptr_equal(which, missing[1]);
    for (size_t n = 0; n <= IDENTITY_GROUPS_MAX; n++)
        many[n] = both[1];
    assert_int_equal(identity_add_groups(&i, many, &group, &which), -E2BIG);
    assert_int_equal(i.n_groups, IDENTITY_GROUPS_MAX);
}

static void an_image_without_the_files_has_root_and_numbers(void **state)
{
    Bytes none = { 0 };
    Identity i;

    assert_success(identity_resolve("root", &none, &none, &i));
    assert_int_equal(i.uid, 0);
    assert_success(identity_resolve("12:34", &none, &none, &i));
    assert_int_equal(i.gid, 34);
    assert_int_equal(identity_resolve("www", &none, &none, &i), -ENOENT);
}

static void endless_lines_and_groups_are_bounded(void **state)
{
    _cleanup_(bytes_done) Bytes passwd = { 0 };
    _cleanup_(bytes_done) Bytes group = { 0 };
    Identity i;

    for (int n = 0; n < 10000; n++)
        assert_success(bytes_append(&passwd, "xxxxxxxxxx", 10));
    assert_success(bytes_append(&passwd, "\nwww:x:5:6::/:\n", 15));
    assert_success(bytes_terminate(&passwd));
    for (int n = 0; n < 1000; n++)
        assert_success(bytes_append(&group, "g:x:9:www\n", 10));
    assert_success(bytes_terminate(&group));
    assert_success(identity_resolve("www", &passwd, &group, &i));
    assert_int_equal(i.uid, 5);
    assert_int_equal(i.n_groups, IDENTITY_GROUPS_MAX);
}

static void links_in_an_image_do_not_lead_out_of_it(void **state)
{
    TestDir d = test_dir_new();
    Identity i;

    assert_success(mkdirat(d.fd, "etc", 0755));
    assert_success(symlinkat("/etc/passwd", d.fd, "etc/passwd"));
    assert_int_equal(identity_read(d.fd, "www", NULL, &i, NULL), -ELOOP);
    assert_success(unlinkat(d.fd, "etc/passwd", 0));
    assert_success(symlinkat("../../../../../../etc/passwd", d.fd, "etc/passwd"));
    assert_true(identity_read(d.fd, "daemon", NULL, &i, NULL) < 0);
    test_dir_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_looked_up_as_people_write_them),
        cmocka_unit_test(groups_are_added_to_those_of_the_user),
        cmocka_unit_test(an_image_without_the_files_has_root_and_numbers),
        cmocka_unit_test(endless_lines_and_groups_are_bounded),
        cmocka_unit_test(links_in_an_image_do_not_lead_out_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
