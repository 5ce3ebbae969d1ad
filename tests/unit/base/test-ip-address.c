/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip-address.h"
#include "tests/unit/test.h"

static IpAddress parsed(const char *text)
{
    IpAddress a;

    assert_success(ip_parse(text, &a));
    return a;
}

static void assert_at(const char *network, uint64_t place, const char *expected)
{
    IpAddress n = parsed(network), a = ip_at(&n, place);
    _cleanup_(freep) char *text = ip_format(&a);

    assert_string_equal(text, expected);
    assert_int_equal(ip_place(&a), place);
}

static void an_address_is_a_place_in_its_network(void **state)
{
    assert_at("10.89.0.0/24", 0, "10.89.0.0");
    assert_at("10.89.0.77/24", 5, "10.89.0.5");
    assert_at("10.88.0.0/15", 65537, "10.89.0.1");
    assert_at("10.89.0.4/30", 3, "10.89.0.7");
    assert_at("0.0.0.0/0", UINT64_C(0xffffffff), "255.255.255.255");
    assert_at("fd00:89::/64", 2, "fd00:89::2");
    assert_at("fd00:89::/64", UINT64_MAX, "fd00:89::ffff:ffff:ffff:ffff");
    assert_at("fd00:89::/112", 0xffff, "fd00:89::ffff");
    assert_at("fd00::/16", UINT64_C(1) << 32, "fd00::1:0:0");
}

static void a_network_has_as_many_addresses_as_its_bits_leave(void **state)
{
    static const struct {
        const char *network;
        uint64_t count;
    } rows[] = { { "10.0.0.0/24", 256 }, { "10.0.0.0/32", 1 },        { "0.0.0.0/0", UINT64_C(1) << 32 },
                 { "fd00::/120", 256 },  { "fd00::/64", UINT64_MAX }, { "fd00::/8", UINT64_MAX } };

    TABLE_FOREACH (row, rows) {
        IpAddress a = parsed(row->network);
        assert_int_equal(ip_count(&a), row->count);
    }
}

static void networks_overlap_when_one_is_in_the_other(void **state)
{
    IpAddress wide = parsed("10.89.0.0/16"), lan = parsed("10.89.1.0/24"), other = parsed("10.89.2.0/24"),
              six = parsed("fd00::/64");

    assert_true(ip_overlap(&wide, &lan) && ip_overlap(&lan, &wide) && ip_overlap(&lan, &lan));
    assert_false(ip_overlap(&lan, &other) || ip_overlap(&lan, &six));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_a_place_in_its_network),
        cmocka_unit_test(a_network_has_as_many_addresses_as_its_bits_leave),
        cmocka_unit_test(networks_overlap_when_one_is_in_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
