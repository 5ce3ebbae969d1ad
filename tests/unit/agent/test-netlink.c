/* SPDX-License-Identifier: Apache-2.0 */
/* The requests byte by byte, and, where this process may have a network of its own, what the kernel makes of them. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/program.h"
#include "base/units.h"
#include "base/netlink.h"
#include "guest/agent/network.h"
#include "tests/unit/test.h"

static IpAddress parse(const char *text)
{
    IpAddress a;

    assert_success(ip_parse(text, &a));
    return a;
}

/* Numbers in the order of this machine's bytes, addresses in the network's. */
static void the_requests_are_what_rtnetlink_takes(void **state)
{
    static const uint8_t link[] = { 40, 0, 0, 0, RTM_NEWLINK, 0, 5, 0, 0,    0,    0, 0, 0, 0,
                                    0,  0, 0, 0, 0,           0, 7, 0, 0,    0,    1, 0, 0, 0,
                                    1,  0, 0, 0, 8,           0, 4, 0, 0xf0, 0xff, 0, 0 };
    static const uint8_t address[] = { 40, 0, 0,       0,  RTM_NEWADDR, 0, 5, 5, 0,  0, 0, 0, 0, 0,
                                       0,  0, AF_INET, 24, 0x80,        0, 7, 0, 0,  0, 8, 0, 2, 0,
                                       10, 0, 2,       15, 8,           0, 1, 0, 10, 0, 2, 15 };
    static const uint8_t route[] = { 44,  0,       0,  0, RTM_NEWROUTE,
                                     0,   5,       5,  0, 0,
                                     0,   0,       0,  0, 0,
                                     0,   AF_INET, 0,  0, 0,
                                     254, 3,       0,  1, 0,
                                     0,   0,       0,  8, 0,
                                     5,   0,       10, 0, 2,
                                     2,   8,       0,  4, 0,
                                     7,   0,       0,  0 };
    NetlinkMessage m;
    IpAddress own = parse("10.0.2.15/24"), gateway = parse("10.0.2.2");

    if (htons(1) == 1)
        skip();
    netlink_link(&m, 7, 65520);
    assert_int_equal(m.size, sizeof link);
    assert_memory_equal(m.data, link, sizeof link);
    netlink_address(&m, 7, &own);
    assert_int_equal(m.size, sizeof address);
    assert_memory_equal(m.data, address, sizeof address);
    netlink_route(&m, 7, &gateway);
    assert_int_equal(m.size, sizeof route);
    assert_memory_equal(m.data, route, sizeof route);
}

static void addresses_are_read_with_their_bits(void **state)
{
    static const char *const bad[] = {
        "",        "10.0.2", "10.0.2.15/",  "10.0.2.15/33", "10.0.2.15/x", "fe80::1/129",
        "fe80::g", "/24",    "10.0.2.15/-1"
    };
    IpAddress a;

    assert_int_equal(parse("10.0.2.15/24").bits, 24);
    assert_int_equal(parse("10.0.2.15").bits, 32);
    assert_int_equal(parse("fd00::15/64").bits, 64);
    assert_int_equal(parse("fd00::15").family, AF_INET6);
    TABLE_FOREACH (text, bad)
        if (ip_parse(*text, &a) != -EINVAL)
            fail_msg("\"%s\" is read", *text);
}

static bool has_address(const char *interface, const char *wanted)
{
    struct ifaddrs *all = NULL;
    char text[INET6_ADDRSTRLEN];
    bool found = false;

    assert_success(getifaddrs(&all));
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
        if (!streq(i->ifa_name, interface) || (family != AF_INET && family != AF_INET6))
            continue;
        const void *at = family == AF_INET ? (void *)&((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr
                                           : (void *)&((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr;
        found |= inet_ntop(family, at, text, sizeof text) && streq(text, wanted);
    }
    freeifaddrs(all);
    return found;
}

static bool system_run(const char *script)
{
    char *arguments[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", NULL, NULL };
    _cleanup_(freep) char *text = strf("PATH=/usr/sbin:/usr/bin:/sbin:/bin; { %s; } && echo done", script);
    _cleanup_(bytes_done) Bytes output = { 0 };

    arguments[2] = text;
    assert_success(program_read(arguments, false, 30 * USEC_PER_SEC, 65536, &output));
    return output.size == 5 && memcmp(output.data, "done\n", 5) == 0;
}

/* One end of a pair of interfaces, with a known address. False: this kernel has none. */
static bool make_interface(void)
{
    return system_run(
        "ip link add eth0 address 02:11:22:33:44:55 type veth peer name other && ip link set other up");
}

static void the_interface_is_found_by_its_address_and_gets_all_that_is_asked(void **state)
{
    char *addresses[] = { (char *)(uintptr_t) "10.0.2.15/24", (char *)(uintptr_t) "fd00:706f:6476::15/64",
                          NULL };
    char *gateways[] = { (char *)(uintptr_t) "10.0.2.2", (char *)(uintptr_t) "fe80::1", NULL };
    AgentNetwork n = { .mac = (char *)(uintptr_t) "02:11:22:33:44:55",
                       .addresses = addresses,
                       .gateways = gateways,
                       .mtu = 9000 };
    Failure f;

    if (unshare(CLONE_NEWNET) < 0 || !make_interface())
        skip();
    /* Twice: a runner may ask again. */
    for (int i = 0; i < 2; i++)
        if (network_apply(&n, &f) < 0)
            fail_msg("%s", f.text);
    assert_true(has_address("eth0", "10.0.2.15"));
    assert_true(has_address("eth0", "fd00:706f:6476::15"));
    assert_true(system_run("ip route show default | grep -q 'default via 10.0.2.2 dev eth0' && "
                           "ip -6 route show default | grep -q 'default via fe80::1 dev eth0' && "
                           "ip link show eth0 | grep -q 'mtu 9000'"));
    n.mac = (char *)(uintptr_t) "02:11:22:33:44:56";
    assert_int_equal(network_apply(&n, &f), -ENODEV);
    assert_string_equal(f.text, "the machine has no network interface 02:11:22:33:44:56");
    n.mac = (char *)(uintptr_t) "02:11:22:33:44:55";
    addresses[0] = (char *)(uintptr_t) "10.0.2.15/99";
    assert_int_equal(network_apply(&n, &f), -EINVAL);
    assert_string_equal(f.text, "the address 10.0.2.15/99 could not be set: Invalid argument");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_requests_are_what_rtnetlink_takes),
        cmocka_unit_test(addresses_are_read_with_their_bits),
        cmocka_unit_test(the_interface_is_found_by_its_address_and_gets_all_that_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
