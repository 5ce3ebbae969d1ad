/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>

#include "base/file.h"
#include "base/ip-address.h"
#include "base/netlink.h"
#include "base/strings.h"
#include "uplink/bridge-make.h"

/* The file that stands for the namespace: all who open it have the same. */
int bridge_lock(void)
{
    _cleanup_(closep) int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int r = file_lock(fd, LOCK_EX, BRIDGE_LOCK_TIMEOUT);
    return r < 0 ? r : take_fd(&fd);
}

/* --- looking ----------------------------------------------------------------------------------------------------------------- */

static struct ifreq request_for(const char *name)
{
    struct ifreq request = { 0 };

    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    return request;
}

static int any_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

bool bridge_is(int socket, const char *name)
{
    struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
    struct ifreq request = request_for(name);

    request.ifr_data = (char *)&driver;
    return ioctl(socket, SIOCETHTOOL, &request) >= 0 && streq(driver.driver, "bridge");
}

typedef enum Ownership {
    BRIDGE_ABSENT,
    BRIDGE_OURS,
    BRIDGE_FOREIGN,
} Ownership;

static Ownership look(int socket, const char *name, const char *mac)
{
    struct ifreq request = request_for(name);
    uint8_t wanted[MAC_ADDRESS_SIZE];

    if (ioctl(socket, SIOCGIFHWADDR, &request) < 0)
        return errno == ENODEV ? BRIDGE_ABSENT : BRIDGE_FOREIGN;
    return mac_address_parse(mac, wanted) && bridge_is(socket, name) &&
                   memcmp(request.ifr_hwaddr.sa_data, wanted, sizeof wanted) == 0
               ? BRIDGE_OURS
               : BRIDGE_FOREIGN;
}

/* What cannot be told counts as one that is in use. */
static bool has_ports(int socket, const char *name)
{
    enum { PORTS_MAX = 1024 };
    int ports[PORTS_MAX] = { 0 };
    unsigned long arguments[] = { BRCTL_GET_PORT_LIST, (unsigned long)(uintptr_t)ports, PORTS_MAX };
    struct ifreq request = request_for(name);

    request.ifr_data = (char *)arguments;
    if (ioctl(socket, SIOCDEVPRIVATE, &request) < 0)
        return true;
    TABLE_FOREACH (port, ports)
        if (*port != 0)
            return true;
    return false;
}

/* Of the kernel's own making, or the one that is wanted. */
static bool is_expected(const struct sockaddr *address, const IpAddress *wanted)
{
    IpAddress a = { .family = address->sa_family };

    if (a.family == AF_INET)
        a.v4 = ((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else if (a.family == AF_INET6)
        a.v6 = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    else
        return true;
    return ip_equal(&a, wanted) || ip_is_link_local(&a);
}

static bool has_another_address(const char *name, const IpAddress *wanted)
{
    struct ifaddrs *all;
    bool found = false;

    if (getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *a = all; a && !found; a = a->ifa_next)
        found = streq(a->ifa_name, name) && a->ifa_addr && !is_expected(a->ifa_addr, wanted);
    freeifaddrs(all);
    return found;
}

/* --- making ------------------------------------------------------------------------------------------------------------------ */

static void begin_link(NetlinkMessage *m, uint16_t type, uint16_t flags, unsigned interface)
{
    const struct ifinfomsg body = { .ifi_family = AF_UNSPEC, .ifi_index = (int)interface };

    netlink_begin(m, type, flags, &body, sizeof body);
}

static int create(int netlink, const BridgeLink *link)
{
    uint8_t mac[MAC_ADDRESS_SIZE];
    NetlinkMessage m;

    if (!mac_address_parse(link->make.mac, mac) || strlen(link->bridge) >= IFNAMSIZ)
        return -EINVAL;
    begin_link(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    netlink_attribute(&m, IFLA_IFNAME, link->bridge, strlen(link->bridge) + 1);
    netlink_attribute(&m, IFLA_ADDRESS, mac, sizeof mac);
    size_t nest = netlink_nest(&m, IFLA_LINKINFO);
    netlink_attribute(&m, IFLA_INFO_KIND, "bridge", strlen("bridge"));
    netlink_nest_end(&m, nest);
    return netlink_talk(netlink, &m);
}

static int destroy(int netlink, const char *name)
{
    unsigned interface = if_nametoindex(name);
    NetlinkMessage m;

    if (interface == 0)
        return 0;
    begin_link(&m, RTM_DELLINK, 0, interface);
    int r = netlink_talk(netlink, &m);
    return r == -ENODEV ? 0 : r;
}

static int complete(int netlink, const BridgeLink *link, const IpAddress *address)
{
    unsigned interface = if_nametoindex(link->bridge);
    char alias[128];
    NetlinkMessage m;

    if (interface == 0)
        return -ENODEV;
    int n = snprintf(alias, sizeof alias, BRIDGE_MAKE_ALIAS, link->network);
    begin_link(&m, RTM_NEWLINK, 0, interface);
    netlink_attribute(&m, IFLA_IFALIAS, alias, MIN((size_t)n, sizeof alias - 1));
    int r = netlink_talk(netlink, &m);
    if (r < 0)
        return r;
    netlink_address(&m, interface, address);
    if ((r = netlink_talk(netlink, &m)) < 0)
        return r;
    netlink_link(&m, interface, (uint32_t)link->make.mtu);
    return netlink_talk(netlink, &m);
}

static int make(int netlink, int socket, const BridgeLink *link, const IpAddress *address)
{
    Ownership owner = look(socket, link->bridge, link->make.mac);
    int r = 0;

    if (owner == BRIDGE_OURS && has_another_address(link->bridge, address) &&
        !has_ports(socket, link->bridge)) {
        r = destroy(netlink, link->bridge);
        owner = BRIDGE_ABSENT;
    }
    if (r >= 0 && owner == BRIDGE_ABSENT) {
        r = create(netlink, link);
        owner = look(socket, link->bridge, link->make.mac);
    }
    if (r < 0)
        return r;
    return owner == BRIDGE_OURS ? complete(netlink, link, address) : -EEXIST;
}

static char *why_not_made(const BridgeLink *link, int error)
{
    if (error == -EEXIST)
        return strf(
            "this host has an interface %s, which is not podvisor's and is left as it is: set bridge in "
            "%s.network to another name",
            link->bridge, link->network);
    if (error == -EPERM || error == -EACCES)
        return strf("to make the bridge %s takes root's rights, and podvisord was not started with them",
                    link->bridge);
    return strf("the bridge %s of the network %s cannot be made: %s", link->bridge, link->network,
                strerror(-error));
}

int bridge_make(const BridgeLink *link, char **ret_why)
{
    _cleanup_(closep) int netlink = netlink_open(), fd = any_socket();
    IpAddress address;

    if (netlink < 0 || fd < 0)
        return netlink < 0 ? netlink : fd;
    if (!link->make.address || ip_parse(link->make.address, &address) < 0)
        return -EINVAL;
    int r = make(netlink, fd, link, &address);
    if (r < 0)
        *ret_why = why_not_made(link, r);
    return r;
}

int bridge_sweep(const UplinkBridge *bridge, char **ret_why)
{
    _cleanup_(closep) int netlink = netlink_open(), fd = any_socket();

    if (netlink < 0 || fd < 0)
        return netlink < 0 ? netlink : fd;
    if (!bridge->bridge || look(fd, bridge->bridge, bridge->mac) != BRIDGE_OURS)
        return 0;
    if (has_ports(fd, bridge->bridge))
        return -EBUSY;
    int r = destroy(netlink, bridge->bridge);
    if (r < 0)
        *ret_why = strf("the bridge %s cannot be taken away: %s", bridge->bridge, strerror(-r));
    return r;
}
