/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The IP and UDP headers around a message of DHCP, and numbers as networks have them. Pure. */
#include <netinet/in.h>

#include "base/macro.h"

enum {
    DHCP_SERVER_PORT = 67,
    DHCP_CLIENT_PORT = 68,
    DHCP_HEADERS_SIZE = 28,
};

static inline uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint16_t n)
{
    p[0] = (uint8_t)(n >> 8);
    p[1] = (uint8_t)n;
}

static inline void put32(uint8_t *p, uint32_t n)
{
    put16(p, (uint16_t)(n >> 16));
    put16(p + 2, (uint16_t)n);
}

/* Fills the headers of a packet of a client's that is whole otherwise, and zero where they go; size: with them. */
void dhcp_packet_seal(uint8_t *ip, size_t size, struct in_addr from, struct in_addr to);
/* The message in a packet of a server's, which points into it: 0; -ENOMSG: it is none; -EBADMSG with *ret_why: it is damaged. */
int dhcp_packet_open(const uint8_t *ip, size_t size, const uint8_t **ret, size_t *ret_size,
                     const char **ret_why);
