/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The checks across the keys of a pod file: for the files that make them, and nobody else. Each adds to the diagnostics what it finds. */
#include "schemas/pod-definition.h"

typedef struct Check {
    const PodDefinition *pod;
    const char *name; /* of the file */
    Diagnostics *diagnostics;
    const Locations *locations;
} Check;

/* path: "containers[0].mounts[1].volume"; the line is its, or its nearest parent's. */
void check_complain(const Check *c, const char *path, const char *format, ...) _printf_(3, 4);
/* Was list[i].key given? */
bool check_given(const Check *c, const char *list, size_t i, const char *key);

/* Volumes, secrets, config files, and where containers have them. */
void check_storage(const Check *c);

/* Devices and limits of containers. pod-check-resources.c */
void check_resources(const Check *c);

/* The ports that are published. */
void check_network(const Check *c);
/* What is about a bridge: pod-check-bridge.c */
void check_bridge(const Check *c);

/* "init[0]", "containers[2]": of a container among all; NULL = no memory. */
char *check_container_path(const Check *c, size_t i);

/* Names over init and containers, how many there are, sidecars, probes. pod-check-life.c */
void check_life(const Check *c);
