/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a backend finds on this host: said by `podvisor-runner-X --describe` as one JSON object, shown by `podvisor backends`. What
 * it can do with a pod file is another matter (backends/abilities.h).
 */
#include "schemas/schema.h"

enum { DESCRIPTION_SIZE_MAX = 64 * 1024 };

typedef struct AcceleratorDescription {
    char *name; /* of accelerator_table */
    bool usable;
    char *note; /* why not, or what it costs; NULL: nothing is to be said */
} AcceleratorDescription;
extern const Schema accelerator_description_schema;

/* What the backend needs another process for. */
typedef struct DaemonDescription {
    char *uri;
    bool reachable;
    char *version; /* of the daemon; NULL: not known */
    char *note;    /* why not; NULL: nothing is to be said */
} DaemonDescription;
extern const Schema daemon_description_schema;

typedef struct BackendDescription {
    char *name;
    char *version; /* of podvisor */
    char *vmm;     /* what runs the machines, with its version; NULL: nothing, or not known */
    bool usable;   /* a pod can be started with it */
    char *note;    /* why not; NULL: nothing is to be said */
    AcceleratorDescription *accelerators;
    size_t n_accelerators;
    DaemonDescription *daemons;
    size_t n_daemons;
} BackendDescription;
extern const Schema backend_description_schema;

/* Both take `note` (malloc'ed, may be NULL). 0 or -ENOMEM. */
int backend_description_accelerator(BackendDescription *d, const char *name, bool usable, char *note);
int backend_description_refuse(BackendDescription *d, char *note);
