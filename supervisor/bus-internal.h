/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the API share. Nobody else includes this. */
#include "supervisor/authority.h"
#include "supervisor/bus.h"
#include "supervisor/supervisor.h"

typedef struct BusClient BusClient;
TAILQ_HEAD(BusClients, BusClient);

/* What a connection serves. sd-bus reads the vtables again when it forgets them, so their end is not left to the connection's. */
typedef struct BusObjects {
    sd_bus_slot *slots[4];
} BusObjects;

struct Bus {
    Supervisor *supervisor;
    sd_bus_vtable *pod_vtable;

    /* The private socket (bus.c). */
    Listener *listener;
    sd_id128_t id;
    struct BusClients clients;
    unsigned n_clients;

    /* The message bus (bus-public.c). */
    SystemBusUser user;
    Authority *authority;
    sd_bus_slot *name_slot;
    BusObjects objects; /* on the message bus */
    sd_bus_slot *filter_slot;
    bool name_owned; /* signals are told there */
};

/* --- objects (bus-objects.c) ----------------------------------------------------------------------------------------- */

#define VTABLE_FOREACH(row, vtable)                                                                          \
    for (const sd_bus_vtable *row = (vtable); row->type != _SD_BUS_VTABLE_END; row++)

extern const sd_bus_vtable bus_manager_vtable[];
/* Sentences, for the manual; NULL for an unknown one. */
const char *bus_manager_property_doc(const char *member);

/* NULL: no memory. The caller frees. */
char *bus_pod_path(const char *name);
/* The pod whose object this path is, or NULL. */
Pod *bus_find_pod(Bus *b, const char *path);
/* All objects, on a connection. */
int bus_add_objects(Bus *b, sd_bus *bus, BusObjects *ret);
/* Before the vtables are freed, and while the connection is there. */
void bus_objects_done(BusObjects *o);

/* --- the message bus (bus-public.c) ----------------------------------------------------------------------------------- */

int bus_public_start(Bus *b);
void bus_public_stop(Bus *b);
/* The connection to tell signals to; NULL: none. */
sd_bus *bus_public_get(Bus *b);

/* --- calls that had to wait for their permission (bus-dispatch.c) ------------------------------------------------------ */

/* One for each method that may be called on the message bus; all others are refused. */
typedef struct BusMethod {
    const char *interface;
    const char *member;
    Effect effect;         /* EFFECT_MAX: for everybody, and sd-bus answers it */
    const char *signature; /* of its arguments: s, b, u, as and ay only */
    int (*call)(Bus *b, sd_bus_message *m, sd_bus_error *error);
    const char *doc; /* sentences, for the manual; NULL for the standard interfaces */
} BusMethod;
extern const BusMethod bus_methods[];
extern const size_t n_bus_methods;

/* NULL: nobody may call it. interface may be NULL. */
const BusMethod *bus_find_method(const char *interface, const char *member);
/* How many bytes of text a message of this signature holds, as far as it is no more than limit; leaves m at its beginning. */
int bus_measure(sd_bus_message *m, const char *signature, size_t limit, size_t *ret);
/* Calls the method and answers. */
void bus_dispatch(Bus *b, const BusMethod *method, sd_bus_message *m);

/* --- errors (bus-errors.c) -------------------------------------------------------------------------------------------- */

typedef struct BusErrorRow {
    const char *name;
    const char *doc; /* sentences */
} BusErrorRow;
extern const BusErrorRow bus_errors[];
extern const size_t n_bus_errors;
