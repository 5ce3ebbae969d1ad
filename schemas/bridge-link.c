/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "base/strings.h"
#include "schemas/bridge-link.h"

static const Field make_fields[] = {
    { F_STRING(BridgeMake, mac), .doc = "Its hardware address." },
    { F_STRING(BridgeMake, address), .doc = "The host's own address on it." },
    { F_UNSIGNED(BridgeMake, mtu), .max = 65535, .doc = "The largest packet." },
};
DEFINE_SCHEMA(bridge_make_schema, BridgeMake, "make", "How a bridge is made.", make_fields);

static const Field fields[] = {
    { F_STRING(BridgeLink, pod), .doc = "The pod's name." },
    { F_STRING(BridgeLink, bridge), .doc = "The host's bridge." },
    { F_STRING(BridgeLink, tap), .doc = "The host's interface that leads to the machine." },
    { F_STRING(BridgeLink, mac), .doc = "The hardware address of the machine's interface." },
    { F_STRING(BridgeLink, address), .doc = "Its address, with the bits of its subnet." },
    { F_STRING(BridgeLink, gateway), .doc = "Where all else is reached by." },
    { F_STRV(BridgeLink, dns), .max = DNS_MAX, .doc = "What resolves names." },
    { F_UNSIGNED(BridgeLink, mtu), .fallback = "1500", .max = 65535, .doc = "The largest packet." },
    { F_STRING(BridgeLink, network), .doc = "The network of podvisor's that the bridge is of." },
    { F_GROUP(BridgeLink, make, bridge_make_schema), .doc = "How that bridge is made." },
};
DEFINE_SCHEMA(bridge_link_schema, BridgeLink, "link", "How the machine is on a bridge.", fields);

/* Two numbers of 32 and 40 bits: of the tap, which has four letters of the pod's name behind it, and of the hardware address. */
static int make_names(const char *instance, const char *pod, BridgeLink *l)
{
    uint8_t d[SHA256_SIZE];
    _cleanup_(freep) char *text = strf("podvisor bridge link of %s at %s", pod, instance);

    if (!text)
        return -ENOMEM;
    sha256(text, strlen(text), d);
    l->tap = strf(BRIDGE_LINK_TAP "%02x%02x%02x%02x-%.4s", d[0], d[1], d[2], d[3], pod);
    l->mac = strf("02:%02x:%02x:%02x:%02x:%02x", d[4], d[5], d[6], d[7], d[8]);
    return l->tap && l->mac ? 0 : -ENOMEM;
}

int bridge_make_mac(const char *instance, const char *network, char **ret)
{
    uint8_t d[SHA256_SIZE];
    _cleanup_(freep) char *text = strf("podvisor network %s at %s", network, instance);

    if (!text)
        return -ENOMEM;
    sha256(text, strlen(text), d);
    *ret = strf("02:%02x:%02x:%02x:%02x:%02x", d[0], d[1], d[2], d[3], d[4]);
    return *ret ? 0 : -ENOMEM;
}

static int fill(const char *instance, const char *pod, const NetworkDefinition *network, BridgeLink *l)
{
    int r = make_names(instance, pod, l);

    l->mtu = network->mtu ?: BRIDGE_LINK_MTU;
    if (r < 0 || (r = str_replace(&l->pod, pod)) < 0 || (r = str_replace(&l->bridge, network->bridge)) < 0 ||
        (r = str_replace(&l->address, network->address)) < 0 ||
        (r = str_replace(&l->gateway, network->gateway)) < 0 ||
        (r = str_replace(&l->network, network->network)) < 0)
        return r;
    return network->dns && !(l->dns = strv_copy(network->dns)) ? -ENOMEM : 0;
}

int bridge_link_make(const char *instance, const char *pod, const NetworkDefinition *network, BridgeLink *ret)
{
    BridgeLink l;

    int r = schema_init(&bridge_link_schema, &l);
    if (r < 0)
        return r;
    if ((r = fill(instance, pod, network, &l)) < 0) {
        schema_done(&bridge_link_schema, &l);
        return r;
    }
    *ret = l;
    return 0;
}
