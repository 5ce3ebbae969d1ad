/* SPDX-License-Identifier: Apache-2.0 */
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/netlink.h"
#include "base/strings.h"
#include "guest/agent/network.h"

bool network_is_wanted(const AgentNetwork *n)
{
    return !str_empty(n->mac);
}

static bool has_mac(int socket, const char *name, const char *wanted)
{
    struct ifreq request = { 0 };
    char text[18];

    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(socket, SIOCGIFHWADDR, &request) < 0 || request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return false;
    const uint8_t *m = (const uint8_t *)request.ifr_hwaddr.sa_data;
    (void)snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    return streq(text, wanted);
}

unsigned network_interface(const char *mac)
{
    _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct if_nameindex *all = fd < 0 ? NULL : if_nameindex();
    unsigned found = 0;

    for (struct if_nameindex *i = all; i && i->if_index > 0 && found == 0; i++)
        if (has_mac(fd, i->if_name, mac))
            found = i->if_index;
    if (all)
        if_freenameindex(all);
    return found;
}

void network_take_address(const char *mac)
{
    _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };
    uint8_t *m = (uint8_t *)request.ifr_hwaddr.sa_data;

    if (fd < 0 || !if_indextoname(network_interface(AGENT_TEMPLATE_MAC), request.ifr_name) ||
        sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6)
        return;
    if (ioctl(fd, SIOCSIFHWADDR, &request) < 0)
        log_error_errno(-errno, "the network interface could not get the address %s", mac);
}

typedef void (*Encode)(NetlinkMessage *m, unsigned interface, const IpAddress *address);

static int apply_all(int socket, unsigned interface, char *const *texts, Encode encode, const char *what,
                     Failure *f)
{
    IpAddress address;
    NetlinkMessage m;

    STRV_FOREACH (text, (char **)texts) {
        int r = ip_parse(*text, &address);
        if (r >= 0) {
            encode(&m, interface, &address);
            r = netlink_talk(socket, &m);
        }
        if (r < 0)
            return failure_set(f, r, "the %s %s could not be set", what, *text);
    }
    return 0;
}

static bool is_reached(const AgentNetwork *n, const IpAddress *gateway)
{
    IpAddress own;

    STRV_FOREACH (text, n->addresses)
        if (ip_parse(*text, &own) >= 0 && ip_within(gateway, &own))
            return true;
    return gateway->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&gateway->v6);
}

/* Networks that give each host a subnet of its own have their gateway outside of it. */
static int show_gateways(int socket, unsigned interface, const AgentNetwork *n, Failure *f)
{
    IpAddress gateway;
    NetlinkMessage m;

    STRV_FOREACH (text, n->gateways) {
        if (ip_parse(*text, &gateway) < 0 || is_reached(n, &gateway))
            continue;
        netlink_route_on_link(&m, interface, &gateway);
        int r = netlink_talk(socket, &m);
        if (r < 0)
            return failure_set(f, r, "the way to the gateway %s could not be set", *text);
    }
    return 0;
}

int network_apply(const AgentNetwork *n, Failure *f)
{
    unsigned interface = network_interface(n->mac);
    _cleanup_(closep) int fd = netlink_open();
    NetlinkMessage m;

    if (interface == 0)
        return failure_say(f, -ENODEV, "the machine has no network interface %s", n->mac);
    if (fd < 0)
        return failure_set(f, fd, "the network interface could not be set up");
    netlink_link(&m, interface, (uint32_t)n->mtu);
    int r = netlink_talk(fd, &m);
    if (r < 0)
        return failure_set(f, r, "the network interface could not be raised");
    r = apply_all(fd, interface, n->addresses, netlink_address, "address", f);
    if (r < 0 || (r = show_gateways(fd, interface, n, f)) < 0)
        return r;
    return apply_all(fd, interface, n->gateways, netlink_route, "route by", f);
}

/* The kernel takes the routes away with the last address. */
int network_withdraw(const AgentNetwork *n, Failure *f)
{
    unsigned interface = network_interface(n->mac);
    _cleanup_(closep) int fd = netlink_open();
    IpAddress address;
    NetlinkMessage m;

    if (interface == 0 || fd < 0)
        return failure_say(f, -ENODEV, "the machine has no network interface %s", n->mac);
    STRV_FOREACH (text, n->addresses) {
        int r = ip_parse(*text, &address);
        if (r >= 0) {
            netlink_forget_address(&m, interface, &address);
            r = netlink_talk(fd, &m);
        }
        if (r < 0 && r != -EADDRNOTAVAIL)
            return failure_set(f, r, "the address %s could not be taken away", *text);
    }
    return 0;
}

char *network_resolv_conf(const AgentNetwork *n)
{
    char *text = n->domain ? strf("search %s\n", n->domain) : strdup("");

    for (char **server = n->nameservers; text && server && *server; server++) {
        char *longer = strf("%snameserver %s\n", text, *server);
        free(text);
        text = longer;
    }
    return text;
}
