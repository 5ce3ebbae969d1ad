/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How a client of DHCP is heard and hears while its interface has no address: packets past the kernel's own IP. Open only while something
 * is asked, so that nobody on the network can keep the agent busy otherwise.
 */
#include "guest/agent/dhcp-message.h"

typedef struct DhcpLink {
    unsigned interface;
    int packets; /* negative: closed */
    int port; /* nobody reads it: it is there so that the kernel does not complain to a server that there is no such port */
    uint8_t server[MAC_ADDRESS_SIZE]; /* whose answer counted last, or the router on the way there */
    bool server_known;
} DhcpLink;

void dhcp_link_init(DhcpLink *l, unsigned interface);
/* Does nothing when it is open. 0 or negative errno. */
int dhcp_link_open(DhcpLink *l);
void dhcp_link_close(DhcpLink *l);
/* 0 or negative errno. */
int dhcp_link_send(DhcpLink *l, const DhcpRequest *request);
/* The next packet: its size, with who sent it; 0: there is none. Never waits. */
size_t dhcp_link_receive(DhcpLink *l, uint8_t *ret, size_t size, uint8_t ret_from[MAC_ADDRESS_SIZE]);
/* The answer that came from there counted. */
void dhcp_link_trust(DhcpLink *l, const uint8_t from[MAC_ADDRESS_SIZE]);
