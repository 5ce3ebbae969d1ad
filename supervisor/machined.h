/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Pods as machines of systemd-machined, so that `machinectl list, status, poweroff, reboot, terminate` know them.
 *
 * Theory of operation
 * -------------------
 * A machine has the pod's name (every pod's name is a valid machine name: schemas/formats.h), the machine's UUID, class "vm",
 * service "podvisor", and the runner's process as its leader: that is whom `poweroff` and `reboot` signal. For each pod this
 * module knows two things: the leader that should be registered, and the one that is. While they differ, one call is under
 * way, and its answer leads to the next:
 *
 *     should     is          call
 *     a leader   none        RegisterMachine; if the name is taken: look whose it is
 *     a leader   another     UnregisterMachine, then as above: machined has no way to give a machine another leader
 *     none       a leader    UnregisterMachine
 *
 * A leader should be registered while a machine lives and its runner has said who it is. Between two runners of one machine
 * nothing is changed. What is registered is believed as long as the connection with the bus lasts; with each new one it is
 * looked up, which also finds the machines of pods that ended while podvisord was away.
 *
 * Invariants
 * - Only machines of service "podvisor" are ever unregistered.
 * - Only a runner in the unit of its own pod is registered: to machined a machine *is* its unit, and `machinectl terminate`
 *   of a machine whose leader runs in podvisord's own unit would stop podvisord. So with the direct launcher there are none.
 * - machined is never waited for, and no failure of it concerns a pod. Each is told once.
 * - A machine is unregistered before its unit ends: machined stops the units of machines that it collects itself.
 *
 * All functions accept a NULL Machined, which is an instance that registers nothing.
 */
#include "base/macro.h"

typedef struct Machined Machined;
typedef struct Pod Pod;
typedef struct Supervisor Supervisor;

/* *ret is NULL where nothing is to be registered: by podvisord.conf, or because the instance is not the system's. */
int machined_new(Machined **ret, Supervisor *supervisor);
/* What is registered stays. */
Machined *machined_free(Machined *m);
DEFINE_CLEANUP(Machined *, machined_free)

/* Something about the pod may have changed. */
void machined_pod(Machined *m, Pod *pod);
/* The pod is about to be freed. */
void machined_pod_gone(Machined *m, Pod *pod);
