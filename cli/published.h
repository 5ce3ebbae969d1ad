/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The ports that the pods of a check publish, and their addresses on bridges: one host has each of them once. */
#include "schemas/pod-definition.h"

typedef struct PublishedPod {
    char *name;
    char *file;
    PodLines lines;
    char **ports;
    char *bridge, *address; /* NULL: it is on no bridge */
} PublishedPod;

typedef struct PublishedPorts {
    PublishedPod *items;
    size_t n_items;
} PublishedPorts;

/* Takes note of a right definition; of two files for one pod the first counts. 0 or -ENOMEM. */
int published_add(PublishedPorts *p, const char *name, const char *file, PodLines lines,
                  const PodDefinition *pod);
/* A diagnostic for each pod with a port or address that an earlier one has. */
void published_check(const PublishedPorts *p, Diagnostics *diagnostics);
void published_done(PublishedPorts *p);
