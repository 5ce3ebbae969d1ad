/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A tap on a bridge of the host, for one machine. A bridge of a network of podvisor's is made first, where it is not there (bridge-make.h).
 *
 * Theory of operation
 * -------------------
 * The tap is not persistent: it is there for as long as somebody has its descriptor, which from the machine's start on is QEMU alone. So no
 * crash leaves one behind, an adopted machine keeps its own, and nobody has to clean up. QEMU could make its own persistent, if it
 * was taken over; that one is taken away by the next start of its pod, whose tap has the same name.
 *
 * What protects others on the bridge from a hostile guest is what the kernel does at the bridge's port, for nothing:
 *
 *     locked, one static entry     a frame whose source is not the pod's hardware address does not pass (Linux 5.18)
 *     no learning                  nobody's traffic is drawn to the pod by a frame in another's name (before 5.18, too)
 *     no flooding                  what is for hosts that the bridge does not know is not shown to the pod
 *     guard                        a spanning tree is none of a pod's business
 *
 * Who has which *IP* address is not looked at: a pod can say that another's address is its own.
 */
#include "schemas/bridge-link.h"

/* How long the tap of the machine before, which has ended, may take to be gone. */
#define BRIDGE_TAP_TIMEOUT (5 * USEC_PER_SEC)

/* The descriptor of the tap, which is up and on the bridge, or negative errno with *ret_why, a clause (malloc'ed; NULL: out of memory). */
int bridge_join(const BridgeLink *link, char **ret_why) _warn_unused_;
