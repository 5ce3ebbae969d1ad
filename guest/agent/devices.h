/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The devices of a container: which nodes its /dev has, and a filter of its control group, so that it has no others, by whatever node
 * it gets at them.
 */
#include "schemas/device.h"
#include "schemas/pod-definition.h"

enum { DEVICE_ANY_MINOR = 1 << 20 };

typedef struct DeviceNode {
    const char *name; /* in /dev; NULL: it is not made there */
    unsigned major, minor;
} DeviceNode;
/* Those of every container. */
extern const DeviceNode device_nodes[];
extern const size_t n_device_nodes;

typedef struct DeviceRule {
    unsigned major, minor; /* of a character device; DEVICE_ANY_MINOR */
    unsigned access;       /* DeviceAccess */
} DeviceRule;

/*
 * Nothing of the control group may use another device than those of every container and of its definition. Once for each group.
 * -EOPNOTSUPP: this kernel has no such filters.
 */
int devices_confine(int cgroup, const ContainerDefinition *d);
/* Whether the container could get at other devices, or by other ways, were it not for that. */
bool devices_need_filter(const ContainerDefinition *d);
/* The same by rules. device-filter.c */
int device_filter_attach(int cgroup, const DeviceRule *rules, size_t n);
