/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How one machine is on a bridge of the host: decided by podvisord before the machine is started, and the same for the frozen definition, for
 * podvisord's record, by which the tap is made, and for whoever makes it. Nothing of it is decided anywhere else.
 */
#include "schemas/pod-definition.h"

#define BRIDGE_LINK_TAP "pv" /* taps' names begin so */
#define BRIDGE_LINK_ALIAS "podvisor pod %s"
enum {
    BRIDGE_LINK_MTU = 1500, /* of a pod that says none */
};

typedef struct BridgeLink {
    char *pod;
    char *bridge;  /* NULL: the pod is on no bridge */
    char *tap;     /* the host's end: a name that no other pod's has */
    char *mac;     /* "02:..." of the guest's end: it stays over restarts */
    char *address; /* "10.0.0.2/24" */
    char *gateway; /* NULL: none */
    char **dns;
    uint64_t mtu; /* never 0 */
} BridgeLink;
extern const Schema bridge_link_schema;

/* The link of a pod that is on a bridge, by its definition. instance: what tells this podvisord from others, of this host and of other ones
 * on the same network; mac and tap are made of it and the pod's name. Fills *ret for schema_done(); 0 or -ENOMEM. */
int bridge_link_make(const char *instance, const char *pod, const NetworkDefinition *network,
                     BridgeLink *ret);
