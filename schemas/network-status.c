/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/network-status.h"

static const Field pod_fields[] = {
    { F_STRING(NetworkPod, pod), .flags = FIELD_KEY, .doc = "The pod." },
    { F_STRING(NetworkPod, address), .doc = "Its address." },
    { F_BOOL(NetworkPod, running), .doc = "Whether its machine has it now." },
};
DEFINE_SCHEMA(network_pod_schema, NetworkPod, "pod of a network", "A pod and its address.", pod_fields);

static const Field fields[] = {
    { F_STRING(NetworkStatus, name), .flags = FIELD_KEY, .doc = "The network's name." },
    { F_STRING(NetworkStatus, description), .doc = "What it is for." },
    { F_STRING(NetworkStatus, file), .doc = "The file that declares it." },
    { F_BOOL(NetworkStatus, declared), .doc = "Whether there is a file that declares it." },
    { F_STRING(NetworkStatus, subnet), .doc = "Its addresses." },
    { F_STRING(NetworkStatus, gateway), .doc = "The host's own address there." },
    { F_STRING(NetworkStatus, bridge), .doc = "The bridge." },
    { F_UNSIGNED(NetworkStatus, mtu), .doc = "The largest packet." },
    { F_BOOL(NetworkStatus, made), .doc = "Whether the bridge was made." },
    { F_BOOL(NetworkStatus, changed),
      .doc = "Whether the file says something else, which counts when no pod is on the network." },
    { F_STRV(NetworkStatus, errors), .doc = "What is wrong with the file." },
    { F_LIST(NetworkStatus, pods, network_pod_schema), .doc = "The pods that have an address there." },
};
DEFINE_SCHEMA(network_status_schema, NetworkStatus, "network", "A network that podvisor manages.", fields);

static const Field list_fields[] = {
    { F_LIST(NetworkList, networks, network_status_schema), .doc = "The networks, by name." },
};
DEFINE_SCHEMA(network_list_schema, NetworkList, "network list", "The networks of this host.", list_fields);
