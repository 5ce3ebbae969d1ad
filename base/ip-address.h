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
/* The same host, whatever their bits. */
bool ip_equal(const IpAddress *a, const IpAddress *b);
/* The same of what ip_parse() takes; false where it does not, or one is NULL. */
bool ip_text_equal(const char *a, const char *b);
/* Is a within the network that the bits of `network` say? */
bool ip_within(const IpAddress *a, const IpAddress *network);
/* One that a host of its network can have: not the network's own, nor its broadcast address, nor multicast, loopback or none. */
bool ip_is_host(const IpAddress *a);
/* Do the networks that the bits of both say have an address in common? */
bool ip_overlap(const IpAddress *a, const IpAddress *b);
/* How many addresses the network of a has; UINT64_MAX: as many or more. */
uint64_t ip_count(const IpAddress *a);
/* Which one of its network a is: 0 is the network's own. Of networks with more than 64 bits for hosts, by the last 64. */
uint64_t ip_place(const IpAddress *a);
/* The one at this place, below ip_count(), with the bits of the network. */
IpAddress ip_at(const IpAddress *network, uint64_t place);
/* "10.0.2.15", without bits (malloc'ed; NULL = no memory). */
char *ip_format(const IpAddress *a);
/* Of IPv6, and only for the link that it is on. */
bool ip_is_link_local(const IpAddress *a);
/* "02:00:00:00:00:01"; text may be NULL, which is none. */
bool mac_address_parse(const char *text, uint8_t ret[MAC_ADDRESS_SIZE]);
