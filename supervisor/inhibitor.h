/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The host's shutdown and sleep: pods end, or are paused, before it.
 *
 * Theory of operation
 * -------------------
 * logind tells of both before they begin, and waits for those who have taken a delay inhibitor (at most InhibitDelayMaxSec= of
 * logind.conf(5), for which packaging/ has a drop-in). So:
 *
 *     shutdown   all pods are stopped, each before those that it comes after, and the inhibitor is let go. What is still
 *                stopping when logind waits no longer goes on stopping: the pods' units are told to stop as well then,
 *                which a pod that is stopping already takes for the same wish, and no unit is killed before its pod's time
 *                to stop is over. podvisord's own unit is stopped after all of them.
 *     sleep      (suspend = "pause") all pods that run are paused, and the inhibitor is let go; afterwards they go on, and
 *                their runners set the guests' clocks. Who was paused so is on record first, so that the next podvisord knows
 *                it, too; a pod that an operator had paused stays as it is.
 *
 * A host without logind has neither; there the units alone stop the pods. doc/decisions/0010-the-host-goes-down.md has why both.
 *
 * SIGTERM to podvisord means that podvisord ends and the pods go on, unless the host shuts down and nobody else ends them:
 * while all pods are being ended podvisord stays until that is done; and with the direct launcher it asks systemd whether the
 * host shuts down, and then ends them itself.
 *
 * All functions accept a NULL Inhibitor.
 */
#include "base/macro.h"

typedef struct Inhibitor Inhibitor;
typedef struct Supervisor Supervisor;

/* *ret is NULL for an instance without the system's bus. */
int inhibitor_new(Inhibitor **ret, Supervisor *supervisor);
/* Lets go of what it holds. After all pods have been freed. */
Inhibitor *inhibitor_free(Inhibitor *i);
DEFINE_CLEANUP(Inhibitor *, inhibitor_free)

/* podvisord is to end: calls leave() when it may, which can be at once. A second call is impatience: at once. */
void inhibitor_leave(Inhibitor *i, void (*leave)(void *userdata), void *userdata);
