/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Pauses the pods before the host sleeps, and lets them go on afterwards; their runners set the guests' clocks then.
 *
 * Invariant: record.asleep of a pod is true from before it is told to pause until it was told to go on. So a podvisord that
 * was killed in between leaves nobody paused.
 */
#include "base/macro.h"

typedef struct HostSleep HostSleep;
typedef struct Supervisor Supervisor;

int host_sleep_new(HostSleep **ret, Supervisor *supervisor);
/* After all pods have been freed. */
HostSleep *host_sleep_free(HostSleep *h);
DEFINE_CLEANUP(HostSleep *, host_sleep_free)

/* Pauses all that run. done() is called once, when all are paused or have had their time; maybe at once. */
void host_sleep_begins(HostSleep *h, void (*done)(void *userdata), void *userdata);
/* Those that were paused go on. Harmless when there was no sleep. */
void host_sleep_over(HostSleep *h);
