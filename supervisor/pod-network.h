/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What podvisord does about the network of a pod: tells its runner how to get it, remembers it, and keeps ports apart. */
#include "supervisor/supervisor.h"

/* How this pod's runner comes by its network: 0 or -ENOMEM. d has its pod already, and the record its network. */
int pod_network_describe(const Pod *pod, RunDefinition *d);

/* Into the record, which the way to the network goes by: 0, -ENOMEM, or negative errno with *ret_error, a sentence: why the network that it names
 * cannot be had. */
int pod_network_record(Pod *pod, char **ret_error);

/* What tells this podvisord from others, of this host and of all others (malloc'ed; NULL: no memory). */
char *pod_network_instance(const Paths *paths);

/* 0, or -EADDRINUSE with *ret_error, a sentence that names the port or address and the pod that has it. Looks at the pods whose machines may
 * live, once for each start of a pod that publishes or is on a bridge. */
int pod_network_check(const Pod *pod, char **ret_error);
