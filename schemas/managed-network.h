/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A network that podvisor makes and keeps for pods: the file NAME.network beside the pod files, as a struct. It is a bridge of the host, and
 * the addresses that its pods have. Pods say `network.network = "NAME"`.
 */
#include "base/ip-address.h"
#include "schemas/diagnostics.h"
#include "schemas/schema.h"

#define MANAGED_NETWORK_BRIDGE "pv-" /* and the network's name: the bridge of one that names none */

enum {
    MANAGED_NETWORK_MTU = 1500, /* of one that says none */
    MANAGED_NETWORK_DNS_MAX = 3,
};

typedef struct ManagedNetwork {
    char *description;
    char *subnet;  /* "10.89.0.0/24" */
    char *gateway; /* the host's own address on the bridge, without bits */
    char *range;   /* "10.89.0.100-10.89.0.199": from which addresses are allotted; NULL: all of the subnet */
    char *bridge;
    char **dns;
    uint64_t mtu;
} ManagedNetwork;
extern const Schema managed_network_schema;

/* "lan.network" -> "lan" (malloc'ed); NULL when the file name is no network's. */
char *managed_network_name_from_file(const char *file_name);

/*
 * Reads the text of a file into uninitialised *ret: 0, 1 with diagnostics (then it is valid to free and to look at, not to use), or -ENOMEM
 * (nothing to free). name: the network's; file: for messages. What the file leaves out, and has a value all the same, is filled in: gateway and
 * bridge are never NULL after 0.
 */
int managed_network_read(ManagedNetwork *ret, const char *name, const char *file, const void *text,
                         size_t size, Diagnostics *diagnostics);

/* What can be said of a network that was read without an error. */
IpAddress managed_network_subnet(const ManagedNetwork *n);
/* "10.89.0.1/24", of an address of it, with or without bits (malloc'ed; NULL = no memory). */
char *managed_network_with_bits(const ManagedNetwork *n, const char *address);
/* The places in the subnet (ip_at()) from which addresses are allotted. */
void managed_network_range(const ManagedNetwork *n, uint64_t *ret_first, uint64_t *ret_last);
/* Why a pod cannot have this address (which format_ip takes), as a clause behind it; NULL: it can. */
const char *managed_network_objection(const ManagedNetwork *n, const char *address);
