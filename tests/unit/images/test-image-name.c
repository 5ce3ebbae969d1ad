/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "images/image-name.h"
#include "tests/unit/images/fixture.h"

#define PIN "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *name;
    const char *canonical; /* NULL: no name */
} names[] = {
    { "busybox", "busybox" },
    { "busybox:latest", "busybox" },
    { "busybox:1.36", "busybox:1.36" },
    { "a/b-c/d_e.f:T-1.x", "a/b-c/d_e.f:T-1.x" },
    { "registry.example:5000/x/y", "registry.example:5000/x/y" },
    { "registry.example:5000/x/y:tag", "registry.example:5000/x/y:tag" },
    { "localhost:5000/latest:latest", "localhost:5000/latest" },
    { "facade", "facade" },
    { "r.example:5000/x/y" PIN, "r.example:5000/x/y" PIN },
    { "r.example/y:1" PIN, "r.example/y:1" PIN },
    { "r.example/y:latest" PIN, "r.example/y" PIN },
    { "y" PIN, "y" PIN },
    { "", NULL },
    { "/", NULL },
    { "/x", NULL },
    { "x/", NULL },
    { "x//y", NULL },
    { ".", NULL },
    { "..", NULL },
    { "a/../b", NULL },
    { "../b", NULL },
    { ".hidden", NULL },
    { "-x", NULL },
    { "x-", NULL },
    { "x:", NULL },
    { "x:.y", NULL },
    { "x:y:z", NULL },
    { "x:5000/y:", NULL },
    { "x:port/y", NULL },
    { "x:123456/y", NULL },
    { "a/b:1/c", NULL },
    { "UPPER", NULL },
    { "with space", NULL },
    { "new\nline", NULL },
    { "x+y", NULL },
    { "x@y", NULL },
    { PIN, NULL },
    { "x:" PIN, NULL },
    { "x" PIN "0", NULL },
    { "x" PIN PIN, NULL },
    { "x@sha256:abc", NULL },
    { "x@sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL },
    { "sha256:abc", NULL },
    { "sha256:latest", NULL },
};

static void names_have_one_canonical_form(void **state)
{
    TABLE_FOREACH (row, names) {
        char *canonical = NULL;
        int r = image_name_canonical(row->name, &canonical);
        assert_int_equal(r, row->canonical ? 0 : -EINVAL);
        assert_int_equal(image_name_valid(row->name), row->canonical != NULL);
        if (row->canonical)
            assert_string_equal(canonical, row->canonical);
        free(canonical);
    }
}

static void names_have_one_file_and_back(void **state)
{
    TABLE_FOREACH (row, names) {
        if (!row->canonical)
            continue;
        char *file = image_name_to_file(row->canonical), *back = image_name_from_file(file);
        assert_null(strchr(file, '/'));
        assert_string_equal(back, row->canonical);
        free(file);
        free(back);
    }
}

static void a_name_is_not_longer_than_a_file_name_can_be(void **state)
{
    char name[IMAGE_NAME_MAX + 2];

    memset(name, 'a', sizeof name);
    name[IMAGE_NAME_MAX] = 0;
    assert_true(image_name_valid(name));
    name[IMAGE_NAME_MAX] = 'a';
    name[IMAGE_NAME_MAX + 1] = 0;
    assert_false(image_name_valid(name));
}

static void digests_are_told_from_names(void **state)
{
    static const struct {
        const char *text;
        bool prefix;
    } rows[] = { { "sha256:a", true },    { "sha256:", false },      { "abcdef", true },
                 { "abcde", false },      { "abcdeg", false },       { "ABCDEF", false },
                 { "sha256:xyz", false }, { "sha512:abcdef", false } };
    TABLE_FOREACH (row, rows)
        assert_int_equal(image_digest_prefix(row->text) != NULL, row->prefix);
}

static void digests_have_files_and_back(void **state)
{
    char hex[SHA256_TEXT_SIZE], digest[IMAGE_DIGEST_TEXT_SIZE], back[IMAGE_DIGEST_TEXT_SIZE];

    sha256_text("x", 1, hex);
    image_digest_format(hex, digest);
    char *file = image_digest_to_file(digest, ".erofs");
    assert_int_equal(image_digest_from_file(file, ".erofs", back), 0);
    assert_string_equal(back, digest);
    assert_int_equal(image_digest_from_file(file, ".msgpack", back), -EINVAL);
    assert_int_equal(image_digest_from_file("sha256-12.erofs", ".erofs", back), -EINVAL);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_canonical_form),
        cmocka_unit_test(names_have_one_file_and_back),
        cmocka_unit_test(a_name_is_not_longer_than_a_file_name_can_be),
        cmocka_unit_test(digests_are_told_from_names),
        cmocka_unit_test(digests_have_files_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
