/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The three requests of rtnetlink(7) that a network interface needs, made byte by byte, and the conversation that carries them. Each
 * can be repeated: what is there already is no error.
 */
#include <netinet/in.h>

#include "base/macro.h"

enum { NETLINK_MESSAGE_MAX = 128 };

typedef struct NetlinkMessage {
    _Alignas(4) uint8_t data[NETLINK_MESSAGE_MAX];
    size_t size;
} NetlinkMessage;

/* An address of either protocol, and how many bits of it are the network's. */
typedef struct NetlinkAddress {
    sa_family_t family;
    union {
        struct in_addr v4;
        struct in6_addr v6;
    };
    uint8_t bits;
} NetlinkAddress;

/* "10.0.2.15/24", "fe80::1": 0 or -EINVAL. Without bits: all of them. */
int netlink_address_parse(const char *text, NetlinkAddress *ret);

/* Up, and with this MTU unless 0. */
void netlink_link(NetlinkMessage *m, unsigned interface, uint32_t mtu);
void netlink_address(NetlinkMessage *m, unsigned interface, const NetlinkAddress *address);
/* The default route. */
void netlink_route(NetlinkMessage *m, unsigned interface, const NetlinkAddress *gateway);

/* Sends it and waits for the kernel's answer, which comes at once: 0 or negative errno. */
int netlink_talk(int socket, NetlinkMessage *m);
int netlink_open(void) _warn_unused_;
