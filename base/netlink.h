/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Requests of rtnetlink(7), made byte by byte, and the conversation that carries them. Three stand here that any network interface
 * needs. Each can be repeated: what is there already is no error.
 */
#include "base/ip-address.h"

enum { NETLINK_MESSAGE_MAX = 512 };

typedef struct NetlinkMessage {
    _Alignas(4) uint8_t data[NETLINK_MESSAGE_MAX];
    size_t size;
} NetlinkMessage;

/* A request that the kernel answers; body: the struct that begins it. Our own messages always fit. */
void netlink_begin(NetlinkMessage *m, uint16_t type, uint16_t flags, const void *body, size_t size);
void netlink_attribute(NetlinkMessage *m, uint16_t type, const void *data, size_t size);
/* What is appended until netlink_nest_end() stands inside of this attribute. */
size_t netlink_nest(NetlinkMessage *m, uint16_t type);
void netlink_nest_end(NetlinkMessage *m, size_t nest);

/* Up, and with this MTU unless 0. */
void netlink_link(NetlinkMessage *m, unsigned interface, uint32_t mtu);
void netlink_address(NetlinkMessage *m, unsigned interface, const IpAddress *address);
void netlink_forget_address(NetlinkMessage *m, unsigned interface, const IpAddress *address);
/* The default route. */
void netlink_route(NetlinkMessage *m, unsigned interface, const IpAddress *gateway);
/* That a host is on the link itself, whatever the bits of the interface's addresses say. */
void netlink_route_on_link(NetlinkMessage *m, unsigned interface, const IpAddress *host);

/* Sends it and waits for the kernel's answer, which comes at once: 0 or negative errno. */
int netlink_talk(int socket, NetlinkMessage *m);
int netlink_open(void) _warn_unused_;
