/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pack.h"
#include "tests/unit/test.h"

static const PackLimits limits = { .size = 4096, .depth = 4, .count = 100 };

static int parse(const char *bytes, size_t size)
{
    PackDocument *d;
    int r = pack_parse(bytes, size, &limits, &d);
    if (r >= 0)
        pack_document_free(d);
    return r;
}

static void bytes_grow_and_are_consumed_from_the_front(void **state)
{
    Bytes b = { 0 };

    assert_success(bytes_append(&b, "hello ", 6));
    assert_success(bytes_append(&b, "world", 5));
    bytes_consume(&b, 6);
    assert_success(bytes_terminate(&b));
    assert_string_equal((char *)b.data, "world");
    assert_null(bytes_reserve(&b, SIZE_MAX));
    bytes_done(&b);
}

static void what_secret_bytes_let_go_of_is_overwritten(void **state)
{
    static const uint8_t zeros[6];
    Bytes b = { .secret = true };
    Packer *p;

    assert_success(bytes_append(&b, "hello ", 6));
    assert_success(bytes_append(&b, "world", 5));
    bytes_consume(&b, 6);
    assert_memory_equal(b.data, "world", 5);
    assert_memory_equal(b.data + 5, zeros, 6);
    /* They stay what they are when they move. */
    assert_non_null(bytes_reserve(&b, 4096));
    assert_memory_equal(b.data, "world", 5);
    bytes_done(&b);
    assert_success(packer_new(&p));
    packer_secret(p);
    packer_string(p, "world");
    assert_success(packer_finish(p, &b));
    assert_true(b.secret);
    packer_free(p);
    bytes_done(&b);
}

static void what_is_packed_reads_back(void **state)
{
    Packer *p;
    Bytes b = { 0 };
    PackDocument *d;
    uint64_t n;
    int64_t s;

    assert_success(packer_new(&p));
    packer_map(p, 3);
    packer_string(p, "big");
    packer_unsigned(p, UINT64_MAX);
    packer_string(p, "small");
    packer_signed(p, INT64_MIN);
    packer_string(p, "list");
    packer_array(p, 2);
    packer_bool(p, true);
    packer_nil(p);
    assert_success(packer_finish(p, &b));
    packer_free(p);

    assert_success(pack_parse(b.data, b.size, &limits, &d));
    assert_success(pack_get_unsigned(pack_find(pack_root(d), "big"), &n));
    assert_true(n == UINT64_MAX);
    assert_success(pack_get_signed(pack_find(pack_root(d), "small"), &s));
    assert_true(s == INT64_MIN);
    assert_int_equal(pack_count(pack_find(pack_root(d), "list")), 2);
    assert_null(pack_find(pack_root(d), "none"));
    pack_document_free(d);
    bytes_done(&b);
}

static void hostile_bytes_are_refused_before_anything_is_allocated(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        int result;
    } rows[] = {
        { "", 0, -EBADMSG },
        { "\xc1", 1, -EBADMSG },                 /* no such type */
        { "\xdd\xff\xff\xff\xff", 5, -EBADMSG }, /* an array of 4 G elements in five bytes */
        { "\xdf\xff\xff\xff\xff", 5, -EBADMSG }, /* a map likewise */
        { "\xdb\xff\xff\xff\xff"
          "x",
          6, -EBADMSG },                               /* a string longer than the bytes */
        { "\xc9\xff\xff\xff\xff\x01", 6, -EBADMSG },   /* an extension likewise */
        { "\x91\x91\x91\x91\x91\x91\xc0", 7, -E2BIG }, /* too deep */
        { "\xc0\xc0", 2, -EBADMSG },                   /* more than one value */
        { "\x92\xc0", 2, -EBADMSG },                   /* cut short */
        { "\xcf\x00\x00", 3, -EBADMSG },               /* a number cut short */
        { "\x91\x91\x91\x91\xc0", 5, 0 },
        { "\xc7\x00\x05", 3, 0 },
    };
    TABLE_FOREACH (row, rows)
        assert_int_equal(parse(row->bytes, row->size), row->result);
}

static void limits_on_size_and_count_hold(void **state)
{
    char many[1 + 2 + 200] = { '\xdc', 0, (char)200 };
    char *large = calloc(1, 5000);

    memset(many + 3, 0xc0, 200);
    assert_int_equal(parse(many, sizeof many), -E2BIG);
    assert_int_equal(parse(large, 5000), -E2BIG);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_grow_and_are_consumed_from_the_front),
        cmocka_unit_test(what_secret_bytes_let_go_of_is_overwritten),
        cmocka_unit_test(what_is_packed_reads_back),
        cmocka_unit_test(hostile_bytes_are_refused_before_anything_is_allocated),
        cmocka_unit_test(limits_on_size_and_count_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
