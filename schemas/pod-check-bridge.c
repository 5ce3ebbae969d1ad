/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip-address.h"
#include "base/strings.h"
#include "schemas/pod-check.h"

/* The keys of network that are about a bridge. */
static const char *const keys[] = {
    "network", "bridge", "address", "gateway", "dns", "mtu", "lease_timeout"
};

static void check_other_mode(const Check *c)
{
    TABLE_FOREACH (key, keys) {
        _cleanup_(freep) char *path = strf("network.%s", *key);
        if (path && locations_given(c->locations, path))
            check_complain(
                c, path,
                "is about a bridge, and the pod is on none; network.mode = \"bridge\" puts it on one");
    }
}

/* A server says what the pod file must not say otherwise. */
static void check_lease(const Check *c)
{
    if (c->pod->network.gateway)
        check_complain(
            c, "network.gateway",
            "comes from the DHCP server that leases the address; without network.address = \"dhcp\" "
            "it stands here");
}

static void check_no_lease(const Check *c)
{
    if (locations_given(c->locations, "network.lease_timeout"))
        check_complain(c, "network.lease_timeout",
                       "is about an address that is leased, and this one is not: network.address = \"dhcp\" "
                       "leases one");
}

/* What else the network's own file says of it, its pods do not say again. */
static void check_managed_address(const Check *c)
{
    const NetworkDefinition *n = &c->pod->network;

    if (network_is_leased(n))
        check_complain(c, "network.address",
                       "\"dhcp\" is of a bridge of the host's: on %s.network podvisor allots addresses; "
                       "leave the key out",
                       n->network);
    if (n->address && strchr(n->address, '/'))
        check_complain(c, "network.address",
                       "\"%s\" is to be a single address: the bits are those of the subnet of %s.network",
                       n->address, n->network);
    if (n->bridge)
        check_complain(c, "network.bridge", "network.network has a bridge of its own, which %s.network names",
                       n->network);
    if (n->gateway)
        check_complain(c, "network.gateway", "that of a pod with network.network is the one of %s.network",
                       n->network);
}

/* False: nothing can be said about what has to do with it. */
static bool check_address(const Check *c, IpAddress *ret)
{
    const char *text = c->pod->network.address;

    if (c->pod->network.network)
        return check_managed_address(c), false;
    if (!text && locations_given(c->locations, "network.address"))
        return false;
    if (!text) {
        check_complain(c, "network.address",
                       "is missing: a pod on a bridge has an address of its own, such as \"10.0.0.2/24\", or "
                       "\"dhcp\"");
        return false;
    }
    if (ip_parse(text, ret) < 0)
        return false;
    if (!strchr(text, '/'))
        check_complain(c, "network.address",
                       "\"%s\" does not say how many bits of it are those of its subnet, such as \"%s/%d\"",
                       text, text, ret->family == AF_INET ? 24 : 64);
    else if (!ip_is_host(ret))
        check_complain(c, "network.address", "\"%s\" is no address that a host of this subnet can have",
                       text);
    else
        return true;
    return false;
}

static void check_gateway(const Check *c, const IpAddress *address)
{
    const NetworkDefinition *n = &c->pod->network;
    IpAddress gateway;

    if (!n->gateway || ip_parse(n->gateway, &gateway) < 0)
        return;
    /* A gateway of IPv6 is most often a link's own address, which every subnet has. */
    bool local =
        gateway.family == AF_INET6 && address->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&gateway.v6);
    if (strchr(n->gateway, '/'))
        check_complain(c, "network.gateway", "\"%s\" is a single address: it has no bits of a subnet",
                       n->gateway);
    else if (!ip_within(&gateway, address) && !local)
        check_complain(c, "network.gateway", "%s is outside of the subnet of network.address, %s", n->gateway,
                       n->address);
    else if (ip_equal(&gateway, address))
        check_complain(c, "network.gateway", "%s is the pod's own address", n->gateway);
}

static void check_dns(const Check *c)
{
    STRV_FOREACH (server, c->pod->network.dns)
        if (strchr(*server, '/'))
            check_complain(c, "network.dns", "\"%s\" is a single address: it has no bits of a subnet",
                           *server);
}

void check_bridge(const Check *c)
{
    const NetworkDefinition *n = &c->pod->network;
    IpAddress address;

    if (n->mode != NETWORK_BRIDGE) {
        check_other_mode(c);
        return;
    }
    if (!n->bridge && !n->network && !locations_given(c->locations, "network.bridge") &&
        !locations_given(c->locations, "network.network"))
        check_complain(c, "network.bridge",
                       "is missing: network.mode is \"bridge\", and neither network.network nor this says "
                       "which one");
    if (n->publish)
        check_complain(c, "network.publish",
                       "a pod on a bridge is reached at its own address, at every port; there is nothing to "
                       "publish");
    if (network_is_leased(n) && !n->network)
        check_lease(c);
    else {
        check_no_lease(c);
        if (check_address(c, &address))
            check_gateway(c, &address);
    }
    check_dns(c);
}
