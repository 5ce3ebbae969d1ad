/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/publish.h"
#include "supervisor/pod-network.h"

int pod_network_describe(const Supervisor *s, RunDefinition *d)
{
    if (d->pod.network.mode != NETWORK_USER)
        return 0;
    int r = str_replace(&d->passt, s->config->passt);
    if (r < 0)
        return r;
    /* A unit has no network that a child of its runner could use. */
    char **way = s->units ? &d->uplink_socket : &d->uplink;
    free(*way);
    *way =
        s->units ? strf("%s/" PATHS_UPLINK, s->paths->run) : strf("%s/podvisor-uplink", s->paths->programs);
    return *way ? 0 : -ENOMEM;
}

int pod_network_record(Pod *pod)
{
    PodRecord *record = &pod->record;
    const NetworkDefinition *network = &pod->definition.network;
    NetworkDefinition copy;

    int r = schema_copy(&network_schema, network, &copy);
    if (r < 0)
        return r;
    schema_done(&network_schema, &record->network);
    record->network = copy;
    return str_replace(&record->passt, network->mode == NETWORK_USER ? pod->supervisor->config->passt : NULL);
}

int pod_network_check(const Pod *pod, char **ret_error)
{
    const Supervisor *s = pod->supervisor;
    char *const *mine = pod->definition.network.publish;

    for (size_t i = 0; mine && i < s->n_pods; i++) {
        const Pod *other = s->pods[i];
        if (other == pod || !reconcile_alive(&other->observed))
            continue;
        _cleanup_(freep) char *port = publish_collision(mine, other->record.network.publish);
        if (!port)
            continue;
        *ret_error = strf("the port %s is published by the pod %s, which runs", port, other->name);
        return -EADDRINUSE;
    }
    return 0;
}
