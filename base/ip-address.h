/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Addresses of both protocols, with how many bits of them are their network's. Numbers, so that two ways to write one are the same. */
#include <netinet/in.h>

#include "base/macro.h"

enum { MAC_ADDRESS_SIZE = 6 };

typedef struct IpAddress {
    sa_family_t family;
    union {
        struct in_addr v4;
        struct in6_addr v6;
    };
    uint8_t bits; /* of the network */
} IpAddress;

/* "10.0.2.15/24", "fe80::1": 0, -EINVAL or -ENOMEM. Without bits: all of them. */
int ip_parse(const char *text, IpAddress *ret);
/* "10.0.2.15", with_bits "10.0.2.15/24"; malloc'ed, NULL = no memory. */
char *ip_format(const IpAddress *a, bool with_bits);
/* The same host, whatever their bits. */
bool ip_equal(const IpAddress *a, const IpAddress *b);
/* Is a within the network that the bits of `network` say? */
bool ip_within(const IpAddress *a, const IpAddress *network);
/* One that a host of its network can have: not the network's own, nor its broadcast address, nor multicast, loopback or none. */
bool ip_is_host(const IpAddress *a);
/* The i-th address of the network, counted from the network's own. IPv4. */
IpAddress ip_nth(const IpAddress *network, uint32_t i);
/* How many addresses the network has, its own and that of broadcasts among them. IPv4. */
uint32_t ip_count(const IpAddress *network);

/* "02:00:00:00:00:01"; text may be NULL, which is none. */
bool mac_address_parse(const char *text, uint8_t ret[MAC_ADDRESS_SIZE]);
