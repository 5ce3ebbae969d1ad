/* SPDX-License-Identifier: Apache-2.0 */
/* Taps on bridges, in a network of the test's own: what is made, and what is refused with which words. */
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "base/program.h"
#include "tests/unit/test.h"
#include "uplink/bridge.h"

static BridgeLink link_on(const char *bridge)
{
    return (BridgeLink){
        .pod = (char *)(uintptr_t) "web",
        .bridge = (char *)(uintptr_t)bridge,
        .tap = (char *)(uintptr_t) "pv01234567-web",
        .mac = (char *)(uintptr_t) "02:00:00:00:00:0a",
        .mtu = BRIDGE_LINK_MTU,
    };
}

/* What `ip` says; the caller frees. */
static char *ip(const char *words)
{
    _cleanup_(freep) char *line = strf("ip %s", words);
    char shell[] = "/bin/sh", option[] = "-c", *arguments[] = { shell, option, line, NULL };
    Bytes said = { 0 };

    assert_success(program_read(arguments, false, 30 * USEC_PER_SEC, 65536, &said));
    assert_success(bytes_terminate(&said));
    return (char *)said.data;
}

static void run_ip(const char *words)
{
    free(ip(words));
}

/* Joins with this one, which is refused. */
static void assert_refused(const BridgeLink *link, int error, const char *words)
{
    _cleanup_(freep) char *why = NULL;
    _cleanup_(closep) int tap = bridge_join(link, &why);

    assert_int_equal(tap, error);
    if (words)
        assert_string_equal(why, words);
    assert_int_equal(if_nametoindex(link->tap ?: "none"), 0);
}

static void a_tap_is_on_the_bridge_and_speaks_for_its_pod_alone(void **state)
{
    BridgeLink link = link_on("br0");
    _cleanup_(freep) char *why = NULL;
    int tap = bridge_join(&link, &why);

    if (tap < 0)
        fail_msg("%s", why ?: strerror(-tap));
    _cleanup_(freep) char *shown = ip("-details link show dev pv01234567-web"),
                          *known = ip("link >/dev/null; bridge fdb show dev pv01234567-web");
    static const char *const wanted[] = {
        "master br0",   "mtu 1500",  "UP",      "link/ether fe:00:00:00:00:0a", "alias podvisor pod web",
        "learning off", "flood off", "guard on"
    };
    TABLE_FOREACH (words, wanted)
        if (!strstr(shown, *words))
            fail_msg("no \"%s\" in: %s", *words, shown);
    assert_non_null(strstr(known, "02:00:00:00:00:0a"));
    /* It is there for as long as somebody has it. */
    safe_close(tap);
    assert_int_equal(if_nametoindex(link.tap), 0);
}

static void a_tap_that_its_machine_made_persistent_is_made_anew(void **state)
{
    BridgeLink link = link_on("br0");
    _cleanup_(freep) char *why = NULL;

    run_ip("tuntap add dev pv01234567-web mode tap");
    unsigned before = if_nametoindex(link.tap);
    assert_true(before > 0);
    int tap = bridge_join(&link, &why);
    assert_success(tap);
    assert_true(if_nametoindex(link.tap) != before);
    safe_close(tap);
    assert_int_equal(if_nametoindex(link.tap), 0);
}

static void a_tap_that_another_machine_has_is_waited_for_and_then_named(void **state)
{
    BridgeLink link = link_on("br0");
    _cleanup_(freep) char *why = NULL, *later = NULL;
    _cleanup_(closep) int first = bridge_join(&link, &why);
    usec_t begun = now_usec(CLOCK_MONOTONIC);

    assert_success(first);
    _cleanup_(closep) int second = bridge_join(&link, &later);
    assert_int_equal(second, -EBUSY);
    assert_true(now_usec(CLOCK_MONOTONIC) - begun >= BRIDGE_TAP_TIMEOUT);
    assert_string_equal(later,
                        "the interface pv01234567-web is in use still, by the machine before this one");
}

static void what_cannot_be_joined_is_refused_with_its_reason(void **state)
{
    BridgeLink link = link_on("br7");

    assert_refused(&link, -ENODEV, "this host has no bridge br7");
    link.bridge = (char *)(uintptr_t) "lo";
    assert_refused(&link, -ENOTTY, "lo is an interface of this host, but no bridge");
    link = link_on("br0");
    link.mtu = 9000;
    assert_refused(&link, -EMSGSIZE,
                   "the bridge br0 has an MTU of 1500, and the pod one of 9000: set network.mtu to no more");
}

/* podvisord makes them; if ever it made one of these, no other interface is taken for what was meant. */
static void a_link_that_is_none_is_refused(void **state)
{
    BridgeLink link = link_on("a-bridge-of-15x-and-more");

    assert_refused(&link, -EINVAL, NULL);
    link = link_on("br0");
    link.mac = (char *)(uintptr_t) "02:00:00:00:00";
    assert_refused(&link, -EINVAL, NULL);
    link.mac = NULL;
    assert_refused(&link, -EINVAL, NULL);
    link = link_on(NULL);
    assert_refused(&link, -EINVAL, NULL);
    link = link_on("br0");
    link.tap = NULL;
    assert_refused(&link, -EINVAL, NULL);
    link.tap = (char *)(uintptr_t) "pv01234567-web-and-more";
    assert_refused(&link, -EINVAL, NULL);
}

static int make_network(void **state)
{
    run_ip("link add br0 type bridge");
    run_ip("link add a-bridge-of-15x type bridge");
    run_ip("link set br0 up");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tap_is_on_the_bridge_and_speaks_for_its_pod_alone),
        cmocka_unit_test(a_tap_that_its_machine_made_persistent_is_made_anew),
        cmocka_unit_test(a_tap_that_another_machine_has_is_waited_for_and_then_named),
        cmocka_unit_test(what_cannot_be_joined_is_refused_with_its_reason),
        cmocka_unit_test(a_link_that_is_none_is_refused),
    };
    enum { SKIPPED = 77 };

    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
        print_message("skipped: only root, in a network of its own, makes bridges and taps\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, make_network, NULL);
}
