/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "guest/agent/dhcp-client.h"
#include "tests/fuzz/target.h"

static const uint8_t mac[MAC_ADDRESS_SIZE] = { 2, 0x11, 0x22, 0x33, 0x44, 0x55 };

static uint32_t no_random(void)
{
    return 0;
}

static bool text_is_plain(const char *text, size_t max)
{
    size_t n = strnlen(text, max + 1);

    for (size_t i = 0; i < n; i++)
        if (text[i] < 32 || text[i] > 126)
            return false;
    return n <= max;
}

/* A client in each of its states hears it, and whatever it makes of that, it has a time to go on by and a lease that a host can have. */
static void hear(const DhcpAnswer *heard)
{
    static const DhcpType way[] = { DHCP_OFFER, DHCP_ACK };
    DhcpAnswer answer = *heard;
    DhcpClient c;

    for (size_t known = 0; known <= ELEMENTSOF(way); known++) {
        dhcp_client_init(&c, mac, "pod", no_random);
        (void)dhcp_client_tell(&c, DHCP_BEGIN, USEC_PER_SEC);
        for (size_t i = 0; i < known; i++) {
            answer.type = way[i];
            answer.xid = c.xid;
            (void)dhcp_client_take(&c, &answer, 2 * USEC_PER_SEC);
        }
        for (int i = 0; i < 20 && c.deadline != USEC_INFINITY; i++) {
            usec_t now = c.deadline;
            (void)dhcp_client_tell(&c, DHCP_TIMEOUT, now);
            assert(c.deadline > now);
            answer = *heard;
            answer.xid = c.xid;
            if (dhcp_client_take(&c, &answer, now) & DHCP_DO_TAKE)
                assert(c.lease.bits > 0 && c.lease.address.s_addr && c.renew > now && c.renew <= c.rebind &&
                       c.rebind <= c.expires);
            assert(text_is_plain(c.trouble, sizeof c.trouble - 1));
        }
    }
}

/* With the checksum that it should have: what only that keeps away is looked at, too. */
static void mend(uint8_t *packet, size_t size)
{
    size_t header = size > 0 ? (size_t)(packet[0] & 15) * 4 : 0;
    uint32_t sum = 0;

    if (header < 20 || header + 8 > size)
        return;
    memset(packet + 10, 0, 2);
    memset(packet + header + 6, 0, 2);
    for (size_t i = 0; i < header; i += 2)
        sum += (uint32_t)packet[i] << 8 | packet[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16)) & 0xffff;
    packet[10] = (uint8_t)(sum >> 8);
    packet[11] = (uint8_t)sum;
}

static void look_at(const uint8_t *data, size_t size)
{
    DhcpAnswer answer;
    const char *why = NULL;

    int r = dhcp_decode(data, size, mac, &answer, &why);
    assert(r == 0 || r == -ENOMSG || (r == -EBADMSG && why));
    if (r < 0)
        return;
    assert(answer.n_nameservers <= DHCP_NAMESERVERS_MAX && answer.bits <= 32);
    assert(text_is_plain(answer.text, DHCP_TEXT_MAX) && text_is_plain(answer.domain, DHCP_DOMAIN_MAX));
    hear(&answer);
}

/* Whatever comes from the network to a client of DHCP. */
void fuzz_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    if (!copy)
        abort();
    look_at(data, size);
    if (size > 0)
        memcpy(copy, data, size);
    mend(copy, size);
    look_at(copy, size);
    free(copy);
}
