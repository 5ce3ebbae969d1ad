/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "base/strings.h"
#include "guest/agent/dhcp-message.h"
#include "guest/agent/dhcp-packet.h"

/* The fixed part: numbers of places, since no struct of it is aligned in a packet. */
enum {
    AT_OP = 0,
    AT_HTYPE = 1,
    AT_HLEN = 2,
    AT_XID = 4,
    AT_SECONDS = 8,
    AT_CIADDR = 12,
    AT_YIADDR = 16,
    AT_CHADDR = 28,
    AT_SNAME = 44,
    SNAME_SIZE = 64,
    AT_FILE = 108,
    FILE_SIZE = 128,
    AT_MAGIC = 236,
    AT_OPTIONS = 240,
    BOOTP_SIZE = 300, /* what relays and servers of BOOTP expect at least */
    OP_REQUEST = 1,
    OP_REPLY = 2,
    HTYPE_ETHERNET = 1,
};
static const uint8_t magic[] = { 99, 130, 83, 99 };

enum {
    OPTION_PAD = 0,
    OPTION_SUBNET = 1,
    OPTION_ROUTER = 3,
    OPTION_DNS = 6,
    OPTION_HOSTNAME = 12,
    OPTION_DOMAIN = 15,
    OPTION_MTU = 26,
    OPTION_WANTED = 50,
    OPTION_LEASE = 51,
    OPTION_OVERLOAD = 52,
    OPTION_TYPE = 53,
    OPTION_SERVER = 54,
    OPTION_PARAMETERS = 55,
    OPTION_TEXT = 56,
    OPTION_SIZE_MAX = 57,
    OPTION_RENEW = 58,
    OPTION_REBIND = 59,
    OPTION_CLIENT = 61,
    OPTION_END = 255,
};

/* --- what a client says -------------------------------------------------------------------------------------------------------- */

static uint8_t *put_option(uint8_t *p, uint8_t option, const void *data, size_t size)
{
    *p++ = option;
    *p++ = (uint8_t)size;
    memcpy(p, data, size);
    return p + size;
}

static uint8_t *put_address(uint8_t *p, uint8_t option, const struct in_addr *a)
{
    return a->s_addr ? put_option(p, option, a, sizeof *a) : p;
}

/* What only somebody asks who wants an address. */
static uint8_t *put_wishes(uint8_t *p, const DhcpRequest *r)
{
    static const uint8_t parameters[] = { OPTION_SUBNET, OPTION_ROUTER, OPTION_DNS,   OPTION_DOMAIN,
                                          OPTION_MTU,    OPTION_RENEW,  OPTION_REBIND };
    uint8_t largest[2];

    put16(largest, DHCP_PACKET_MAX - DHCP_HEADERS_SIZE);
    p = put_option(p, OPTION_SIZE_MAX, largest, sizeof largest);
    p = put_option(p, OPTION_PARAMETERS, parameters, sizeof parameters);
    if (!str_empty(r->hostname))
        p = put_option(p, OPTION_HOSTNAME, r->hostname, strnlen(r->hostname, 63));
    return p;
}

static size_t encode_message(const DhcpRequest *r, uint8_t *m)
{
    uint8_t type = (uint8_t)r->type, client[1 + MAC_ADDRESS_SIZE] = { HTYPE_ETHERNET };

    memcpy(client + 1, r->mac, sizeof r->mac);
    m[AT_OP] = OP_REQUEST;
    m[AT_HTYPE] = HTYPE_ETHERNET;
    m[AT_HLEN] = MAC_ADDRESS_SIZE;
    put32(m + AT_XID, r->xid);
    put16(m + AT_SECONDS, r->seconds);
    memcpy(m + AT_CIADDR, &r->from, sizeof r->from);
    memcpy(m + AT_CHADDR, r->mac, sizeof r->mac);
    memcpy(m + AT_MAGIC, magic, sizeof magic);
    uint8_t *p = put_option(m + AT_OPTIONS, OPTION_TYPE, &type, 1);
    p = put_option(p, OPTION_CLIENT, client, sizeof client);
    p = put_address(p, OPTION_WANTED, &r->wanted);
    p = put_address(p, OPTION_SERVER, &r->server);
    if (r->type != DHCP_RELEASE)
        p = put_wishes(p, r);
    *p++ = OPTION_END;
    return MAX((size_t)(p - m), (size_t)BOOTP_SIZE);
}

size_t dhcp_encode(const DhcpRequest *r, uint8_t ret[DHCP_PACKET_MAX])
{
    memset(ret, 0, DHCP_PACKET_MAX);
    size_t size = DHCP_HEADERS_SIZE + encode_message(r, ret + DHCP_HEADERS_SIZE);
    dhcp_packet_seal(ret, size, r->from, r->to);
    return size;
}

/* --- what a server says -------------------------------------------------------------------------------------------------------- */

typedef struct Option {
    const uint8_t *data;
    size_t size;
} Option;

/* Those that mean something here, each the first time that it is said. */
typedef struct Options {
    Option of[OPTION_CLIENT];
} Options;

static bool collect(Options *o, const uint8_t *p, size_t size)
{
    const uint8_t *end = p + size;

    while (p < end && *p != OPTION_END) {
        uint8_t option = *p++;
        if (option == OPTION_PAD)
            continue;
        if (p == end || *p > end - p - 1)
            return false;
        if (option < ELEMENTSOF(o->of) && !o->of[option].data)
            o->of[option] = (Option){ p + 1, *p };
        p += 1 + *p;
    }
    return true;
}

/* Options may go on in fields that say nothing else then (RFC 2131, 4.1): the file's first. */
static bool collect_all(Options *o, const uint8_t *m, size_t size)
{
    enum { IN_FILE = 1, IN_SNAME = 2 };

    if (!collect(o, m + AT_OPTIONS, size - AT_OPTIONS))
        return false;
    const Option *overload = &o->of[OPTION_OVERLOAD];
    uint8_t where = overload->size == 1 ? overload->data[0] : 0;
    if (overload->data && (where == 0 || where > (IN_FILE | IN_SNAME)))
        return false;
    return (!(where & IN_FILE) || collect(o, m + AT_FILE, FILE_SIZE)) &&
           (!(where & IN_SNAME) || collect(o, m + AT_SNAME, SNAME_SIZE));
}

static bool take_type(const Option *o, DhcpAnswer *a)
{
    a->type = (DhcpType)o->data[0];
    return a->type == DHCP_OFFER || a->type == DHCP_ACK || a->type == DHCP_NAK;
}

static bool take_subnet(const Option *o, DhcpAnswer *a)
{
    uint32_t mask = get32(o->data), holes = ~mask & (~mask + 1);

    a->bits = (uint8_t)__builtin_popcount(mask);
    return mask != 0 && holes == 0;
}

static bool take_router(const Option *o, DhcpAnswer *a)
{
    memcpy(&a->router, o->data, sizeof a->router);
    return o->size % sizeof a->router == 0;
}

static bool take_server(const Option *o, DhcpAnswer *a)
{
    memcpy(&a->server, o->data, sizeof a->server);
    return true;
}

/* Those that can be none are passed over. */
static bool take_nameservers(const Option *o, DhcpAnswer *a)
{
    for (size_t i = 0; i + 4 <= o->size && a->n_nameservers < DHCP_NAMESERVERS_MAX; i += 4) {
        IpAddress server = { .family = AF_INET, .bits = 32 };
        memcpy(&server.v4, o->data + i, sizeof server.v4);
        if (ip_is_host(&server))
            a->nameservers[a->n_nameservers++] = server.v4;
    }
    return o->size % 4 == 0;
}

/* It goes into a file that programs read: what is no name is passed over. */
static bool take_domain(const Option *o, DhcpAnswer *a)
{
    size_t size = o->size, label = 0;

    while (size > 0 && (o->data[size - 1] == 0 || o->data[size - 1] == '.'))
        size--;
    if (size > DHCP_DOMAIN_MAX)
        return true;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = o->data[i];
        label = c == '.' ? 0 : label + 1;
        if (label > 63 || (c == '.' && (i == 0 || o->data[i - 1] == '.')) ||
            (c != '.' && c != '-' && c != '_' && !(c < 128 && isalnum(c))) || (c == '-' && label == 1))
            return true;
    }
    memcpy(a->domain, o->data, size);
    a->domain[size] = 0;
    return true;
}

static bool take_text(const Option *o, DhcpAnswer *a)
{
    size_t size = MIN(o->size, (size_t)DHCP_TEXT_MAX);

    for (size_t i = 0; i < size && o->data[i]; i++)
        a->text[i] = o->data[i] < 127 && isprint(o->data[i]) ? (char)o->data[i] : '?';
    return true;
}

static bool take_mtu(const Option *o, DhcpAnswer *a)
{
    a->mtu = get16(o->data);
    return true;
}

static bool take_lease(const Option *o, DhcpAnswer *a)
{
    a->lease = get32(o->data);
    return true;
}

static bool take_renew(const Option *o, DhcpAnswer *a)
{
    a->renew = get32(o->data);
    return true;
}

static bool take_rebind(const Option *o, DhcpAnswer *a)
{
    a->rebind = get32(o->data);
    return true;
}

static const struct {
    uint8_t option;
    uint8_t min, max; /* of its size */
    bool (*take)(const Option *o, DhcpAnswer *a);
    const char *wrong;
} rows[] = {
    { OPTION_TYPE, 1, 1, take_type, "it is of a kind that no server says" },
    { OPTION_SUBNET, 4, 4, take_subnet, "its subnet mask is none" },
    { OPTION_ROUTER, 4, 252, take_router, "its routers are no addresses" },
    { OPTION_DNS, 4, 252, take_nameservers, "its name servers are no addresses" },
    { OPTION_DOMAIN, 0, 255, take_domain, "its domain is none" },
    { OPTION_MTU, 2, 2, take_mtu, "its MTU is no number" },
    { OPTION_LEASE, 4, 4, take_lease, "its lease time is no number" },
    { OPTION_SERVER, 4, 4, take_server, "its server is no address" },
    { OPTION_TEXT, 0, 255, take_text, "its text is none" },
    { OPTION_RENEW, 4, 4, take_renew, "its renewal time is no number" },
    { OPTION_REBIND, 4, 4, take_rebind, "its rebinding time is no number" },
};

static int decode_options(const Options *o, DhcpAnswer *a, const char **ret_why)
{
    if (!o->of[OPTION_TYPE].data || !o->of[OPTION_SERVER].data) {
        *ret_why = "it says not what it is, or not whose";
        return -EBADMSG;
    }
    TABLE_FOREACH (row, rows) {
        const Option *option = &o->of[row->option];
        if (!option->data)
            continue;
        if (option->size < row->min || option->size > row->max || !row->take(option, a)) {
            *ret_why = row->wrong;
            return -EBADMSG;
        }
    }
    return 0;
}

int dhcp_decode(const uint8_t *packet, size_t size, const uint8_t mac[MAC_ADDRESS_SIZE], DhcpAnswer *ret,
                const char **ret_why)
{
    DhcpAnswer a = { 0 };
    Options o = { 0 };
    const uint8_t *m;

    int r = dhcp_packet_open(packet, size, &m, &size, ret_why);
    if (r < 0)
        return r;
    if (size < AT_OPTIONS || m[AT_OP] != OP_REPLY || m[AT_HTYPE] != HTYPE_ETHERNET ||
        m[AT_HLEN] != MAC_ADDRESS_SIZE || memcmp(m + AT_CHADDR, mac, MAC_ADDRESS_SIZE) != 0 ||
        memcmp(m + AT_MAGIC, magic, sizeof magic) != 0)
        return -ENOMSG;
    a.xid = get32(m + AT_XID);
    memcpy(&a.address, m + AT_YIADDR, sizeof a.address);
    if (!collect_all(&o, m, size)) {
        *ret_why = "its options end in the middle";
        return -EBADMSG;
    }
    if ((r = decode_options(&o, &a, ret_why)) < 0)
        return r;
    *ret = a;
    return 0;
}
