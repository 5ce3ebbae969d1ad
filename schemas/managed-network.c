/* SPDX-License-Identifier: Apache-2.0 */
#include <net/if.h>

#include "base/strings.h"
#include "schemas/formats.h"
#include "schemas/managed-network.h"
#include "schemas/schema-config.h"

#define ENDING ".network"

static bool parse_range(const char *text, IpAddress *ret_first, IpAddress *ret_last)
{
    const char *hyphen = strchr(text, '-');
    _cleanup_(freep) char *first = hyphen ? strndup(text, (size_t)(hyphen - text)) : NULL;

    return first && !strchr(text, '/') && ip_parse(first, ret_first) >= 0 &&
           ip_parse(hyphen + 1, ret_last) >= 0 && ret_first->family == ret_last->family;
}

static bool valid_range(const char *s)
{
    IpAddress first, last;

    return parse_range(s, &first, &last);
}

static const Format format_range = {
    "two addresses with a hyphen between such as \"10.89.0.100-10.89.0.199\"",
    valid_range,
};

static const Field fields[] = {
    { F_STRING(ManagedNetwork, description), .format = &format_line,
      .doc = "What the network is for, in a line." },
    { F_STRING(ManagedNetwork, subnet), .flags = FIELD_REQUIRED, .format = &format_ip,
      .doc = "The addresses of the network, of IPv4 or IPv6, with how many bits all have in common. No other "
             "network of podvisor may have any of them.",
      .example = "subnet = \"10.89.0.0/24\";" },
    { F_STRING(ManagedNetwork, gateway), .format = &format_ip,
      .doc = "The host's own address there, by which pods reach all that is outside of the subnet, as far as "
             "the "
             "host passes it on. When the key is absent: the first of the subnet.",
      .example = "gateway = \"10.89.0.1\";" },
    { F_STRING(ManagedNetwork, range), .format = &format_range,
      .doc = "The addresses from which pods that name none get theirs. When the key is absent: all of the "
             "subnet.",
      .example = "range = \"10.89.0.100-10.89.0.199\";" },
    { F_STRING(ManagedNetwork, bridge), .format = &format_interface,
      .doc = "What the bridge is called, which podvisor makes. When the key is absent: pv- and the network's "
             "name.",
      .example = "bridge = \"pv-lan\";" },
    { F_STRV(ManagedNetwork, dns), .max = MANAGED_NETWORK_DNS_MAX, .format = &format_ip,
      .doc = "The servers of names of pods that have no network.dns of their own.",
      .example = "dns = [ \"10.89.0.1\" ];" },
    { F_UNSIGNED(ManagedNetwork, mtu), .fallback = "1500", .min = 1280, .max = 65521,
      .doc = "The largest packet on the network, in bytes." },
};
DEFINE_SCHEMA(managed_network_schema, ManagedNetwork, "network file",
              "A network that podvisor makes for pods.", fields);

char *managed_network_name_from_file(const char *file_name)
{
    _cleanup_(freep) char *name = NULL;

    if (!str_ends_with(file_name, ENDING))
        return NULL;
    name = strndup(file_name, strlen(file_name) - strlen(ENDING));
    return name && format_name.valid(name) ? take_ptr(name) : NULL;
}

/* --- what is in it ---------------------------------------------------------------------------------------------------------- */

IpAddress managed_network_subnet(const ManagedNetwork *n)
{
    IpAddress a = { .family = AF_INET };

    (void)ip_parse(n->subnet ?: "", &a);
    return a;
}

char *managed_network_with_bits(const ManagedNetwork *n, const char *address)
{
    return strf("%.*s/%u", (int)strcspn(address, "/"), address, (unsigned)managed_network_subnet(n).bits);
}

/* The network's own address is nobody's; what ends all of it is that of all, with IPv4. */
void managed_network_range(const ManagedNetwork *n, uint64_t *ret_first, uint64_t *ret_last)
{
    IpAddress subnet = managed_network_subnet(n), first, last;

    *ret_first = 1;
    *ret_last = ip_count(&subnet) - (subnet.family == AF_INET ? 2 : 1);
    if (!n->range || !parse_range(n->range, &first, &last))
        return;
    first.bits = last.bits = subnet.bits;
    *ret_first = ip_place(&first);
    *ret_last = ip_place(&last);
}

const char *managed_network_objection(const ManagedNetwork *n, const char *address)
{
    IpAddress a, subnet = managed_network_subnet(n);

    if (ip_parse(address, &a) < 0 || !ip_within(&a, &subnet))
        return "is outside of the subnet";
    a.bits = subnet.bits;
    if (!ip_is_host(&a) || ip_place(&a) == 0)
        return "is no address that a host of the subnet can have";
    return ip_text_equal(address, n->gateway) ? "is the host's own address there" : NULL;
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

typedef struct Reading {
    ManagedNetwork *network;
    const char *name, *file;
    Diagnostics *diagnostics;
    Locations locations;
} Reading;

static void complain(const Reading *r, const char *key, const char *format, ...) _printf_(3, 4);
static void complain(const Reading *r, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    _cleanup_(freep) char *text = strf_va(format, args);
    va_end(args);
    diagnostics_add(r->diagnostics, r->file, locations_line(&r->locations, key), "%s: %s", key, text ?: "?");
}

/* False: nothing can be said about what has to do with it. */
static bool check_subnet(const Reading *r)
{
    enum { HOST_BITS_MIN = 2 };
    const char *text = r->network->subnet;
    IpAddress a;

    if (!text || ip_parse(text, &a) < 0)
        return false;
    const IpAddress own = ip_at(&a, 0), host = ip_at(&a, 1);
    _cleanup_(freep) char *shown = ip_format(&own);
    if (!strchr(text, '/'))
        complain(r, "subnet",
                 "\"%s\" does not say how many bits its addresses have in common, such as \"%s/%d\"", text,
                 text, a.family == AF_INET ? 24 : 64);
    else if (ip_count(&a) < 1U << HOST_BITS_MIN)
        complain(r, "subnet", "\"%s\" is too small for a host and a pod; at most /%d is accepted", text,
                 a.family == AF_INET ? 30 : 126);
    else if (ip_place(&a) != 0 || !ip_equal(&a, &own))
        complain(r, "subnet", "\"%s\" is an address in the subnet \"%s/%u\"", text, shown ?: "?",
                 (unsigned)a.bits);
    else if (!ip_is_host(&host))
        complain(r, "subnet", "\"%s\" has no addresses that hosts can have", text);
    else
        return true;
    return false;
}

static void check_gateway(const Reading *r)
{
    ManagedNetwork *n = r->network;
    const char *text = n->gateway;
    IpAddress a, subnet = managed_network_subnet(n);

    if (!text || ip_parse(text, &a) < 0)
        return;
    a.bits = subnet.bits;
    if (strchr(text, '/'))
        complain(r, "gateway", "\"%s\" is a single address: it has no bits of a subnet", text);
    else if (!ip_within(&a, &subnet))
        complain(r, "gateway", "%s is outside of the subnet %s", text, n->subnet);
    else if (!ip_is_host(&a) || ip_place(&a) == 0)
        complain(r, "gateway", "%s is no address that a host of the subnet %s can have", text, n->subnet);
}

static void check_range(const Reading *r)
{
    const ManagedNetwork *n = r->network;
    IpAddress first, last, subnet = managed_network_subnet(n);

    if (!n->range || !parse_range(n->range, &first, &last))
        return;
    first.bits = last.bits = subnet.bits;
    if (!ip_within(&first, &subnet) || !ip_within(&last, &subnet))
        complain(r, "range", "\"%s\" is not all in the subnet %s", n->range, n->subnet);
    else if (ip_place(&first) > ip_place(&last))
        complain(r, "range", "\"%s\" begins behind its end", n->range);
    else if (ip_place(&first) == 0 || !ip_is_host(&first) || !ip_is_host(&last))
        complain(r, "range", "\"%s\" has addresses that no host of the subnet %s can have", n->range,
                 n->subnet);
}

static int check(const Reading *r)
{
    ManagedNetwork *n = r->network;

    STRV_FOREACH (server, n->dns)
        if (strchr(*server, '/'))
            complain(r, "dns", "\"%s\" is a single address: it has no bits of a subnet", *server);
    if (!n->bridge && !locations_given(&r->locations, "bridge")) {
        if (!(n->bridge = strf(MANAGED_NETWORK_BRIDGE "%s", r->name)))
            return -ENOMEM;
        if (strlen(n->bridge) >= IFNAMSIZ)
            complain(
                r, "bridge",
                "is missing: \"%s\" would be longer than the 15 characters that names of interfaces have",
                n->bridge);
    }
    if (!check_subnet(r))
        return 0;
    check_gateway(r);
    check_range(r);
    if (n->gateway || locations_given(&r->locations, "gateway"))
        return 0;
    IpAddress subnet = managed_network_subnet(n), first = ip_at(&subnet, 1);
    n->gateway = ip_format(&first);
    return n->gateway ? 0 : -ENOMEM;
}

int managed_network_read(ManagedNetwork *ret, const char *name, const char *file, const void *text,
                         size_t size, Diagnostics *diagnostics)
{
    size_t before = diagnostics->n_items;
    Reading reading = { .network = ret, .name = name, .file = file, .diagnostics = diagnostics };

    int r =
        schema_read_config(&managed_network_schema, ret, file, text, size, diagnostics, &reading.locations);
    if (r >= 0 && (r = check(&reading)) < 0)
        schema_done(&managed_network_schema, ret);
    locations_done(&reading.locations);
    return r < 0 ? r : diagnostics->n_items > before || diagnostics->lost;
}
