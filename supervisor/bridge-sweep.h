/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Has podvisor-uplink take away bridges that no network has any more: podvisord itself has no network, and no right to one. One conversation
 * at a time, with a deadline; by the uplink's socket where pods have units, and with a child else.
 */
#include "schemas/uplink-protocol.h"

typedef struct Supervisor Supervisor;
typedef struct BridgeSweep BridgeSweep;

#define BRIDGE_SWEEP_TIMEOUT (30 * USEC_PER_SEC)

/* Fills *ret, which schema_init() has made, with all that are to go: 0 or -ENOMEM. */
typedef int (*BridgeSweepList)(void *userdata, UplinkSweep *ret);
/* Those that were podvisor's are gone, or are in use again. From the event loop. */
typedef void (*BridgeSweepDone)(void *userdata, const UplinkSweep *done);

int bridge_sweep_new(BridgeSweep **ret, Supervisor *supervisor, BridgeSweepList list, BridgeSweepDone done,
                     void *userdata);
BridgeSweep *bridge_sweep_free(BridgeSweep *b);

/* There is something to do. What goes wrong is logged; it is done with the next one that is begun. */
void bridge_sweep_begin(BridgeSweep *b);
