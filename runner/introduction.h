/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The first minute of a runner that a service manager started: podvisor-runner POD.
 *
 * Theory of operation
 * -------------------
 * The unit knows the pod's name and nothing else; which backend it has stands in a definition that is not there yet, or not
 * readable yet. So this program asks podvisord (schemas/runner-protocol.h), waits until it is let in, and becomes
 * podvisor-runner-BACKEND on the run path, with the images as descriptors.
 *
 *     a machine of this pod runs, and its definition is readable    become the runner at once: podvisord may be away
 *     otherwise                                                     ask; whoever may start it is told by the definition
 *
 * It waits as long as podvisord lets it wait (for a turn to start, for another pod), which systemd shows as "activating";
 * only a podvisord that is not there is given up on, after INTRODUCTION_TIMEOUT. SIGTERM ends it at once: nothing was begun.
 */
#include "schemas/paths.h"

#define INTRODUCTION_TIMEOUT (60 * USEC_PER_SEC)

/* Becomes the runner; returns only when it cannot: an exit status (runner/runner-main.h), with the cause logged. */
int introduction_run(const Paths *paths, const char *pod);
