/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/formats.h"
#include "schemas/uplink-protocol.h"

static const Field begin_fields[] = {
    { F_GROUP(UplinkBegin, network, network_schema), .doc = "The pod's network." },
    { F_STRING(UplinkBegin, passt), .format = &format_absolute_path, .doc = "The passt program." },
    { F_STRING(UplinkBegin, mac), .doc = "The hardware address of the machine's interface." },
    { F_GROUP(UplinkBegin, link, bridge_link_schema), .doc = "How it is on a bridge." },
};
DEFINE_SCHEMA(uplink_begin_schema, UplinkBegin, "begin", "Which network is to be made.", begin_fields);

static const Field bridge_fields[] = {
    { F_STRING(UplinkBridge, bridge), .flags = FIELD_KEY, .format = &format_interface, .doc = "Its name." },
    { F_STRING(UplinkBridge, mac), .doc = "Its hardware address." },
};
DEFINE_SCHEMA(uplink_bridge_schema, UplinkBridge, "bridge", "A bridge that podvisor made.", bridge_fields);

static const Field sweep_fields[] = {
    { F_LIST(UplinkSweep, bridges, uplink_bridge_schema), .max = UPLINK_BRIDGES_MAX,
      .doc = "The bridges that are not wanted any more." },
};
DEFINE_SCHEMA(uplink_sweep_schema, UplinkSweep, "sweep", "What is to be taken away.", sweep_fields);

static const Field process_fields[] = {
    { F_UNSIGNED(UplinkProcess, pid), .max = INT32_MAX, .doc = "Its number." },
    { F_UNSIGNED(UplinkProcess, start_time), .doc = "When it began, in clock ticks of the host's boot." },
};
DEFINE_SCHEMA(uplink_process_schema, UplinkProcess, "process", "The process that is a pod's network.",
              process_fields);

static const Field ended_fields[] = {
    { F_STRING(UplinkEnded, message), .doc = "Why, in words." },
};
DEFINE_SCHEMA(uplink_ended_schema, UplinkEnded, "ended", "There is no network any more.", ended_fields);

static const MessageType types[] = {
    [UPLINK_LOCK] = { "lock", NULL, "what shows that the uplink lives" },
    [UPLINK_BEGIN] = { "begin", &uplink_begin_schema,
                       "the connection to the guest, and which network it gets" },
    [UPLINK_READY] = { "ready", NULL, "the network is there" },
    [UPLINK_ENDED] = { "ended", &uplink_ended_schema, "the network is gone, or could not be made" },
    [UPLINK_JOIN] = { "join", &uplink_begin_schema, "the machine is to be on a bridge" },
    [UPLINK_TAP] = { "tap", NULL, "the descriptor that comes along is the machine's end" },
    [UPLINK_PROCESS] = { "process", &uplink_process_schema, "which process it is" },
    [UPLINK_SWEEP] = { "sweep", &uplink_sweep_schema, "bridges of networks that are gone" },
};
_Static_assert(ELEMENTSOF(types) == UPLINK_MESSAGE_MAX, "every message has a row");

const MessageTable uplink_protocol = {
    .what = "uplink protocol",
    .types = types,
    .n_types = UPLINK_MESSAGE_MAX,
    .limits = { .size = UPLINK_PACKET_MAX, .depth = 4, .count = 2048 },
};
