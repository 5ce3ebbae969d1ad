/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "base/strings.h"
#include "schemas/publish.h"

DEFINE_ENUM_TABLE(
    publish_protocol, "protocol",
    PUBLISH_PROTOCOL_MAX, [PUBLISH_TCP] = { "tcp", "connections" }, [PUBLISH_UDP] = { "udp", "datagrams" });

/* --- reading ----------------------------------------------------------------------------------------------------------- */

typedef struct Range {
    uint16_t first, last;
} Range;

static int complain(char **ret_why, char *why)
{
    if (ret_why)
        *ret_why = why;
    else
        free(why);
    return -EINVAL;
}

static int port_parse(const char *text, uint16_t *ret, char **ret_why)
{
    uint64_t port;

    int r = parse_unsigned(text, &port);
    if (r == -EINVAL)
        return complain(ret_why, strf("\"%s\" is no port", text));
    if (r < 0 || port == 0 || port > UINT16_MAX)
        return complain(ret_why, strf("port %s is out of range; ports are 1 to 65535", text));
    *ret = (uint16_t)port;
    return 0;
}

static int range_parse(const char *text, Range *ret, char **ret_why)
{
    const char *dash = strchr(text, '-');
    _cleanup_(freep) char *first = strndup(text, dash ? (size_t)(dash - text) : strlen(text));

    int r = first ? port_parse(first, &ret->first, ret_why) : -ENOMEM;
    if (r < 0)
        return r;
    ret->last = ret->first;
    if (dash && (r = port_parse(dash + 1, &ret->last, ret_why)) < 0)
        return r;
    return ret->last < ret->first ? complain(ret_why, strf("the range %s goes backwards", text)) : 0;
}

static int protocol_parse(const char *word, Publish *p, char **ret_why)
{
    int protocol = enum_from_string(&publish_protocol_table, word);

    if (protocol < 0)
        return complain(ret_why, strf("\"%s\" is neither tcp nor udp", word));
    p->protocol = (PublishProtocol)protocol;
    return 0;
}

static int address_parse(const char *text, Publish *p, char **ret_why)
{
    size_t n = strlen(text);
    bool brackets = *text == '[' && text[n - 1] == ']';
    _cleanup_(freep) char *inner = brackets ? strndup(text + 1, n - 2) : strdup(text);

    if (!inner)
        return -ENOMEM;
    p->family = brackets ? AF_INET6 : AF_INET;
    if (inet_pton(p->family, inner, &p->address) != 1)
        return complain(ret_why,
                        strf("\"%s\" is no %s", inner,
                             brackets ? "IPv6 address" : "IPv4 address; an IPv6 address goes in []"));
    if (brackets && IN6_IS_ADDR_V4MAPPED(&p->address.v6))
        return complain(ret_why, strf("[%s] is an IPv4 address; it is written as one", inner));
    return 0;
}

static int ports_parse(const char *host, const char *guest, Publish *p, char **ret_why)
{
    Range of_host = { 0 }, of_guest = { 0 };

    int r = range_parse(host, &of_host, ret_why);
    if (r < 0 || (r = range_parse(guest, &of_guest, ret_why)) < 0)
        return r;
    unsigned n = of_host.last - of_host.first + 1U, m = of_guest.last - of_guest.first + 1U;
    if (n != m)
        return complain(ret_why, strf("%s and %s are not equally many ports", host, guest));
    if (n > PUBLISH_PORTS_MAX)
        return complain(ret_why,
                        strf("%s are %u ports; at most %d are accepted", host, n, PUBLISH_PORTS_MAX));
    p->host = of_host.first;
    p->guest = of_guest.first;
    p->count = (uint16_t)n;
    return 0;
}

/* Cuts the text at the last colon: what is behind it, or NULL. */
static char *cut_last(char *text)
{
    char *colon = strrchr(text, ':');

    /* One in brackets is of an address. */
    if (!colon || strchr(colon, ']'))
        return NULL;
    *colon = 0;
    return colon + 1;
}

int publish_parse(const char *text, Publish *ret, char **ret_why)
{
    Publish p = { .protocol = PUBLISH_TCP, .family = AF_UNSPEC };
    _cleanup_(freep) char *copy = strdup(text);
    int r = 0;

    if (!copy)
        return complain(ret_why, NULL);
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash = 0;
        r = protocol_parse(slash + 1, &p, ret_why);
    }
    char *guest = cut_last(copy), *host = guest ? cut_last(copy) : NULL;
    if (r >= 0 && !guest)
        r = complain(ret_why, strdup("the pod's port is missing"));
    if (r >= 0 && host)
        r = *copy ? address_parse(copy, &p, ret_why) : complain(ret_why, strdup("the address is empty"));
    if (r >= 0)
        r = ports_parse(host ?: copy, guest, &p, ret_why);
    if (r >= 0)
        *ret = p;
    return r < 0 ? -EINVAL : 0;
}

/* --- writing ----------------------------------------------------------------------------------------------------------- */

char *publish_format_address(const Publish *p)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (p->family != AF_UNSPEC)
        (void)inet_ntop(p->family, &p->address, text, sizeof text);
    return strdup(text);
}

char *publish_format_port(const Publish *p, unsigned i)
{
    _cleanup_(freep) char *address = publish_format_address(p);
    const char *protocol = enum_to_string(&publish_protocol_table, (int)p->protocol);
    unsigned port = p->host + i;

    if (!address)
        return NULL;
    if (p->family == AF_UNSPEC)
        return strf("%u/%s", port, protocol);
    return strf(p->family == AF_INET6 ? "[%s]:%u/%s" : "%s:%u/%s", address, port, protocol);
}

PublishSocket publish_socket(const Publish *p, unsigned i, sa_family_t family)
{
    in_port_t port = htons((uint16_t)(p->host + i));

    if (family == AF_INET)
        return (PublishSocket){ .v4 = { .sin_family = AF_INET,
                                        .sin_port = port,
                                        .sin_addr =
                                            p->family == AF_INET ? p->address.v4 : (struct in_addr){ 0 } },
                                .length = sizeof(struct sockaddr_in) };
    return (PublishSocket){ .v6 = { .sin6_family = AF_INET6,
                                    .sin6_port = port,
                                    .sin6_addr = p->family == AF_INET6 ? p->address.v6
                                                                       : (struct in6_addr)IN6ADDR_ANY_INIT },
                            .length = sizeof(struct sockaddr_in6) };
}

/* --- comparing --------------------------------------------------------------------------------------------------------- */

bool publish_same_port(const Publish *a, const Publish *b, uint16_t *ret)
{
    unsigned first = MAX(a->host, b->host);

    if (a->protocol != b->protocol || first >= (unsigned)a->host + a->count ||
        first >= (unsigned)b->host + b->count)
        return false;
    if (ret)
        *ret = (uint16_t)first;
    return true;
}

static bool is_any(const Publish *p)
{
    return p->family == AF_INET ? p->address.v4.s_addr == 0 : IN6_IS_ADDR_UNSPECIFIED(&p->address.v6);
}

static bool same_address(const Publish *a, const Publish *b)
{
    if (a->family == AF_UNSPEC || b->family == AF_UNSPEC)
        return true;
    if (a->family != b->family)
        return false;
    if (is_any(a) || is_any(b))
        return true;
    return a->family == AF_INET ? a->address.v4.s_addr == b->address.v4.s_addr
                                : IN6_ARE_ADDR_EQUAL(&a->address.v6, &b->address.v6);
}

bool publish_collide(const Publish *a, const Publish *b, uint16_t *ret)
{
    return same_address(a, b) && publish_same_port(a, b, ret);
}

char *publish_collision(char *const *mine, char *const *theirs)
{
    Publish a, b;
    uint16_t port;

    STRV_FOREACH (one, (char **)mine)
        STRV_FOREACH (other, (char **)theirs)
            if (publish_parse(*one, &a, NULL) >= 0 && publish_parse(*other, &b, NULL) >= 0 &&
                publish_collide(&a, &b, &port))
                return publish_format_port(&a, (unsigned)(port - a.host));
    return NULL;
}
