/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"
#include "schemas/user-network.h"
#include "supervisor/pod-record.h"
#include "supervisor/unit.h"
#include "supervisor/uplink-door.h"

static int copy_network(const char *pod, const PodRecord *record, UplinkBegin *ret)
{
    char mac[USER_NETWORK_MAC_SIZE];
    NetworkDefinition network;
    BridgeLink link;

    int r = schema_init(&uplink_begin_schema, ret);
    if (r < 0)
        return r;
    if ((r = schema_copy(&network_schema, &record->network, &network)) >= 0) {
        schema_done(&network_schema, &ret->network);
        ret->network = network;
        r = str_replace(&ret->passt, record->passt);
    }
    if (r >= 0)
        r = user_network_mac(pod, mac);
    if (r >= 0)
        r = str_replace(&ret->mac, mac);
    if (r >= 0 && (r = schema_copy(&bridge_link_schema, &record->link, &link)) >= 0) {
        schema_done(&bridge_link_schema, &ret->link);
        ret->link = link;
    }
    if (r < 0)
        schema_done(&uplink_begin_schema, ret);
    return r;
}

static int read_network(const Paths *paths, const char *pod, UplinkBegin *ret, char **ret_why)
{
    _cleanup_(freep) char *path = strf("%s/" PATHS_PODS "/%s", paths->run, pod), *detail = NULL;
    PodRecord record;

    if (!path)
        return -ENOMEM;
    _cleanup_(closep) int run_path = dir_open_at(AT_FDCWD, path);
    if (run_path < 0)
        return run_path;
    CheckpointOutcome outcome = checkpoint_read(run_path, &pod_record_kind, &record, NULL, &detail);
    if (outcome != CHECKPOINT_GOOD) {
        *ret_why = strf("podvisord's record of it cannot be used: %s",
                        detail ?: enum_to_string(&checkpoint_outcome_table, (int)outcome));
        return -EACCES;
    }
    bool wanted = record.network.mode == NETWORK_BRIDGE ? record.link.bridge != NULL
                                                        : record.network.mode == NETWORK_USER && record.passt;
    int r = wanted ? copy_network(pod, &record, ret) : -EACCES;
    if (!wanted)
        *ret_why = strdup("its definition gives it no network");
    schema_done(&pod_record_schema, &record);
    return r;
}

bool uplink_door_is_host(int socket)
{
    _cleanup_(freep) char *pod = NULL;
    pid_t pid;
    uid_t user;

    if (socket_peer(socket, &pid, &user) < 0 || user != 0)
        return false;
    pod = unit_pod_of_peer(socket, &pid);
    return !pod;
}

int uplink_door_admit(const Paths *paths, int socket, UplinkBegin *ret, char **ret_pod, char **ret_why)
{
    pid_t pid = 0;
    _cleanup_(freep) char *pod = unit_pod_of_peer(socket, &pid), *why = NULL;

    if (!pod) {
        *ret_why = strf("process %d is not of a pod's unit", (int)pid);
        return -EACCES;
    }
    int r = read_network(paths, pod, ret, &why);
    if (r < 0) {
        *ret_why = strf("process %d is of the pod %s; %s", (int)pid, pod, why ?: strerror(-r));
        return r;
    }
    *ret_pod = take_ptr(pod);
    return 0;
}
