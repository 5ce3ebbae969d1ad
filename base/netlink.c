/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/netlink.h"

/* --- encoding -------------------------------------------------------------------------------------------------------------- */

static struct nlmsghdr *header(NetlinkMessage *m)
{
    return (struct nlmsghdr *)(void *)m->data;
}

/* Behind what is there; our own messages always fit. */
static void append(NetlinkMessage *m, const void *data, size_t size)
{
    size_t padded = NLMSG_ALIGN(size);

    assert(m->size + padded <= sizeof m->data);
    if (size > 0)
        memcpy(m->data + m->size, data, size);
    memset(m->data + m->size + size, 0, padded - size);
    m->size += padded;
    header(m)->nlmsg_len = (uint32_t)m->size;
}

void netlink_begin(NetlinkMessage *m, uint16_t type, uint16_t flags, const void *body, size_t size)
{
    struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags) };

    m->size = 0;
    append(m, &h, sizeof h);
    append(m, body, size);
}

void netlink_attribute(NetlinkMessage *m, uint16_t type, const void *data, size_t size)
{
    struct rtattr a = { .rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = type };

    append(m, &a, sizeof a);
    append(m, data, size);
}

size_t netlink_nest(NetlinkMessage *m, uint16_t type)
{
    size_t at = m->size;

    netlink_attribute(m, (uint16_t)(type | NLA_F_NESTED), NULL, 0);
    return at;
}

void netlink_nest_end(NetlinkMessage *m, size_t at)
{
    struct rtattr *a = (struct rtattr *)(void *)(m->data + at);

    a->rta_len = (uint16_t)(m->size - at);
}

static void address_attribute(NetlinkMessage *m, uint16_t type, const IpAddress *a)
{
    if (a->family == AF_INET)
        netlink_attribute(m, type, &a->v4, sizeof a->v4);
    else
        netlink_attribute(m, type, &a->v6, sizeof a->v6);
}

void netlink_link(NetlinkMessage *m, unsigned interface, uint32_t mtu)
{
    const struct ifinfomsg body = {
        .ifi_family = AF_UNSPEC,
        .ifi_index = (int)interface,
        .ifi_flags = IFF_UP,
        .ifi_change = IFF_UP,
    };

    netlink_begin(m, RTM_NEWLINK, 0, &body, sizeof body);
    if (mtu > 0)
        netlink_attribute(m, IFLA_MTU, &mtu, sizeof mtu);
}

void netlink_address(NetlinkMessage *m, unsigned interface, const IpAddress *address)
{
    /* Nobody else can have it: it need not be asked for first, and can be used at once. */
    const struct ifaddrmsg body = {
        .ifa_family = (uint8_t)address->family,
        .ifa_prefixlen = address->bits,
        .ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD | IFA_F_PERMANENT : IFA_F_PERMANENT,
        .ifa_scope = RT_SCOPE_UNIVERSE,
        .ifa_index = interface,
    };

    netlink_begin(m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof body);
    address_attribute(m, IFA_LOCAL, address);
    address_attribute(m, IFA_ADDRESS, address);
}

void netlink_forget_address(NetlinkMessage *m, unsigned interface, const IpAddress *address)
{
    const struct ifaddrmsg body = {
        .ifa_family = (uint8_t)address->family,
        .ifa_prefixlen = address->bits,
        .ifa_index = interface,
    };

    netlink_begin(m, RTM_DELADDR, 0, &body, sizeof body);
    address_attribute(m, IFA_LOCAL, address);
}

void netlink_route(NetlinkMessage *m, unsigned interface, const IpAddress *gateway)
{
    const struct rtmsg body = {
        .rtm_family = (uint8_t)gateway->family,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_BOOT,
        .rtm_scope = RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
    };
    uint32_t index = interface;

    netlink_begin(m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof body);
    address_attribute(m, RTA_GATEWAY, gateway);
    netlink_attribute(m, RTA_OIF, &index, sizeof index);
}

void netlink_route_on_link(NetlinkMessage *m, unsigned interface, const IpAddress *host)
{
    const struct rtmsg body = {
        .rtm_family = (uint8_t)host->family,
        .rtm_dst_len = host->family == AF_INET ? 32 : 128,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_BOOT,
        .rtm_scope = RT_SCOPE_LINK,
        .rtm_type = RTN_UNICAST,
    };
    uint32_t index = interface;

    netlink_begin(m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof body);
    address_attribute(m, RTA_DST, host);
    netlink_attribute(m, RTA_OIF, &index, sizeof index);
}

/* --- talking ---------------------------------------------------------------------------------------------------------------- */

int netlink_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

int netlink_talk(int socket, NetlinkMessage *m)
{
    union {
        struct nlmsghdr header;
        uint8_t bytes[1024];
    } answer;

    if (send(socket, m->data, m->size, 0) < 0)
        return -errno;
    ssize_t n = recv(socket, &answer, sizeof answer, 0);
    if (n < 0)
        return -errno;
    if (!NLMSG_OK(&answer.header, (size_t)n) || answer.header.nlmsg_type != NLMSG_ERROR ||
        answer.header.nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        return -EBADMSG;
    const struct nlmsgerr *e = NLMSG_DATA(&answer.header);
    return e->error == -EEXIST ? 0 : e->error;
}
