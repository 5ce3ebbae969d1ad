/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Runner <-> podvisor-uplink: packets on a unix socket, podvisor-uplink's standard input.
 *
 *     runner                               podvisor-uplink
 *     lock + descriptor ------------------>            held for as long as it lives: it is the pod's only one
 *     begin{network, passt} + descriptor ->            the connection to the guest's network device
 *                <-------- ready                       passt runs, and every port is open
 *                <-------- ended{message}              and why; nothing follows. Also instead of ready
 *
 * The runner may go away at any time after that; the uplink stays for as long as the machine does. Where the
 * runner has a unit, what it says in `begin` counts for nothing: podvisord's record does (supervisor/uplink-door.h).
 */
#include "schemas/message.h"
#include "schemas/pod-definition.h"

enum { UPLINK_PACKET_MAX = 64 * 1024 };

typedef enum UplinkMessageType {
    UPLINK_LOCK,
    UPLINK_BEGIN,
    UPLINK_READY,
    UPLINK_ENDED,
    UPLINK_MESSAGE_MAX,
} UplinkMessageType;
extern const MessageTable uplink_protocol;

typedef struct UplinkBegin {
    NetworkDefinition network;
    char *passt; /* the program */
} UplinkBegin;
extern const Schema uplink_begin_schema;

typedef struct UplinkEnded {
    char *message;
} UplinkEnded;
extern const Schema uplink_ended_schema;
