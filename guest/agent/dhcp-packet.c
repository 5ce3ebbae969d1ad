/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>

#include "guest/agent/dhcp-packet.h"
static uint32_t sum(const uint8_t *data, size_t size, uint32_t before)
{
    for (size_t i = 0; i + 1 < size; i += 2)
        before += get16(data + i);
    return size % 2 ? before + ((uint32_t)data[size - 1] << 8) : before;
}

static uint16_t fold(uint32_t n)
{
    while (n >> 16)
        n = (n & 0xffff) + (n >> 16);
    return (uint16_t)n;
}

/* Over what stands in ip and udp now, with the checksum as it is. */
static uint16_t udp_sum(const uint8_t *ip, const uint8_t *udp, size_t size)
{
    return fold(sum(udp, size, sum(ip + 12, 8, IPPROTO_UDP + (uint32_t)size)));
}

void dhcp_packet_seal(uint8_t *ip, size_t size, struct in_addr from, struct in_addr to)
{
    uint8_t *udp = ip + sizeof(struct iphdr);
    uint16_t check;

    ip[0] = 4 << 4 | sizeof(struct iphdr) / 4;
    put16(ip + 2, (uint16_t)size);
    ip[8] = 64; /* routers on the way to a server behind a relay */
    ip[9] = IPPROTO_UDP;
    memcpy(ip + 12, &from, sizeof from);
    memcpy(ip + 16, &to, sizeof to);
    put16(ip + 10, (uint16_t)~fold(sum(ip, sizeof(struct iphdr), 0)));
    size -= sizeof(struct iphdr);
    put16(udp, DHCP_CLIENT_PORT);
    put16(udp + 2, DHCP_SERVER_PORT);
    put16(udp + 4, (uint16_t)size);
    check = (uint16_t)~udp_sum(ip, udp, size);
    put16(udp + 6, check ?: UINT16_MAX);
}

int dhcp_packet_open(const uint8_t *ip, size_t size, const uint8_t **ret, size_t *ret_size,
                     const char **ret_why)
{
    enum { FRAGMENT = 0x3fff }; /* more fragments, and the offset */
    size_t header = size >= sizeof(struct iphdr) ? (size_t)(ip[0] & 15) * 4 : 0;

    if (header < sizeof(struct iphdr) || ip[0] >> 4 != 4 || get16(ip + 2) > size ||
        get16(ip + 2) < header + sizeof(struct udphdr) || ip[9] != IPPROTO_UDP ||
        (get16(ip + 6) & FRAGMENT) != 0)
        return -ENOMSG;
    const uint8_t *udp = ip + header;
    size = get16(ip + 2) - header;
    if (get16(udp) != DHCP_SERVER_PORT || get16(udp + 2) != DHCP_CLIENT_PORT)
        return -ENOMSG;
    *ret_why = "its checksum is wrong";
    if (fold(sum(ip, header, 0)) != UINT16_MAX)
        return -EBADMSG;
    if (get16(udp + 4) < sizeof(struct udphdr) || get16(udp + 4) > size) {
        *ret_why = "it is shorter than it says";
        return -EBADMSG;
    }
    size = get16(udp + 4);
    if (get16(udp + 6) != 0 && udp_sum(ip, udp, size) != UINT16_MAX)
        return -EBADMSG;
    *ret = udp + sizeof(struct udphdr);
    *ret_size = size - sizeof(struct udphdr);
    return 0;
}
