/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "base/id128.h"
#include "tests/unit/test.h"

static void identities_round_trip_and_differ(void **state)
{
    Id128 a, b, c;
    char text[ID128_TEXT_SIZE];

    assert_success(id128_random(&a));
    assert_success(id128_random(&b));
    assert_false(id128_equal(a, b));
    assert_success(id128_parse(id128_format(a, text), &c));
    assert_true(id128_equal(a, c));
    assert_int_equal(text[14], '4');
    assert_int_equal(id128_parse("123", &c), -EINVAL);
    assert_int_equal(id128_parse("zz112233445566778899aabbccddeeff", &c), -EINVAL);
    assert_int_equal(id128_parse("00112233445566778899aabbccddeeff00", &c), -EINVAL);
    assert_success(id128_boot(&c));
}

static void checksums_are_the_published_ones(void **state)
{
    char text[SHA256_TEXT_SIZE];

    sha256_text("abc", 3, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(crc32_of("123456789", 9), 0xcbf43926);
}

static void a_file_has_the_checksum_of_its_bytes(void **state)
{
    TestDir d = test_dir_new();
    char text[SHA256_TEXT_SIZE];

    assert_success(file_replace_at(d.fd, "f", "abc", 3, 0600));
    int fd = file_open_at(d.fd, "f", O_RDONLY, 0);
    assert_success(sha256_text_fd(fd, text));
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    safe_close(fd);
    test_dir_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_round_trip_and_differ),
        cmocka_unit_test(checksums_are_the_published_ones),
        cmocka_unit_test(a_file_has_the_checksum_of_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
