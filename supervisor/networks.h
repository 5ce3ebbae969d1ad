/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The networks that podvisord manages: what NAME.network declares, which pods are on each, which address each pod has there, and which
 * bridges are not wanted any more.
 *
 * Theory of operation
 * -------------------
 * A network is what its file says, from the first pod that joins it until the last one has left: that much is recorded, and a bridge of the
 * host is made by whoever makes the pod's tap (uplink/bridge-make.h). A file that changes meanwhile counts when no pod is on the network;
 * one that is gone lets no other pod join, and takes none away.
 *
 *     pod starts       address allotted, network recorded ---> the pod's record ---> podvisor-uplink makes bridge and tap
 *     pod ends         the last one, and the file is another, or gone: the bridge is recorded as left over, and swept
 *     pod is gone      its address is free
 *     podvisord dies   records say what there was; what is left over is swept again
 *
 * An address is a pod's for as long as the pod is declared on the network, whether it runs or not, also over a restart of the host. The
 * lowest one that is free is taken, of those that no pod file names.
 *
 * Invariants
 * - A pod is a member of the network that its record's link names exactly while its machine may live.
 * - `record.made` is what all members have joined.
 */
#include <sys/queue.h>

#include "schemas/network-status.h"
#include "supervisor/definitions.h"
#include "supervisor/network-record.h"
#include "supervisor/pod.h"

typedef struct Networks Networks;

enum {
    NETWORK_MEMBERS_MAX = NETWORK_PEERS_MAX
}; /* pods of one network that run at once: their names go in one message */

typedef struct Network {
    Networks *owner;
    char *name;
    bool declared, defined;
    char *file;
    ManagedNetwork definition; /* last good, when defined */
    char **errors;             /* of the file */
    NetworkRecord record;
    TAILQ_HEAD(, Pod) members;
} Network;

/* Reads what is recorded; before the pods are recovered. 0 or negative errno. */
int networks_new(Networks **ret, Supervisor *supervisor);
Networks *networks_free(Networks *n);
DEFINE_CLEANUP(Networks *, networks_free)
/* Reads the definitions; when the pods are known. */
int networks_start(Networks *n);
int networks_scan(Networks *n);
/* name: of any file; those that are no network's are passed over. */
int networks_scan_file(Networks *n, const char *name);
/* As definitions_errors(). */
char **networks_errors(const Networks *n);

Network *networks_find(const Networks *n, const char *name);
/* Sorted by name; *ret_n of them. */
Network *const *networks_all(const Networks *n, size_t *ret_n);

/*
 * What the pod's definition leaves to its network, into network, a copy of it (bridge, address, gateway, dns, mtu), and how the bridge is made.
 * The address is the pod's from now on, and all of it is on disk. 0, or negative errno with *ret_error, a sentence (malloc'ed; NULL: no memory).
 */
int networks_choose(Pod *pod, NetworkDefinition *network, BridgeMake *make, char **ret_error);

/* Its machine may live, by the link of its record. */
void networks_join(Pod *pod);
/* It has ended; and the bridge, if nobody needs it any more. */
void networks_leave(Pod *pod);
/* The pod is gone. */
void networks_forget(Networks *n, const char *pod);

/* All of them, for schema_done(). 0 or -ENOMEM. */
int networks_show(const Networks *n, NetworkList *ret);

/* The pods that run on the pod's network, without itself and those whose names its file has, as format_host has them, in the place of *hosts. 0 or
 * -ENOMEM. */
int networks_hosts(const Pod *pod, char ***hosts);
/* Tells them to the pod's runner, if it has one that listens. */
void networks_send(Pod *pod);
/* Why its containers have not the present names; NULL: they have, or will have in a moment. */
const char *networks_names_stale(const Pod *pod);
