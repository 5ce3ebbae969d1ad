/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <string.h>

#include "schemas/user-network.h"
#include "uplink/frames.h"

enum {
    ETHERNET_TYPE = 12,
    ETHERNET_SIZE = 14,
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
    IPV4_SIZE = 20,
    IPV6_SIZE = 40,
    TCP_FLAGS = 13,
    TCP_SYN = 0x02,
    NDP_FIRST = 133, /* router solicitation */
    NDP_LAST = 136,  /* neighbour advertisement */
    PORTS = 65536,
};

typedef enum Transport {
    TRANSPORT_TCP,
    TRANSPORT_UDP,
    TRANSPORT_MAX,
} Transport;

typedef enum Version {
    VERSION_4,
    VERSION_6,
    VERSION_MAX,
} Version;

/* What came last from this port of the host's. */
typedef struct Mark {
    uint32_t time; /* 0: nothing */
    uint16_t guest_port;
} Mark;

struct Frames {
    struct in_addr gateway4;
    struct in6_addr gateway6;
    Mark marks[VERSION_MAX][TRANSPORT_MAX][PORTS]; /* of what came from the gateway */
};

/* A packet, as far as passt looks at it. */
typedef struct Packet {
    Version version;
    const uint8_t *source, *destination;
    unsigned protocol;
    bool fragment; /* or something stands between the headers, which is not looked through */
    const uint8_t *inner;
    size_t inner_size;
} Packet;

Frames *frames_new(void)
{
    /* Untouched pages of the marks cost nothing. */
    Frames *f = calloc(1, sizeof *f);

    if (f && (inet_pton(AF_INET, USER_NETWORK_GATEWAY, &f->gateway4) != 1 ||
              inet_pton(AF_INET6, USER_NETWORK_GATEWAY6, &f->gateway6) != 1))
        return frames_free(f);
    return f;
}

Frames *frames_free(Frames *f)
{
    free(f);
    return NULL;
}

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

static unsigned big16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static size_t big32(const uint8_t *p)
{
    return (size_t)big16(p) << 16 | big16(p + 2);
}

static bool read_ipv4(const uint8_t *p, size_t size, Packet *ret)
{
    size_t header = size < IPV4_SIZE ? 0 : (size_t)(p[0] & 0xf) * 4;

    if (size < IPV4_SIZE || header < IPV4_SIZE || header > size)
        return false;
    *ret = (Packet){
        .version = VERSION_4,
        .source = p + 12,
        .destination = p + 16,
        .protocol = p[9],
        .fragment = big16(p + 6) & 0x3fff,
        .inner = p + header,
        .inner_size = size - header,
    };
    return true;
}

static bool read_ipv6(const uint8_t *p, size_t size, Packet *ret)
{
    if (size < IPV6_SIZE)
        return false;
    *ret = (Packet){
        .version = VERSION_6,
        .source = p + 8,
        .destination = p + 24,
        .protocol = p[6],
        .inner = p + IPV6_SIZE,
        .inner_size = size - IPV6_SIZE,
    };
    ret->fragment =
        ret->protocol != IPPROTO_TCP && ret->protocol != IPPROTO_UDP && ret->protocol != IPPROTO_ICMPV6;
    return true;
}

/* 1: a packet, 0: something else, which passt answers itself or passes over; -1: a broken one. */
static int read_packet(const uint8_t *frame, size_t size, Packet *ret)
{
    if (size < ETHERNET_SIZE)
        return -1;
    unsigned type = big16(frame + ETHERNET_TYPE);
    if (type != TYPE_IPV4 && type != TYPE_IPV6)
        return 0;
    bool good = (type == TYPE_IPV4 ? read_ipv4 : read_ipv6)(frame + ETHERNET_SIZE, size - ETHERNET_SIZE, ret);
    return good ? 1 : -1;
}

/* 127.0.0.0/8, and 0.0.0.0/8, which a socket takes for the host itself; ::1, ::, and IPv4 addresses in IPv6's clothes (::/96,
 * ::ffff:0:0/96), whatever they are. */
static bool is_loopback(Version version, const uint8_t *address)
{
    static const uint8_t zero[10];

    if (version == VERSION_4)
        return address[0] == 127 || address[0] == 0;
    unsigned next = big16(address + sizeof zero);
    return memcmp(address, zero, sizeof zero) == 0 && (next == 0 || next == 0xffff);
}

static bool is_gateway(const Frames *f, Version version, const uint8_t *address)
{
    return version == VERSION_4 ? memcmp(address, &f->gateway4, sizeof f->gateway4) == 0
                                : memcmp(address, &f->gateway6, sizeof f->gateway6) == 0;
}

/* --- answers ----------------------------------------------------------------------------------------------------------------- */

static Mark *mark_of(Frames *f, const Packet *p, Transport transport, unsigned host_port)
{
    return &f->marks[p->version][transport][host_port];
}

static bool is_answer(Frames *f, const Packet *p, Transport transport, uint32_t now)
{
    const Mark *m = mark_of(f, p, transport, big16(p->inner + 2));

    return m->time != 0 && now - m->time <= FRAMES_ANSWER_TIME && m->guest_port == big16(p->inner);
}

static bool allow_to_gateway(Frames *f, const Packet *p, uint32_t now)
{
    if (p->fragment)
        return false;
    if (p->protocol == IPPROTO_UDP)
        return p->inner_size >= 8 && is_answer(f, p, TRANSPORT_UDP, now);
    if (p->protocol == IPPROTO_TCP)
        return p->inner_size >= 20 &&
               (!(p->inner[TCP_FLAGS] & TCP_SYN) || is_answer(f, p, TRANSPORT_TCP, now));
    /* Who has this address? */
    return p->version == VERSION_6 && p->protocol == IPPROTO_ICMPV6 && p->inner_size > 0 &&
           p->inner[0] >= NDP_FIRST && p->inner[0] <= NDP_LAST;
}

bool frames_allow(Frames *f, const uint8_t *frame, size_t size, uint32_t now)
{
    Packet p;

    int r = read_packet(frame, size, &p);
    if (r <= 0)
        return r == 0;
    if (is_loopback(p.version, p.destination))
        return false;
    return !is_gateway(f, p.version, p.destination) || allow_to_gateway(f, &p, now);
}

bool frames_note(Frames *f, const uint8_t *frame, size_t size, uint32_t now)
{
    Packet p;

    if (read_packet(frame, size, &p) <= 0 || !is_gateway(f, p.version, p.source))
        return true;
    bool udp = p.protocol == IPPROTO_UDP, tcp = p.protocol == IPPROTO_TCP;
    if ((udp && p.inner_size >= 8) || (tcp && p.inner_size >= 20 && p.inner[TCP_FLAGS] & TCP_SYN)) {
        Mark *m = mark_of(f, &p, udp ? TRANSPORT_UDP : TRANSPORT_TCP, big16(p.inner));
        *m = (Mark){ .time = now, .guest_port = (uint16_t)big16(p.inner + 2) };
    }
    return true;
}

/* --- a stream of them -------------------------------------------------------------------------------------------------------- */

ssize_t frames_filter(Frames *f, FramesFunc func, uint32_t now, uint8_t *data, size_t *size)
{
    size_t from = 0, to = 0;

    while (*size - from >= FRAME_HEADER) {
        size_t length = big32(data + from);
        if (length > FRAME_MAX)
            return -EBADMSG;
        if (*size - from - FRAME_HEADER < length)
            break;
        size_t whole = FRAME_HEADER + length;
        if (func(f, data + from + FRAME_HEADER, length, now)) {
            if (to != from)
                memmove(data + to, data + from, whole);
            to += whole;
        }
        from += whole;
    }
    if (to != from)
        memmove(data + to, data + from, *size - from);
    *size -= from - to;
    return (ssize_t)to;
}

/* --- an announcement --------------------------------------------------------------------------------------------------------- */

size_t frames_announce(const uint8_t mac[MAC_ADDRESS_SIZE], uint8_t *to)
{
    struct ether_header ethernet = { .ether_type = htons(ETHERTYPE_ARP) };
    struct ether_arp arp = {
        .ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER),
                    .ar_pro = htons(ETHERTYPE_IP),
                    .ar_hln = MAC_ADDRESS_SIZE,
                    .ar_pln = sizeof arp.arp_spa,
                    .ar_op = htons(ARPOP_REQUEST) },
    };
    const uint32_t size = htonl(sizeof ethernet + sizeof arp);

    _Static_assert(sizeof size + sizeof ethernet + sizeof arp <= FRAMES_ANNOUNCEMENT_MAX, "it fits");
    memset(ethernet.ether_dhost, 0xff, sizeof ethernet.ether_dhost);
    memcpy(ethernet.ether_shost, mac, MAC_ADDRESS_SIZE);
    memcpy(arp.arp_sha, mac, MAC_ADDRESS_SIZE);
    /* Whose address it is, asked by whom it belongs to: so nobody has to answer. */
    (void)inet_pton(AF_INET, USER_NETWORK_ADDRESS, arp.arp_spa);
    (void)inet_pton(AF_INET, USER_NETWORK_ADDRESS, arp.arp_tpa);
    memcpy(to, &size, sizeof size);
    memcpy(to + sizeof size, &ethernet, sizeof ethernet);
    memcpy(to + sizeof size + sizeof ethernet, &arp, sizeof arp);
    return sizeof size + sizeof ethernet + sizeof arp;
}
