/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Runner <-> podvisor-uplink: packets on a unix socket, podvisor-uplink's standard input.
 *
 *     runner                               podvisor-uplink
 *     lock + descriptor ------------------>            held for as long as it lives: it is the pod's only one
 *     begin{network, passt} + descriptor ->            the connection to the guest's network device
 *                <-------- process{pid}                which one it is, for who asks what a pod costs
                <-------- ready                       passt runs, and every port is open
 *                <-------- ended{message}              and why; nothing follows. Also instead of ready
 *
 *     join{link} ------------------------->            or this alone, for a pod that is on a bridge
 *                <-------- tap + descriptor            the tap is on the bridge; nothing follows
 *                <-------- ended{message}              or why not; nothing follows
 *
 *     podvisord                            podvisor-uplink
 *     sweep{bridges} -------------------->             these are not wanted any more
 *                <-------- ready                       each that was podvisor's, and had no port, is gone
 *                <-------- ended{message}              or what went wrong; nothing follows
 *
 * The runner may go away at any time after that; the uplink stays for as long as the machine does. Where the
 * runner has a unit, what it says in `begin` or `join` counts for nothing: podvisord's record does (supervisor/uplink-door.h).
 */
#include "schemas/bridge-link.h"
#include "schemas/message.h"

enum { UPLINK_PACKET_MAX = 64 * 1024 };

typedef enum UplinkMessageType {
    UPLINK_LOCK,
    UPLINK_BEGIN,
    UPLINK_READY,
    UPLINK_ENDED,
    UPLINK_JOIN,
    UPLINK_TAP,   /* with the descriptor of the tap */
    UPLINK_SWEEP, /* podvisord's alone */
    UPLINK_PROCESS,
    UPLINK_MESSAGE_MAX,
} UplinkMessageType;
extern const MessageTable uplink_protocol;

typedef struct UplinkBegin {
    NetworkDefinition network;
    char *passt; /* the program */
    char *mac;   /* "02:...", of the machine's interface; NULL: not told (a runner of before) */
    BridgeLink link;
} UplinkBegin;
extern const Schema uplink_begin_schema;

/* A bridge that podvisor has made. */
typedef struct UplinkBridge {
    char *bridge;
    char *mac; /* that it has if it is podvisor's */
} UplinkBridge;
extern const Schema uplink_bridge_schema;

enum { UPLINK_BRIDGES_MAX = 256 };

typedef struct UplinkSweep {
    UplinkBridge *bridges;
    size_t n_bridges;
} UplinkSweep;
extern const Schema uplink_sweep_schema;

/* The one that guards passt, which is its child (base/process.h). */
typedef struct UplinkProcess {
    uint64_t pid;
    uint64_t start_time;
} UplinkProcess;
extern const Schema uplink_process_schema;

typedef struct UplinkEnded {
    char *message;
} UplinkEnded;
extern const Schema uplink_ended_schema;
