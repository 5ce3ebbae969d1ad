/* SPDX-License-Identifier: Apache-2.0 */
/* What podvisord decides of a pod's place on a bridge. */
#include <net/if.h>

#include "base/ip-address.h"
#include "schemas/bridge-link.h"
#include "tests/unit/test.h"

#define INSTANCE "0123456789abcdef0123456789abcdef:/run/podvisor"

static const NetworkDefinition on_br0 = { .mode = NETWORK_BRIDGE,
                                          .bridge = (char *)(uintptr_t) "br0",
                                          .address = (char *)(uintptr_t) "10.0.0.2/24" };

static BridgeLink made(const char *instance, const char *pod)
{
    BridgeLink l;

    assert_success(bridge_link_make(instance, pod, &on_br0, &l));
    return l;
}

static void the_names_of_a_pod_stay_the_same(void **state)
{
    BridgeLink l = made(INSTANCE, "web");

    /* Whoever changes how they are made changes the hardware address of every pod there is. */
    assert_string_equal(l.tap, BRIDGE_LINK_TAP "fd8dcde6-web");
    assert_string_equal(l.mac, "02:2a:35:2d:3b:5c");
    assert_string_equal(l.pod, "web");
    schema_done(&bridge_link_schema, &l);
}

static void no_two_pods_have_the_same_names(void **state)
{
    static const char *const others[][2] = {
        { INSTANCE, "wea" }, { INSTANCE, "web2" }, { INSTANCE "2", "web" }, { "", "web" }
    };
    BridgeLink link = made(INSTANCE, "web");

    TABLE_FOREACH (other, others) {
        BridgeLink l = made((*other)[0], (*other)[1]);
        assert_string_not_equal(l.tap, link.tap);
        assert_string_not_equal(l.mac, link.mac);
        schema_done(&bridge_link_schema, &l);
    }
    schema_done(&bridge_link_schema, &link);
}

static void a_tap_has_a_name_that_an_interface_can_have(void **state)
{
    BridgeLink l = made(INSTANCE, "a-pod-with-a-name-of-the-greatest-length-that-there-is");

    assert_true(strlen(l.tap) < IFNAMSIZ);
    assert_true(str_ends_with(l.tap, "-a-po"));
    schema_done(&bridge_link_schema, &l);
}

static void a_hardware_address_is_a_local_one_of_one_host(void **state)
{
    uint8_t mac[MAC_ADDRESS_SIZE];
    BridgeLink l = made(INSTANCE, "web");

    assert_true(mac_address_parse(l.mac, mac));
    assert_int_equal(mac[0], 0x02);
    schema_done(&bridge_link_schema, &l);
}

static void what_the_pod_file_does_not_say_has_a_default_and_the_rest_is_taken_over(void **state)
{
    NetworkDefinition network = on_br0;
    char *dns[] = { (char *)(uintptr_t) "10.0.0.1", NULL };
    BridgeLink l = made(INSTANCE, "web");

    assert_int_equal(l.mtu, BRIDGE_LINK_MTU);
    assert_null(l.gateway);
    assert_null(l.dns);
    schema_done(&bridge_link_schema, &l);
    network.mtu = 9000;
    network.gateway = dns[0];
    network.dns = dns;
    assert_success(bridge_link_make(INSTANCE, "web", &network, &l));
    assert_int_equal(l.mtu, 9000);
    assert_string_equal(l.bridge, "br0");
    assert_string_equal(l.address, "10.0.0.2/24");
    assert_string_equal(l.gateway, "10.0.0.1");
    assert_string_equal(l.dns[0], "10.0.0.1");
    schema_done(&bridge_link_schema, &l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_names_of_a_pod_stay_the_same),
        cmocka_unit_test(no_two_pods_have_the_same_names),
        cmocka_unit_test(a_tap_has_a_name_that_an_interface_can_have),
        cmocka_unit_test(a_hardware_address_is_a_local_one_of_one_host),
        cmocka_unit_test(what_the_pod_file_does_not_say_has_a_default_and_the_rest_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
