/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The networks that podvisor manages, as its API shows them. */
#include "schemas/schema.h"

/* A pod that has an address on a network. */
typedef struct NetworkPod {
    char *pod;
    char *address;
    bool running; /* and a machine that has it now, or may have it */
} NetworkPod;
extern const Schema network_pod_schema;

typedef struct NetworkStatus {
    char *name;
    char *description;
    char *file;
    bool declared; /* false: it goes on for the pods that are on it, or only their addresses are remembered */
    char *subnet;  /* of what there is, or, without that, of the file; NULL: the file was never right */
    char *gateway;
    char *bridge;
    uint64_t mtu;
    bool made;     /* there is a bridge, or it is about to be made */
    bool changed;  /* the file says something else, which counts when no pod is on the network */
    char **errors; /* of the file, and what others make of it */
    NetworkPod *pods;
    size_t n_pods;
} NetworkStatus;
extern const Schema network_status_schema;

typedef struct NetworkList {
    NetworkStatus *networks; /* by name */
    size_t n_networks;
} NetworkList;
extern const Schema network_list_schema;
