/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Messages of DHCPv4 (RFC 2131, RFC 2132) in their IP packets. Pure: bytes in, a struct out, and back.
 *
 * Whoever is on the network can say anything. Invariants: nothing is read outside of the bytes, an option that has not the length that it
 * must have makes the whole message bad, of an option that is said twice the first counts, and what is text is text: no control characters,
 * no names that are none.
 */
#include "base/ip-address.h"

enum {
    DHCP_PACKET_MAX = 1280,   /* with all headers: the smallest MTU that a pod may have */
    DHCP_NAMESERVERS_MAX = 3, /* as many as programs look at */
    DHCP_DOMAIN_MAX = 253,
    DHCP_TEXT_MAX = 128,
};

typedef enum DhcpType {
    DHCP_DISCOVER = 1,
    DHCP_OFFER,
    DHCP_REQUEST,
    DHCP_DECLINE,
    DHCP_ACK,
    DHCP_NAK,
    DHCP_RELEASE,
} DhcpType;

/* What a client says. */
typedef struct DhcpRequest {
    DhcpType type;
    uint32_t xid;
    uint16_t seconds; /* since it began to ask */
    uint8_t mac[MAC_ADDRESS_SIZE];
    struct in_addr from;   /* its address, while it has one; 0: none */
    struct in_addr to;     /* INADDR_BROADCAST: to all */
    struct in_addr wanted; /* 0: any */
    struct in_addr server; /* whose offer is taken; 0: nobody's */
    const char *hostname;  /* NULL: none */
} DhcpRequest;

/* What a server says. Nothing of it but form has been checked. */
typedef struct DhcpAnswer {
    DhcpType type; /* DHCP_OFFER, DHCP_ACK or DHCP_NAK */
    uint32_t xid;
    struct in_addr address, server, router; /* 0: none */
    uint8_t bits;                           /* of the subnet; 0: none are said */
    uint16_t mtu;                           /* 0: none */
    uint32_t lease, renew, rebind;          /* seconds; 0: not said; UINT32_MAX: for ever */
    struct in_addr nameservers[DHCP_NAMESERVERS_MAX];
    size_t n_nameservers;
    char domain[DHCP_DOMAIN_MAX + 1];
    char text[DHCP_TEXT_MAX + 1]; /* why not, of DHCP_NAK */
} DhcpAnswer;

/* The IP packet; returns its size. */
size_t dhcp_encode(const DhcpRequest *r, uint8_t ret[DHCP_PACKET_MAX]);
/* 0; -ENOMSG: it is nothing that a server says to a client of this hardware address; -EBADMSG: it is, with *ret_why, what is wrong with it. */
int dhcp_decode(const uint8_t *packet, size_t size, const uint8_t mac[MAC_ADDRESS_SIZE], DhcpAnswer *ret,
                const char **ret_why);
