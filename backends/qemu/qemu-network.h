/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The network of a machine of QEMU's: an uplink (backends/uplink.h) that is connected with QEMU's `network` socket.
 *
 * A machine that is on a bridge has a tap instead, which an uplink only makes: it is QEMU's own from then on, and ends with it.
 *
 * It is made before QEMU is started, so that a port which is taken ends the start with its reason and costs no boot. When it ends
 * while the machine runs, that goes on without a network, its state says why, and another is made after a wait that grows from
 * NETWORK_RETRY_MIN to NETWORK_RETRY_MAX. QEMU takes the new connection as it took the first: to the guest a cable was out.
 * What was connected through the old one is cut off.
 */
#include "backends/uplink.h"

#define QEMU_NETWORK_SOCKET "network"
#define NETWORK_RETRY_MIN (250 * USEC_PER_MSEC)
#define NETWORK_RETRY_MAX (30 * USEC_PER_SEC)
/* One that was there for so long begins anew with the shortest wait. */
#define NETWORK_GOOD (60 * USEC_PER_SEC)
/* After an adoption the uplink is looked at once more: it may have been about to end. */
#define NETWORK_LOOK_AGAIN (2 * USEC_PER_SEC)

typedef struct QemuVm QemuVm;

typedef struct QemuNetwork {
    Uplink *uplink;
    int end; /* for QEMU: a listening socket, or the tap; -1: it has it, or there is no network */
    bool up;
    bool lost; /* was told */
    usec_t delay, since;
    sd_event_source *retry;
} QemuNetwork;

/* Before QEMU is spawned: 1 when there is a network, or none is wanted; 0: on_start is called again when there is, and the start is
 * ended when there will be none; or negative errno with *message. */
int qemu_network_make(QemuVm *q, char **message);
/* The machine runs, and has proved itself: from here on the network is looked after. */
void qemu_network_keep(QemuVm *q);
/* QEMU says that its connection is closed. */
void qemu_network_closed(QemuVm *q);
/* Lets go of everything, without a word. */
void qemu_network_done(QemuNetwork *n);
