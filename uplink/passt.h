/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * passt's command line: a pure function of the pod's network and of descriptors. What a pod file says gets in here as numbers
 * and addresses that were read and are written anew.
 *
 * The choices behind the arguments:
 * - the guest is told its addresses by its agent, so nothing is served by which it could ask for others (--no-dhcp, --no-ra);
 * - not --no-map-gw: it would leave datagrams from the host's loopback without an answer. What passt then takes to the loopback for a
 *   guest stands under guard (frames.h);
 * - it does not go into the background, so that whoever started it sees its end.
 */
#include "schemas/uplink-protocol.h"

#define PASST_FD "/proc/self/fd/%d"

typedef struct PasstInputs {
    int guest;    /* connected to the guest's network device, or to what stands before it */
    int ready;    /* it writes its process id there when all is set up */
    bool offline; /* the host has no default route, by which passt would choose the interface to look like */
} PasstInputs;

/* A strv whose first element is the program: 0, -EINVAL when a port cannot be read, or -ENOMEM. */
int passt_arguments(const UplinkBegin *begin, const PasstInputs *inputs, char ***ret);

/* True where /proc/net has no default route, of either protocol. */
bool passt_is_offline(void);
