/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The bridges of networks that podvisor manages: made when a pod joins one, and taken away when it is not wanted any more.
 *
 * Theory of operation
 * -------------------
 * A bridge is podvisor's if it has the hardware address that is made of its network's name, this podvisord and this host: it gets that in the
 * same step by which it comes to be, so there is no moment in which one is nobody's. Any other interface of that name is left alone.
 *
 * Each step can be repeated: whoever joins does all of them, so that one which was begun and not finished is finished. A bridge with another
 * address than is wanted, and without a port, is made anew: its network has another definition now. One with a port stays.
 *
 * All of it happens under a lock, so that nobody takes away what another is about to join.
 */
#include "schemas/uplink-protocol.h"

/* How long another may take to make or join a bridge. */
#define BRIDGE_LOCK_TIMEOUT (10 * USEC_PER_SEC)

/* Of this network namespace; it is held until the descriptor is closed. Negative errno. */
int bridge_lock(void) _warn_unused_;

/* Is it a bridge? Some interfaces have no driver that could be asked, and are none. socket: of any kind. */
bool bridge_is(int socket, const char *name);

/* Under the lock: the bridge is there, up, with its address. link->network is set. 0, or negative errno with *ret_why, a clause
 * (malloc'ed; NULL: out of memory). */
int bridge_make(const BridgeLink *link, char **ret_why);
/* Under the lock: it is gone, if it was podvisor's. 0; -EBUSY: something is on it; or negative errno with *ret_why. */
int bridge_sweep(const UplinkBridge *bridge, char **ret_why);
