/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The unit of a pod: its name, the proof that a process is of it, and what an administrator's drop-ins say. */
#include <sys/types.h>

#include "base/macro.h"

#define UNIT_PREFIX "podvisor-pod@"
#define UNIT_SUFFIX ".service"

/* A pod's unit has a user of its own, "pod-NAME", and systemd takes no longer names of users than 31. */
enum { UNIT_POD_NAME_MAX = 27 };

/* "web" to "podvisor-pod@web.service"; the caller frees. A pod's name needs no escaping (schemas/formats.h). */
char *unit_of_pod(const char *name);

/* The pod in whose unit the process is, by its cgroup: the caller frees. NULL: in none, or it is gone. */
char *unit_pod_of_process(pid_t pid);

/*
 * The pod in whose unit the process is that connected this unix socket; NULL: none. Looked at while a pidfd proves that the
 * number stays this process's, and the process must be the user's still that it was then: each pod's unit has a user of
 * its own, so a number that went to another pod's process does not pass.
 */
char *unit_pod_of_peer(int socket, pid_t *ret_pid);

/* Whether the host can hold units to limits of this controller ("memory", "cpu"); true when it cannot be told. cgroups:
 * /sys/fs/cgroup. */
bool unit_has_controller(const char *cgroups, const char *controller);

/*
 * Whether a drop-in that an administrator wrote sets this property of the unit: then it counts, and podvisord leaves the
 * property alone. directories: where drop-ins are, NULL for the host's; key: "MemoryMax".
 */
bool unit_drop_in_sets(const char *const *directories, const char *name, const char *key);
