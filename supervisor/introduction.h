/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Runners that systemd started. Such a runner has a pod's name and a user of its own, and may read nothing of podvisord's:
 * so it asks.
 *
 * Theory of operation
 * -------------------
 *     systemd starts the unit  ──▶  the runner connects, introduces itself  ──▶  pod_introduce()
 *                                                                                  who is it, and may it? (its unit)
 *                                    a visitor waits at the pod:  observed.visiting
 *     reconcile(): launch or relaunch  ──▶  pod_admit()  instead of asking the launcher for another one
 *                                            the run path becomes the visitor's, images go along, it is the runner now
 *
 * Whoever started the unit is not asked for: podvisord's own launcher, systemd after a crash, or an operator. An operator's
 * start of a pod that rests lifts its hold, as `podvisor start` does.
 *
 * Invariants: a visitor is a process of the pod's own unit, proved by the cgroup that systemd has put it into, before and
 * after a pidfd of it was taken. The run path is handed over by descriptor, one level deep, and only what was podvisord's or
 * an earlier runner's of this pod. `pod->visitor` is bound to the pod; `observed.visiting` is true exactly while it is set.
 */
#include "supervisor/pod.h"

/* NULL: it waits; else why not (static). */
const char *pod_introduce(Pod *pod, RunnerLink *link);
/* The visitor becomes the pod's runner: 0 or negative errno. It is a visitor no more in either case. */
int pod_admit(Pod *pod);
/* The visitor hung up. */
void pod_visitor_lost(Pod *pod);
/* Ends the visit without a word to the pod. */
void pod_drop_visitor(Pod *pod);
/* For listener_open(): the process is of the unit of some pod. */
bool peer_is_of_a_pod(pid_t pid, uid_t uid);
