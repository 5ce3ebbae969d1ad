/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a DHCP server says, made byte by byte as the standards have it and not by what is tested. */
#include "base/ip-address.h"
#include "tests/unit/test.h"

#define ANSWER_MAC                                                                                           \
    {                                                                                                        \
        2, 0x11, 0x22, 0x33, 0x44, 0x55                                                                      \
    }

/* Where things stand in a packet. */
enum {
    IP = 20,
    UDP = 8,
    MESSAGE = IP + UDP,
    XID = MESSAGE + 4,
    SNAME = MESSAGE + 44,
    FILE_NAME = MESSAGE + 108,
    OPTIONS = MESSAGE + 240,
    TYPE = OPTIONS + 2, /* the first option is the message's type */
};

typedef struct Packet {
    uint8_t data[1500];
    size_t size;
} Packet;

static inline void add16(uint8_t *p, unsigned n)
{
    p[0] = (uint8_t)(n >> 8);
    p[1] = (uint8_t)n;
}

static inline void seal(Packet *p)
{
    uint32_t sum = 0;

    add16(p->data + 2, (unsigned)p->size);
    add16(p->data + IP + 4, (unsigned)p->size - IP);
    p->data[10] = p->data[11] = 0;
    for (size_t i = 0; i < IP; i += 2)
        sum += (uint32_t)p->data[i] << 8 | p->data[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    add16(p->data + 10, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
}

static inline void add(Packet *p, uint8_t option, const char *data, size_t size)
{
    p->data[p->size++] = option;
    p->data[p->size++] = (uint8_t)size;
    memcpy(p->data + p->size, data, size);
    p->size += size;
    seal(p);
}
#define ADD(p, option, data) add(p, option, data, sizeof data - 1)

/* An acknowledgement of 10.0.0.57 by 10.0.0.1 that says nothing more than that. */
static inline Packet plain(void)
{
    static const uint8_t cookie[] = { 99, 130, 83, 99 }, mac[] = ANSWER_MAC;
    Packet p = { .size = OPTIONS };
    uint8_t *m = p.data + MESSAGE;

    p.data[0] = 0x45;
    p.data[8] = 64;
    p.data[9] = 17;
    add16(p.data + IP, 67);
    add16(p.data + IP + 2, 68);
    m[0] = 2;
    m[1] = 1;
    m[2] = 6;
    memcpy(p.data + XID, "\x12\x34\x56\x78", 4);
    memcpy(m + 16, "\x0a\x00\x00\x39", 4);
    memcpy(m + 28, mac, sizeof mac);
    memcpy(m + 236, cookie, sizeof cookie);
    ADD(&p, 53, "\5");
    ADD(&p, 54, "\x0a\x00\x00\x01");
    return p;
}
