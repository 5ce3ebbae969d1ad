/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How one machine is on a bridge of the host: decided by podvisord before the machine is started, and the same for the frozen definition, for
 * podvisord's record, by which the tap is made, and for whoever makes it. Nothing of it is decided anywhere else.
 */
#include "schemas/pod-definition.h"

#define BRIDGE_LINK_TAP "pv" /* taps' names begin so */
#define BRIDGE_LINK_ALIAS "podvisor pod %s"
#define BRIDGE_MAKE_ALIAS "podvisor network %s"
enum {
    BRIDGE_LINK_MTU = 1500, /* of a pod that says none */
};

/*
 * The bridge of a network of podvisor's, which is made when a pod joins it and it is not there. What tells it from all other bridges is its
 * hardware address, which it has from its making on, and which no other's has.
 */
typedef struct BridgeMake {
    char *mac;     /* "02:..." */
    char *address; /* the host's own on it: "10.89.0.1/24" */
    uint64_t mtu;
} BridgeMake;
extern const Schema bridge_make_schema;

typedef struct BridgeLink {
    char *pod;
    char *bridge;  /* NULL: the pod is on no bridge */
    char *tap;     /* the host's end: a name that no other pod's has */
    char *mac;     /* "02:..." of the guest's end: it stays over restarts */
    char *address; /* "10.0.0.2/24" */
    char *gateway; /* NULL: none */
    char **dns;
    uint64_t mtu; /* never 0 */
    char *
        network; /* podvisor's, which the bridge is of; NULL: it is the administrator's, and stays as it is */
    BridgeMake make;
} BridgeLink;
extern const Schema bridge_link_schema;

/* The hardware address of the bridge of a network of podvisor's (malloc'ed); instance: as below. 0 or -ENOMEM. */
int bridge_make_mac(const char *instance, const char *network, char **ret);

/* The link of a pod that is on a bridge, by its definition. instance: what tells this podvisord from others, of this host and of other ones
 * on the same network; mac and tap are made of it and the pod's name. Fills *ret for schema_done(); 0 or -ENOMEM. */
int bridge_link_make(const char *instance, const char *pod, const NetworkDefinition *network,
                     BridgeLink *ret);
