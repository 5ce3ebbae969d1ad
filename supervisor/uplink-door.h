/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How the runner of a pod that has a unit gets a network for its machine, without having one itself.
 *
 *     runner ──▶ /run/podvisor/uplink.socket ──▶ systemd ──▶ podvisor-uplink, one process for each connection, which
 *                                                            1. proves whose process its peer is (unit_pod_of_peer())
 *                                                            2. reads in podvisord's record which network that pod has
 *                                                            3. becomes that network (uplink/uplink.h)
 *
 * What the runner asks for does not count: it runs as the machine's user. The record is podvisord's own, written before the
 * runner is let in, in a place where only root writes (supervisor/pod-record.h).
 */
#include "schemas/paths.h"
#include "schemas/uplink-protocol.h"

/* Whether root's process is at the other end of this socket, as no pod's runner is: podvisord, which has bridges taken away. That only goes
 * for those that are podvisor's and have no port. */
bool uplink_door_is_host(int socket);

/* The network of the pod whose runner is at the other end of this socket: 0 with *ret for schema_done() and *ret_pod, or negative errno
 * with *ret_why, a clause (malloc'ed; NULL: out of memory). */
int uplink_door_admit(const Paths *paths, int socket, UplinkBegin *ret, char **ret_pod, char **ret_why);
