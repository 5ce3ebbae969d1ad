/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/ip-address.h"
#include "base/netlink.h"
#include "base/strings.h"
#include "base/units.h"
#include "uplink/bridge-make.h"
#include "uplink/bridge.h"

#define TUN "/dev/net/tun"
enum {
    LOOK_AGAIN_MSEC = 50,
};

static struct ifreq request_for(const char *interface)
{
    struct ifreq request = { 0 };

    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    return request;
}

/* --- the bridge -------------------------------------------------------------------------------------------------------------- */

/* Its MTU, or negative errno with *ret_why. */
static int check_bridge(const BridgeLink *link, char **ret_why)
{
    _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = request_for(link->bridge);

    if (fd < 0)
        return -errno;
    if (ioctl(fd, SIOCGIFMTU, &request) < 0) {
        int r = -errno;
        *ret_why = r == -ENODEV ? strf("this host has no bridge %s", link->bridge) : NULL;
        return r;
    }
    if (!bridge_is(fd, link->bridge)) {
        *ret_why = strf("%s is an interface of this host, but no bridge", link->bridge);
        return -ENOTTY;
    }
    if (link->mtu <= (uint64_t)request.ifr_mtu)
        return request.ifr_mtu;
    *ret_why = strf("the bridge %s has an MTU of %d, and the pod one of %llu: set network.mtu to no more",
                    link->bridge, request.ifr_mtu, (unsigned long long)link->mtu);
    return -EMSGSIZE;
}

/* --- the tap ----------------------------------------------------------------------------------------------------------------- */

/* Without headers of virtio: the guest then asks the host's kernel for nothing but to carry frames. */
static int tap_open(const char *name)
{
    _cleanup_(closep) int fd = open(TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    struct ifreq request = request_for(name);

    if (fd < 0)
        return -errno;
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    return ioctl(fd, TUNSETIFF, &request) < 0 ? -errno : take_fd(&fd);
}

/* One that is there without anybody who has it was made persistent by its machine. */
static void tap_forget(const char *name)
{
    _cleanup_(closep) int fd = if_nametoindex(name) > 0 ? tap_open(name) : -1;

    if (fd >= 0)
        (void)ioctl(fd, TUNSETPERSIST, 0);
}

static char *why_no_tap(const BridgeLink *link, int error)
{
    switch (error) {
    case -EPERM:
    case -EACCES:
        return strf(
            "to make an interface on the bridge %s takes root's rights, and podvisord was not started "
            "with them",
            link->bridge);
    case -EBUSY:
        return strf("the interface %s is in use still, by the machine before this one", link->tap);
    case -ENOENT:
    case -ENXIO:
    case -ENODEV:
        return strf("this host makes no interfaces for machines: " TUN ": %s", strerror(-error));
    default:
        return strf("the interface %s cannot be made: %s", link->tap, strerror(-error));
    }
}

static int tap_make(const BridgeLink *link, char **ret_why)
{
    usec_t begun = now_usec(CLOCK_MONOTONIC);

    tap_forget(link->tap);
    int fd = tap_open(link->tap);
    /* The last machine is dead, but not yet taken apart. */
    while (fd == -EBUSY && usec_sub(now_usec(CLOCK_MONOTONIC), begun) < BRIDGE_TAP_TIMEOUT) {
        (void)poll(NULL, 0, LOOK_AGAIN_MSEC);
        fd = tap_open(link->tap);
    }
    if (fd < 0)
        *ret_why = why_no_tap(link, fd);
    return fd;
}

/* --- its place on the bridge --------------------------------------------------------------------------------------------------- */

typedef struct Place {
    const BridgeLink *link;
    unsigned tap, bridge; /* numbers of interfaces */
    uint32_t mtu;
    uint8_t mac[MAC_ADDRESS_SIZE]; /* the guest's */
} Place;

static void begin_link(NetlinkMessage *m, const Place *p, uint16_t type, uint8_t family)
{
    const struct ifinfomsg body = { .ifi_family = family, .ifi_index = (int)p->tap };

    netlink_begin(m, type, 0, &body, sizeof body);
}

/* A bridge takes the lowest address of its ports for its own, if it was given none: it must not be a tap's, which comes and goes. */
static void ask_identity(NetlinkMessage *m, const Place *p)
{
    uint8_t mac[MAC_ADDRESS_SIZE];
    char alias[128];

    memcpy(mac, p->mac, sizeof mac);
    mac[0] = 0xfe;
    int n = snprintf(alias, sizeof alias, BRIDGE_LINK_ALIAS, p->link->pod ?: "");
    begin_link(m, p, RTM_NEWLINK, AF_UNSPEC);
    netlink_attribute(m, IFLA_ADDRESS, mac, sizeof mac);
    netlink_attribute(m, IFLA_MTU, &p->mtu, sizeof p->mtu);
    netlink_attribute(m, IFLA_IFALIAS, alias, MIN((size_t)n, sizeof alias - 1));
}

static void ask_master(NetlinkMessage *m, const Place *p)
{
    uint32_t master = p->bridge;

    begin_link(m, p, RTM_NEWLINK, AF_UNSPEC);
    netlink_attribute(m, IFLA_MASTER, &master, sizeof master);
}

/* IFLA_BRPORT_LOCKED, which the headers of Debian 12 have and some older ones do not; a kernel without it passes it over. */
enum { BRPORT_LOCKED = 39 };

static const struct {
    uint16_t type;
    uint8_t value;
} port_flags[] = {
    { IFLA_BRPORT_LEARNING, 0 },
    { IFLA_BRPORT_UNICAST_FLOOD, 0 },
    { IFLA_BRPORT_GUARD, 1 },
    { BRPORT_LOCKED, 1 },
};

static void ask_port(NetlinkMessage *m, const Place *p)
{
    begin_link(m, p, RTM_SETLINK, AF_BRIDGE);
    size_t nest = netlink_nest(m, IFLA_PROTINFO);
    TABLE_FOREACH (flag, port_flags)
        netlink_attribute(m, flag->type, &flag->value, sizeof flag->value);
    netlink_nest_end(m, nest);
}

static void ask_entry(NetlinkMessage *m, const Place *p)
{
    const struct ndmsg body = {
        .ndm_family = AF_BRIDGE,
        .ndm_ifindex = (int)p->tap,
        .ndm_state = NUD_NOARP,
        .ndm_flags = NTF_MASTER,
    };

    netlink_begin(m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof body);
    netlink_attribute(m, NDA_LLADDR, p->mac, sizeof p->mac);
}

static void ask_up(NetlinkMessage *m, const Place *p)
{
    netlink_link(m, p->tap, 0);
}

/* Nothing passes before all of it holds. */
static const struct {
    void (*ask)(NetlinkMessage *m, const Place *p);
    const char *what;
} steps[] = {
    { ask_identity, "cannot be given its name and its MTU" },
    { ask_master, "cannot be put on it" },
    { ask_port, "cannot be kept from speaking in the name of others" },
    { ask_entry, "cannot be made known to it" },
    { ask_up, "cannot be raised" },
};

static int put_in_place(const Place *p, char **ret_why)
{
    _cleanup_(closep) int fd = netlink_open();
    NetlinkMessage m;

    if (fd < 0)
        return fd;
    TABLE_FOREACH (step, steps) {
        step->ask(&m, p);
        int r = netlink_talk(fd, &m);
        if (r < 0) {
            *ret_why = strf("the interface %s for the bridge %s %s: %s", p->link->tap, p->link->bridge,
                            step->what, strerror(-r));
            return r;
        }
    }
    return 0;
}

/* A longer name would be cut off, and be that of another interface. */
static bool is_interface_name(const char *name)
{
    return name && strlen(name) < IFNAMSIZ;
}

static int join(const BridgeLink *link, char **ret_why)
{
    Place place = { .link = link };

    if (!is_interface_name(link->bridge) || !is_interface_name(link->tap) ||
        !mac_address_parse(link->mac, place.mac))
        return -EINVAL;
    int mtu = check_bridge(link, ret_why);
    if (mtu < 0)
        return mtu;
    _cleanup_(closep) int tap = tap_make(link, ret_why);
    if (tap < 0)
        return tap;
    place.mtu = (uint32_t)mtu;
    place.tap = if_nametoindex(link->tap);
    place.bridge = if_nametoindex(link->bridge);
    int r = place.tap > 0 && place.bridge > 0 ? put_in_place(&place, ret_why) : -ENODEV;
    return r < 0 ? r : take_fd(&tap);
}

int bridge_join(const BridgeLink *link, char **ret_why)
{
    if (!link->bridge || !link->tap)
        return -EINVAL;
    if (!link->network)
        return join(link, ret_why);
    /* Until the tap is on it, one that is not wanted any more could be taken away. */
    _cleanup_(closep) int lock = bridge_lock();
    int r = lock < 0 ? lock : bridge_make(link, ret_why);
    return r < 0 ? r : join(link, ret_why);
}
