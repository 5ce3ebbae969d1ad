/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <systemd/sd-id128.h>

#include "base/ip-address.h"
#include "base/strings.h"
#include "schemas/publish.h"
#include "supervisor/networks.h"
#include "supervisor/pod-network.h"

static int copy_link(const BridgeLink *from, BridgeLink *to)
{
    BridgeLink copy;

    int r = schema_copy(&bridge_link_schema, from, &copy);
    if (r < 0)
        return r;
    schema_done(&bridge_link_schema, to);
    *to = copy;
    return 0;
}

int pod_network_describe(const Pod *pod, RunDefinition *d)
{
    const Supervisor *s = pod->supervisor;

    if (d->pod.network.mode == NETWORK_NONE)
        return 0;
    int r = str_replace(&d->passt, d->pod.network.mode == NETWORK_USER ? s->config->passt : NULL);
    if (r < 0 || (r = copy_link(&pod->record.link, &d->link)) < 0 || (r = networks_hosts(pod, &d->peers)) < 0)
        return r;
    /* A unit has no network that a child of its runner could use. */
    char **way = s->units ? &d->uplink_socket : &d->uplink;
    free(*way);
    *way =
        s->units ? strf("%s/" PATHS_UPLINK, s->paths->run) : strf("%s/podvisor-uplink", s->paths->programs);
    return *way ? 0 : -ENOMEM;
}

/* A host without an identity has its name. */
char *pod_network_instance(const Paths *paths)
{
    char host[HOST_NAME_MAX + 1] = "", text[SD_ID128_STRING_MAX];
    sd_id128_t id;

    if (sd_id128_get_machine(&id) >= 0)
        return strf("%s %s", sd_id128_to_string(id, text), paths->run);
    (void)gethostname(host, sizeof host - 1);
    return strf("%s %s", host, paths->run);
}

/* network: as the definition has it, with what its network adds to that. */
static int record_link(Pod *pod, const NetworkDefinition *network, BridgeMake *make)
{
    _cleanup_(freep) char *instance = pod_network_instance(pod->supervisor->paths);
    BridgeLink link;

    if (!instance)
        return -ENOMEM;
    int r = network->mode == NETWORK_BRIDGE ? bridge_link_make(instance, pod->name, network, &link)
                                            : schema_init(&bridge_link_schema, &link);
    if (r < 0)
        return r;
    schema_done(&bridge_make_schema, &link.make);
    link.make = take_struct(*make);
    schema_done(&bridge_link_schema, &pod->record.link);
    pod->record.link = link;
    return 0;
}

static int record_network(Pod *pod, NetworkDefinition *network, char **ret_error)
{
    BridgeMake make = { 0 };
    int r = 0;

    if (network->mode == NETWORK_BRIDGE && network->network)
        r = networks_choose(pod, network, &make, ret_error);
    if (r >= 0)
        r = record_link(pod, network, &make);
    schema_done(&bridge_make_schema, &make);
    return r;
}

int pod_network_record(Pod *pod, char **ret_error)
{
    PodRecord *record = &pod->record;
    NetworkDefinition copy;

    /* Of what the machine before had, nothing is left. */
    schema_done(&bridge_link_schema, &record->link);
    int r = schema_copy(&network_schema, &pod->definition.network, &copy);
    if (r < 0)
        return r;
    if ((r = record_network(pod, &copy, ret_error)) < 0) {
        schema_done(&network_schema, &copy);
        return r;
    }
    schema_done(&network_schema, &record->network);
    record->network = copy;
    return str_replace(&record->passt, copy.mode == NETWORK_USER ? pod->supervisor->config->passt : NULL);
}

static bool same_address(const BridgeLink *a, const BridgeLink *b)
{
    return a->bridge && streq_ptr(a->bridge, b->bridge) && ip_text_equal(a->address, b->address);
}

/* 0, or -EADDRINUSE with *ret_error. */
static int check_against(const Pod *pod, const Pod *other, char **ret_error)
{
    const BridgeLink *link = &pod->record.link;
    _cleanup_(freep) char *port =
        publish_collision(pod->definition.network.publish, other->record.network.publish);

    if (port)
        *ret_error = strf("the port %s is published by the pod %s, which runs", port, other->name);
    else if (same_address(link, &other->record.link))
        *ret_error = strf("the address %.*s on the bridge %s is that of the pod %s, which runs",
                          (int)strcspn(link->address, "/"), link->address, link->bridge, other->name);
    else
        return 0;
    return -EADDRINUSE;
}

int pod_network_check(const Pod *pod, char **ret_error)
{
    const Supervisor *s = pod->supervisor;
    bool shares = pod->definition.network.publish || pod->record.link.bridge;
    int r = 0;

    for (size_t i = 0; shares && r == 0 && i < s->n_pods; i++)
        if (s->pods[i] != pod && reconcile_alive(&s->pods[i]->observed))
            r = check_against(pod, s->pods[i], ret_error);
    return r;
}
