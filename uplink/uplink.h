/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * podvisor-uplink: the way of one pod's packets to the host's network. One process beside passt, which it starts and watches; it ends
 * with the machine, or with passt, and is the only thing that needs to.
 *
 * A pod that is on a bridge gets a tap instead (bridge.h): the runner gets its descriptor, and this process ends.
 *
 * podvisord itself has it take bridges away which no network of pods has any more (bridge-make.h).
 *
 *     order (the runner's)  -->  ports tried  -->  privileges given away  -->  passt  -->  guard.h, until the end
 *
 * passt keeps its own sandbox, for which it needs namespaces of its own; so what limits it further must leave it those. Of root
 * nothing is left but, where a pod publishes such a port, the right to take ports below 1024.
 */
#include "schemas/uplink-protocol.h"

/* How long a runner may take to say what it wants. */
#define UPLINK_ORDER_TIMEOUT (10 * USEC_PER_SEC)

typedef struct UplinkOrder {
    UplinkBegin begin;
    int lock;
    int guest;
    bool join;  /* it asks for a tap: of the others nothing came */
    bool sweep; /* it is podvisord, and wants bridges to be gone: of the others nothing came */
    UplinkSweep bridges;
} UplinkOrder;

/* The runner's packets: 0 or negative errno. The caller calls uplink_order_done() either way. */
int uplink_order_receive(int runner, UplinkOrder *ret);
void uplink_order_done(UplinkOrder *order);

/* The rest of its life: 0 when the machine is gone, or has its tap; else what went wrong was told to the runner. */
int uplink_run(int runner, UplinkOrder *order);
/* Tells the runner that nothing comes of it. Takes why. */
void uplink_refuse(int runner, char *why);
