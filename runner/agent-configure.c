/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/random.h>

#include "base/strings.h"
#include "runner/agent-configure.h"
#include "schemas/user-network.h"

enum { ENTROPY_SIZE = 64 };

static int entropy_fill(Bytes *b)
{
    uint8_t *p = bytes_reserve(b, ENTROPY_SIZE);

    if (!p)
        return -ENOMEM;
    if (getrandom(p, ENTROPY_SIZE, 0) != ENTROPY_SIZE)
        return -EIO;
    b->size += ENTROPY_SIZE;
    return 0;
}

static int volumes_fill(const PodDefinition *pod, AgentConfigure *ret)
{
    const Field *field = schema_field(&agent_configure_schema, "volumes");

    for (size_t i = 0; i < pod->n_volumes; i++) {
        VolumeDefinition *v = field_append(field, ret), copy;
        if (!v || schema_copy(&volume_schema, &pod->volumes[i], &copy) < 0)
            return -ENOMEM;
        /* Where it is on the host is nobody's business in the guest. */
        copy.source = (free(copy.source), NULL);
        schema_done(&volume_schema, v);
        *v = copy;
    }
    return 0;
}

static int disks_fill(const RunDefinition *d, AgentConfigure *ret)
{
    const Field *field = schema_field(&agent_configure_schema, "disks");
    uint64_t id;

    for (size_t i = 0; i < d->n_disks; i++) {
        if (!run_disk_volume(d, &d->disks[i], &id))
            return -EINVAL;
        AgentDisk *disk = field_append(field, ret);
        if (!disk || str_replace(&disk->volume, d->disks[i].volume) < 0)
            return -ENOMEM;
        disk->disk = id;
    }
    return 0;
}

static int shares_fill(const RunDefinition *d, AgentConfigure *ret)
{
    const Field *field = schema_field(&agent_configure_schema, "shares");
    size_t index;

    for (size_t i = 0; i < d->n_shares; i++) {
        if (!run_share_volume(d, &d->shares[i], &index))
            return -EINVAL;
        AgentShare *share = field_append(field, ret);
        if (!share || str_replace(&share->volume, d->shares[i].volume) < 0 ||
            !(share->tag = run_share_tag(index)))
            return -ENOMEM;
    }
    return 0;
}

/* An empty list of strings is NULL, as a copy that failed is. */
static int strings_copy(char **from, char ***to)
{
    *to = strv_copy(from);
    return *to || strv_length(from) == 0 ? 0 : -ENOMEM;
}

static int container_fill(const RunDefinition *d, const ContainerDefinition *from, AgentContainer *to)
{
    const RunImage *image = run_definition_image(d, from->name);
    ContainerDefinition copy;

    if (!image)
        return -ENOENT;
    if (schema_copy(&container_schema, from, &copy) < 0)
        return -ENOMEM;
    schema_done(&container_schema, &to->definition);
    to->definition = copy;
    to->disk = run_definition_disk(d, (size_t)(image - d->images));
    if (strings_copy(image->command, &to->command) < 0 ||
        strings_copy(image->environment, &to->environment) < 0)
        return -ENOMEM;
    if (str_replace(&to->working_dir, image->working_dir) < 0 || str_replace(&to->user, image->user) < 0)
        return -ENOMEM;
    return str_replace(&to->stop_signal, image->stop_signal);
}

static int bridge_fill(const BridgeLink *l, AgentNetwork *n)
{
    n->mtu = l->mtu;
    int r = str_replace(&n->mac, l->mac);
    if (r >= 0 && !n->dhcp)
        r = l->address ? strv_append(&n->addresses, l->address) : -EINVAL;
    if (r >= 0 && l->gateway)
        r = strv_append(&n->gateways, l->gateway);
    return r < 0 ? r : strings_copy(l->dns, &n->nameservers);
}

static int network_fill(const RunDefinition *d, AgentNetwork *n)
{
    char mac[USER_NETWORK_MAC_SIZE];

    if (strings_copy(d->pod.network.hosts, &n->hosts) < 0 || strings_copy(d->peers, &n->peers) < 0)
        return -ENOMEM;
    n->dhcp = network_is_leased(&d->pod.network);
    n->lease_timeout = n->dhcp ? d->pod.network.lease_timeout : 0;
    if (d->pod.network.mode == NETWORK_BRIDGE)
        return bridge_fill(&d->link, n);
    if (d->pod.network.mode != NETWORK_USER)
        return 0;
    n->mtu = USER_NETWORK_MTU;
    int r = user_network_mac(d->name, mac);
    if (r >= 0)
        r = str_replace(&n->mac, mac);
    if (r >= 0)
        r = strv_append(&n->addresses, USER_NETWORK_ADDRESS "/" USER_NETWORK_BITS);
    if (r >= 0)
        r = strv_append(&n->addresses, USER_NETWORK_ADDRESS6 "/" USER_NETWORK_BITS6);
    if (r >= 0)
        r = strv_append(&n->gateways, USER_NETWORK_GATEWAY);
    if (r >= 0)
        r = strv_append(&n->gateways, USER_NETWORK_GATEWAY6);
    return r < 0 ? r : strv_append(&n->nameservers, USER_NETWORK_DNS);
}

static int fill(const RunDefinition *d, AgentConfigure *c)
{
    const Field *field = schema_field(&agent_configure_schema, "containers");

    c->stop_timeout = d->pod.stop_timeout;
    c->share_pids = d->pod.share_pids;
    c->shm_size = d->pod.shm_size;
    if (strings_copy(d->pod.sysctls, &c->sysctls) < 0)
        return -ENOMEM;
    int r = str_replace(&c->hostname, d->name);
    if (r < 0 || (r = entropy_fill(&c->entropy)) < 0 || (r = volumes_fill(&d->pod, c)) < 0 ||
        (r = disks_fill(d, c)) < 0 || (r = shares_fill(d, c)) < 0 || (r = network_fill(d, &c->network)) < 0)
        return r;
    for (size_t i = 0; i < pod_n_containers(&d->pod); i++) {
        AgentContainer *to = field_append(field, c);
        if (!to)
            return -ENOMEM;
        if ((r = container_fill(d, pod_container(&d->pod, i), to)) < 0)
            return r;
        to->role = pod_container_role(&d->pod, i);
    }
    return 0;
}

int agent_configure_fill(const RunDefinition *d, AgentConfigure *ret)
{
    AgentConfigure c;

    int r = schema_init(&agent_configure_schema, &c);
    if (r < 0)
        return r;
    if ((r = fill(d, &c)) < 0) {
        schema_done(&agent_configure_schema, &c);
        return r;
    }
    *ret = c;
    return 0;
}
