/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The network files of a check, and the pods that name them: what podvisord would say of one against the other. */
#include "schemas/managed-network.h"
#include "schemas/pod-definition.h"

typedef struct CheckedNetwork {
    char *name;
    char *file;
    bool right; /* definition is valid */
    ManagedNetwork definition;
} CheckedNetwork;

typedef struct NetworkUse {
    char *pod;
    char *file;
    unsigned line; /* of network.network */
    char *network;
    char *address; /* NULL: allotted */
    unsigned address_line;
} NetworkUse;

typedef struct CheckedNetworks {
    CheckedNetwork *items;
    size_t n_items;
    NetworkUse *uses;
    size_t n_uses;
} CheckedNetworks;

/* Reads a network file; of two for one network the first counts. 0 or -ENOMEM. */
int networks_add(CheckedNetworks *n, const char *name, const char *file, const void *text, size_t size,
                 Diagnostics *diagnostics);
/* Takes note of a right pod definition. 0 or -ENOMEM. */
int networks_use(CheckedNetworks *n, const char *pod, const char *file, PodLines lines,
                 const PodDefinition *definition);
/* What they make of each other. complete: a network that is not among them is missing. */
void networks_check(const CheckedNetworks *n, bool complete, Diagnostics *diagnostics);
void networks_done(CheckedNetworks *n);
