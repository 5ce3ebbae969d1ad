/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "supervisor/definitions.h"
#include "tests/unit/test.h"

#define GOOD "backend = \"null\"; containers = ( { name = \"a\"; image = \"i\"; } );\n"
#define OTHER "backend = \"null\"; cpus = 2; containers = ( { name = \"a\"; image = \"i\"; } );\n"
#define LIBVIRT                                                                                              \
    "backend = \"libvirt\"; libvirt = { xml = \"<title>t</title>\"; }; cpus = 2; "                           \
    "containers = ( { name = \"a\"; image = \"i\"; } );\n"

/* Two directories, and what was told last. */
typedef struct Fixture {
    TestDir dir;
    int first, second;
    char *directories[3];
    Definitions *definitions;
    unsigned calls;
    bool declared, defined;
    uint64_t cpus;
    char **errors;
    char *file;
} Fixture;

static void on_definition(void *userdata, const Definition *d)
{
    Fixture *f = userdata;

    f->calls++;
    f->declared = d->declared;
    f->defined = d->defined;
    f->cpus = d->defined ? d->pod.cpus : 0;
    strv_free(f->errors);
    f->errors = strv_copy(d->errors);
    assert_success(str_replace(&f->file, d->file));
}

static void write_at(int dir, const char *name, const char *text)
{
    assert_success(file_replace_at(dir, name, text, strlen(text), 0644));
}

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    f->dir = test_dir_new();
    f->first = dir_make_at(f->dir.fd, "first", 0755);
    f->second = dir_make_at(f->dir.fd, "second", 0755);
    f->directories[0] = strf("%s/first", f->dir.path);
    f->directories[1] = strf("%s/second", f->dir.path);
    assert_success(definitions_new(&f->definitions, DEFINITION_POD, f->directories, false, on_definition, f));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    definitions_free(f->definitions);
    safe_close(f->first);
    safe_close(f->second);
    test_dir_done(&f->dir);
    free(f->directories[0]);
    free(f->directories[1]);
    strv_free(f->errors);
    free(f->file);
    free(f);
    return 0;
}

static void scan(Fixture *f)
{
    assert_success(definitions_scan(f->definitions));
}

static void a_file_declares_its_pod_once(void **state)
{
    Fixture *f = *state;

    write_at(f->second, "web.pod", GOOD);
    scan(f);
    scan(f);
    assert_success(definitions_scan_file(f->definitions, "web.pod"));

    assert_int_equal(f->calls, 1);
    assert_true(f->declared && f->defined);
}

static void the_first_directory_wins_and_the_second_comes_back(void **state)
{
    Fixture *f = *state;

    write_at(f->second, "web.pod", GOOD);
    write_at(f->first, "web.pod", OTHER);
    scan(f);
    assert_int_equal(f->cpus, 2);
    assert_success(unlinkat(f->first, "web.pod", 0));
    assert_success(definitions_scan_file(f->definitions, "web.pod"));

    assert_int_equal(f->cpus, 1);
    assert_true(str_ends_with(f->file, "/second/web.pod"));
}

static void a_link_to_dev_null_masks(void **state)
{
    Fixture *f = *state;

    write_at(f->second, "web.pod", GOOD);
    scan(f);
    assert_success(symlinkat("/dev/null", f->first, "web.pod"));
    scan(f);

    assert_int_equal(f->calls, 2);
    assert_false(f->declared);
}

static void a_file_that_is_gone_is_not_wanted(void **state)
{
    Fixture *f = *state;

    write_at(f->first, "web.pod", GOOD);
    scan(f);
    assert_success(unlinkat(f->first, "web.pod", 0));
    scan(f);

    assert_false(f->declared);
}

static void a_wrong_file_leaves_the_last_good_content(void **state)
{
    Fixture *f = *state;

    write_at(f->first, "web.pod", OTHER);
    scan(f);
    write_at(f->first, "web.pod", "cpus = 3;\ncontainers = (");
    scan(f);

    assert_true(f->declared && f->defined);
    assert_int_equal(f->cpus, 2);
    assert_int_equal(strv_length(f->errors), 1);
    assert_non_null(strstr(f->errors[0], "/first/web.pod:2: "));

    write_at(f->first, "web.pod", OTHER);
    scan(f);
    assert_int_equal(strv_length(f->errors), 0);
}

static void a_file_that_was_never_right_is_declared_only(void **state)
{
    Fixture *f = *state;

    write_at(f->first, "web.pod", "nonsense = 1;");
    scan(f);

    assert_true(f->declared);
    assert_false(f->defined);
    assert_true(strv_length(f->errors) >= 2);
}

static void what_is_no_regular_file_leaves_the_last_good_content(void **state)
{
    Fixture *f = *state;

    write_at(f->first, "web.pod", GOOD);
    scan(f);
    assert_success(unlinkat(f->first, "web.pod", 0));
    assert_success(mkdirat(f->first, "web.pod", 0755));
    scan(f);
    assert_true(f->declared && f->defined && strv_length(f->errors) == 1);

    assert_success(unlinkat(f->first, "web.pod", AT_REMOVEDIR));
    assert_success(mkfifoat(f->first, "web.pod", 0600));
    scan(f);
    assert_true(f->declared && f->defined && strv_length(f->errors) == 1);

    assert_success(unlinkat(f->first, "web.pod", 0));
    assert_success(symlinkat("/etc/hostname", f->first, "web.pod"));
    scan(f);
    assert_true(f->declared && f->defined);
    assert_non_null(strstr(f->errors[0], "symbolic link"));
}

static void a_file_being_written_is_not_read(void **state)
{
    Fixture *f = *state;

    write_at(f->first, "web.pod", GOOD);
    scan(f);
    int writer = openat(f->first, "web.pod", O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(writer >= 0);
    assert_int_equal(write(writer, OTHER, strlen(OTHER)), strlen(OTHER));
    scan(f);
    assert_int_equal(f->cpus, 1);
    assert_non_null(strstr(f->errors[0], "being written"));

    close(writer);
    scan(f);
    assert_int_equal(f->cpus, 2);
    assert_int_equal(strv_length(f->errors), 0);
}

static void a_directory_that_is_gone_says_nothing(void **state)
{
    Fixture *f = *state;

    write_at(f->first, "web.pod", GOOD);
    scan(f);
    assert_success(renameat(f->dir.fd, "first", f->dir.fd, "elsewhere"));
    scan(f);
    assert_true(f->declared && f->defined);
    assert_non_null(strstr(f->errors[0], "is gone"));

    /* Made again, and empty, it says that the pod is not wanted. */
    assert_success(mkdirat(f->dir.fd, "first", 0755));
    scan(f);
    assert_false(f->declared);
}

static void a_known_pod_whose_directory_is_gone_stays(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *file = strf("%s/first/web.pod", f->dir.path);
    PodDefinition pod;

    assert_success(schema_init(&pod_schema, &pod));
    assert_success(definitions_know(f->definitions, "web", file, &pod));
    pod_definition_done(&pod);
    assert_success(renameat(f->dir.fd, "first", f->dir.fd, "elsewhere"));
    scan(f);

    assert_true(f->declared && f->defined);
}

static void a_known_pod_without_a_file_is_told_to_be_gone(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *file = strf("%s/first/web.pod", f->dir.path);

    assert_success(definitions_know(f->definitions, "web", file, NULL));
    scan(f);

    assert_int_equal(f->calls, 1);
    assert_false(f->declared);
}

static void names_that_are_no_pods_are_passed_over_or_named(void **state)
{
    Fixture *f = *state;

    write_at(f->first, "web.pod~", "x");
    write_at(f->first, ".web.pod", "x");
    write_at(f->first, "web.pod.dpkg-new", "x");
    write_at(f->first, "README", "x");
    scan(f);
    char **errors = definitions_errors(f->definitions);
    assert_int_equal(strv_length(errors), 0);
    strv_free(errors);

    write_at(f->first, "Web_\x1b[m\xff.pod", GOOD);
    scan(f);
    errors = definitions_errors(f->definitions);
    assert_int_equal(strv_length(errors), 1);
    assert_non_null(strstr(errors[0], "/Web_\\x1b[m\\xff.pod"));
    strv_free(errors);
    assert_int_equal(f->calls, 0);
}

static void files_that_others_may_write_are_not_trusted(void **state)
{
    Fixture *f = *state;

    definitions_free(f->definitions);
    assert_success(definitions_new(&f->definitions, DEFINITION_POD, f->directories, true, on_definition, f));
    write_at(f->first, "web.pod", GOOD);
    scan(f);
    assert_true(f->defined);

    write_at(f->first, "web.pod", OTHER);
    assert_success(fchmodat(f->first, "web.pod", 0666, 0));
    scan(f);
    assert_int_equal(f->cpus, 1);
    assert_non_null(strstr(f->errors[0], "written by others"));

    assert_success(fchmodat(f->first, "web.pod", 0644, 0));
    scan(f);
    assert_int_equal(f->cpus, 2);
}

/* Also in a build without the backend: then it is that which is refused. */
static void what_the_backend_cannot_do_leaves_the_last_good_content(void **state)
{
    Fixture *f = *state;

    write_at(f->first, "web.pod", GOOD);
    scan(f);
    write_at(f->first, "web.pod", LIBVIRT);
    scan(f);

    assert_true(f->defined);
    assert_int_equal(f->cpus, 1);
    assert_int_equal(strv_length(f->errors), 1);
    assert_non_null(strstr(f->errors[0], "/first/web.pod:1: "));
}

static void what_podvisord_conf_allows_is_no_error(void **state)
{
    Fixture *f = *state;

    if (ability_missing(BACKEND_LIBVIRT))
        skip();
    definitions_allow(f->definitions, (AbilitySettings){ .libvirt_xml = true });
    write_at(f->first, "web.pod", LIBVIRT);
    scan(f);

    assert_int_equal(strv_length(f->errors), 0);
    assert_int_equal(f->cpus, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_declares_its_pod_once),
        TEST(the_first_directory_wins_and_the_second_comes_back),
        TEST(a_link_to_dev_null_masks),
        TEST(a_file_that_is_gone_is_not_wanted),
        TEST(a_wrong_file_leaves_the_last_good_content),
        TEST(a_file_that_was_never_right_is_declared_only),
        TEST(what_is_no_regular_file_leaves_the_last_good_content),
        TEST(what_the_backend_cannot_do_leaves_the_last_good_content),
        TEST(what_podvisord_conf_allows_is_no_error),
        TEST(a_file_being_written_is_not_read),
        TEST(a_directory_that_is_gone_says_nothing),
        TEST(a_known_pod_whose_directory_is_gone_stays),
        TEST(a_known_pod_without_a_file_is_told_to_be_gone),
        TEST(names_that_are_no_pods_are_passed_over_or_named),
        TEST(files_that_others_may_write_are_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
