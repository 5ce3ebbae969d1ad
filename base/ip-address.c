/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/ip-address.h"
#include "base/strings.h"

enum { BITS4 = 32, BITS6 = 128 };

static const uint8_t *bytes_of(const IpAddress *a)
{
    return a->family == AF_INET ? (const uint8_t *)&a->v4 : (const uint8_t *)&a->v6;
}

static unsigned bits_of(const IpAddress *a)
{
    return a->family == AF_INET ? BITS4 : BITS6;
}

int ip_parse(const char *text, IpAddress *ret)
{
    IpAddress a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
    const char *slash = strchr(text, '/');
    _cleanup_(freep) char *address = strndup(text, slash ? (size_t)(slash - text) : strlen(text));
    uint64_t bits = bits_of(&a);

    if (!address)
        return -ENOMEM;
    if (inet_pton(a.family, address, a.family == AF_INET ? (void *)&a.v4 : (void *)&a.v6) != 1)
        return -EINVAL;
    if (slash && (parse_unsigned(slash + 1, &bits) < 0 || bits > bits_of(&a)))
        return -EINVAL;
    a.bits = (uint8_t)bits;
    *ret = a;
    return 0;
}

bool ip_equal(const IpAddress *a, const IpAddress *b)
{
    return a->family == b->family && memcmp(bytes_of(a), bytes_of(b), bits_of(a) / 8) == 0;
}

bool ip_text_equal(const char *a, const char *b)
{
    IpAddress x, y;

    return a && b && ip_parse(a, &x) >= 0 && ip_parse(b, &y) >= 0 && ip_equal(&x, &y);
}

bool ip_within(const IpAddress *a, const IpAddress *network)
{
    size_t whole = network->bits / 8, rest = network->bits % 8;
    const uint8_t *x = bytes_of(a), *y = bytes_of(network);

    if (a->family != network->family || memcmp(x, y, whole) != 0)
        return false;
    return rest == 0 || (x[whole] ^ y[whole]) >> (8 - rest) == 0;
}

/* --- places in a network --------------------------------------------------------------------------------------------------------- */

enum { PLACE_BYTES = 8, PLACE_BITS = 64 };

bool ip_overlap(const IpAddress *a, const IpAddress *b)
{
    return ip_within(a, b) || ip_within(b, a);
}

uint64_t ip_count(const IpAddress *a)
{
    unsigned host = bits_of(a) - a->bits;

    return host >= PLACE_BITS ? UINT64_MAX : UINT64_C(1) << host;
}

uint64_t ip_place(const IpAddress *a)
{
    size_t size = bits_of(a) / 8, first = size > PLACE_BYTES ? size - PLACE_BYTES : 0;
    unsigned host = bits_of(a) - a->bits;
    uint64_t place = 0;

    for (size_t i = first; i < size; i++)
        place = place << 8 | bytes_of(a)[i];
    return host >= PLACE_BITS ? place : place & ((UINT64_C(1) << host) - 1);
}

IpAddress ip_at(const IpAddress *network, uint64_t place)
{
    IpAddress a = *network;
    uint8_t *bytes = a.family == AF_INET ? (uint8_t *)&a.v4 : (uint8_t *)&a.v6;
    unsigned size = bits_of(&a) / 8;

    for (unsigned i = size; i-- > 0;) {
        /* How many bits of this byte are the host's. */
        int host = MIN(MAX((int)((i + 1) * 8) - (int)a.bits, 0), 8);
        uint8_t mask = (uint8_t)((1U << host) - 1);
        bytes[i] = (uint8_t)((bytes[i] & ~mask) | ((uint8_t)place & mask));
        place >>= 8;
    }
    return a;
}

char *ip_format(const IpAddress *a)
{
    char text[INET6_ADDRSTRLEN];

    return strdup(inet_ntop(a->family, bytes_of(a), text, sizeof text) ?: "");
}

/* --- IPv4 ---------------------------------------------------------------------------------------------------------------------- */

static uint32_t mask4(const IpAddress *a)
{
    return a->bits == 0 ? 0 : UINT32_MAX << (BITS4 - a->bits);
}

static bool is_host4(const IpAddress *a)
{
    enum { CLASS_D = 224 };
    uint32_t address = ntohl(a->v4.s_addr), host = address & ~mask4(a), first = address >> 24;

    if (first == 0 || first == 127 || first >= CLASS_D)
        return false;
    /* Of networks of one or two addresses all are hosts. */
    return a->bits >= BITS4 - 1 || (host != 0 && host != ~mask4(a));
}

bool ip_is_host(const IpAddress *a)
{
    if (a->family == AF_INET)
        return is_host4(a);
    return !IN6_IS_ADDR_MULTICAST(&a->v6) && !IN6_IS_ADDR_LOOPBACK(&a->v6) &&
           !IN6_IS_ADDR_UNSPECIFIED(&a->v6) && !IN6_IS_ADDR_V4MAPPED(&a->v6);
}

bool ip_is_link_local(const IpAddress *a)
{
    return a->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->v6);
}

bool mac_address_parse(const char *text, uint8_t ret[MAC_ADDRESS_SIZE])
{
    unsigned b[MAC_ADDRESS_SIZE];
    char end;

    if (!text || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) !=
                     MAC_ADDRESS_SIZE)
        return false;
    for (size_t i = 0; i < MAC_ADDRESS_SIZE; i++)
        ret[i] = (uint8_t)b[i];
    return true;
}
