/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "supervisor/pod.h"

/* The runner that waits already, or another one. 0: it is there, or under way; else negative errno (logged). */
int pod_spawn_runner(Pod *pod, const PodDefinition *definition);
/*
 * Describes the pod's next machine in d, which schema_init() has made, writes it into the run path, and spawns the runner. 0, or
 * negative errno with the reason in *ret_error (malloc'ed); what was done until then is done again by the next launch.
 */
int pod_launch(Pod *pod, RunDefinition *d, char **ret_error);
