/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What podvisord remembers of a network over its own death, and that of the host: STATE/networks/NAME/network.msgpack.
 *
 * Written before what it says is done: an address is here before a machine has it, a bridge before it is made, and stays here until it is
 * known to be gone.
 */
#include "schemas/checkpoint.h"
#include "schemas/managed-network.h"

typedef struct Allotment {
    char *pod;
    char *address; /* "10.89.0.2" */
} Allotment;
extern const Schema allotment_schema;

typedef struct NetworkRecord {
    char *name;
    ManagedNetwork made; /* as its bridge was made, or is about to be; without a subnet: there is none */
    char **leftovers;    /* bridges that are to be taken away */
    Allotment *allotments;
    size_t n_allotments;
    Bytes extra;
} NetworkRecord;
extern const Schema network_record_schema;
extern const CheckpointKind network_record_kind;

/* The pod's; NULL: it has none. */
Allotment *network_record_find(const NetworkRecord *r, const char *pod);
/* The pod that has this address (ip_text_equal()); NULL: none. */
const Allotment *network_record_holder(const NetworkRecord *r, const char *address);
/* The pod has this address from now on. 0 or -ENOMEM. */
int network_record_allot(NetworkRecord *r, const char *pod, const char *address);
void network_record_release(NetworkRecord *r, Allotment *allotment);
