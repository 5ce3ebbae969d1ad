/* SPDX-License-Identifier: Apache-2.0 */
/* Which files of the host a pod file may name. */
#include "supervisor/sources.h"
#include "tests/unit/test.h"

static Paths paths = { .state = (char[]){ "/var/lib/podvisor" } };
static DaemonConfig config;
static const Supervisor supervisor = { .paths = &paths, .config = &config };

static char *const srv[] = { (char[]){ "/srv" }, (char[]){ "/data/disks" }, NULL };

/* "DIRECTORY FILE", or the refusal. */
static char *split(SourceKind kind, const char *path)
{
    _cleanup_(freep) char *directory = NULL, *file = NULL;
    char *error = NULL;

    int r = source_split(&supervisor, kind, path, &directory, &file, &error);
    assert_int_equal(r == -EPERM, error != NULL);
    return error ?: strf("%s %s", directory, file);
}

static void assert_split(SourceKind kind, const char *path, const char *wanted)
{
    _cleanup_(freep) char *found = split(kind, path);

    assert_string_equal(found, wanted);
}

static void set(PathsMode mode, char *const *volumes, char *const *files)
{
    paths.mode = mode;
    config.volume_sources = (char **)(uintptr_t)volumes;
    config.file_sources = (char **)(uintptr_t)files;
}

static void test_the_hosts_podvisord_allows_little_by_itself(void **state)
{
    set(PATHS_SYSTEM, NULL, NULL);
    assert_split(SOURCE_VOLUME, "/var/lib/podvisor/volumes/db.raw", "/var/lib/podvisor/volumes db.raw");
    assert_split(SOURCE_FILE, "/etc/keys/web/key.pem", "/etc/keys web/key.pem");
    assert_split(SOURCE_FILE, "/etc/podvisor/secrets/a", "/etc/podvisor/secrets a");
    assert_split(
        SOURCE_VOLUME, "/etc/keys/web.pem",
        "/etc/keys/web.pem is not below a directory that podvisord.conf allows: volume_sources = [ /srv ]");
    assert_split(SOURCE_FILE, "/etc/shadow",
                 "/etc/shadow is not below a directory that podvisord.conf allows: file_sources = [ "
                 "/etc/podvisor/secrets, /etc/podvisor/configs, /etc/keys ]");
    assert_split(
        SOURCE_FILE, "/var/lib/podvisor/volumes/db.raw",
        "/var/lib/podvisor/volumes/db.raw is not below a directory that podvisord.conf allows: file_sources "
        "= [ /etc/podvisor/secrets, /etc/podvisor/configs, /etc/keys ]");
}

static void test_directories_are_whole_names(void **state)
{
    static const char refused[] =
        " is not below a directory that podvisord.conf allows: volume_sources = [ /srv, "
        "/data/disks ]";

    set(PATHS_SYSTEM, srv, NULL);
    assert_split(SOURCE_VOLUME, "/srv/a", "/srv a");
    assert_split(SOURCE_VOLUME, "/data/disks/a/b", "/data/disks a/b");
    static const char *const paths_refused[] = { "/srv", "/srv2/a", "/sr", "/data/a", "/data/disks", "/" };
    TABLE_FOREACH (path, paths_refused) {
        _cleanup_(freep) char *wanted = strf("%s%s", *path, refused);
        assert_split(SOURCE_VOLUME, *path, wanted);
    }
}

static void test_a_users_own_podvisord_allows_all_until_it_is_told(void **state)
{
    set(PATHS_ROOT, NULL, NULL);
    assert_split(SOURCE_VOLUME, "/anything/at/all", "/ anything/at/all");
    assert_split(SOURCE_FILE, "/etc/passwd", "/ etc/passwd");
    set(PATHS_USER, srv, srv);
    assert_split(SOURCE_FILE, "/srv/a", "/srv a");
    assert_split(SOURCE_FILE, "/etc/passwd",
                 "/etc/passwd is not below a directory that podvisord.conf allows: file_sources = [ /srv, "
                 "/data/disks ]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_hosts_podvisord_allows_little_by_itself),
        cmocka_unit_test(test_directories_are_whole_names),
        cmocka_unit_test(test_a_users_own_podvisord_allows_all_until_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
