/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "runner/agent-version.h"

static bool is_init(const PodDefinition *pod, size_t i)
{
    return pod_container_role(pod, i) == CONTAINER_INIT;
}

static bool is_sidecar(const PodDefinition *pod, size_t i)
{
    return pod_container_role(pod, i) == CONTAINER_SIDECAR;
}

static bool has_probes(const PodDefinition *pod, size_t i)
{
    const ContainerDefinition *d = pod_container(pod, i);
    return probe_given(&d->startup) || probe_given(&d->ready) || probe_given(&d->alive);
}

static bool takes_input(const PodDefinition *pod, size_t i)
{
    return container_takes_input(pod_container(pod, i));
}

static bool has_devices(const PodDefinition *pod, size_t i)
{
    return pod_container(pod, i)->devices;
}

static bool has_umask(const PodDefinition *pod, size_t i)
{
    return pod_container(pod, i)->umask;
}

static bool has_swap(const PodDefinition *pod, size_t i)
{
    return pod_container(pod, i)->limits.swap > 0;
}

static bool has_io_limits(const PodDefinition *pod, size_t i)
{
    return io_limits_given(&pod_container(pod, i)->limits.io);
}

static const struct {
    uint64_t since; /* the version that knows it */
    bool (*asked)(const PodDefinition *pod, size_t i);
    const char *words;
    bool live; /* asked again when limits change */
} rows[] = {
    { AGENT_PROTOCOL_LIFE, is_init, "containers of init" },
    { AGENT_PROTOCOL_LIFE, is_sidecar, "sidecars" },
    { AGENT_PROTOCOL_LIFE, has_probes, "probes" },
    { AGENT_PROTOCOL_ATTACH, takes_input, "standard input and no terminals of containers" },
    { AGENT_PROTOCOL_RESOURCES, has_devices, "devices" },
    { AGENT_PROTOCOL_RESOURCES, has_umask, "umask" },
    { AGENT_PROTOCOL_RESOURCES, has_io_limits, "limits of input and output", true },
    { AGENT_PROTOCOL_RESOURCES, has_swap, "swap", true },
};

static const char *container_lacks(const PodDefinition *pod, uint64_t version, size_t i)
{
    TABLE_FOREACH (row, rows)
        if (version < row->since && row->asked(pod, i))
            return row->words;
    return NULL;
}

uint64_t agent_task_since(Task task)
{
    if (task == TASK_PROGRAM)
        return AGENT_PROTOCOL_MIN;
    return task == TASK_ATTACH ? AGENT_PROTOCOL_ATTACH : AGENT_PROTOCOL_TASKS;
}

const char *agent_lacks_limits(const PodDefinition *pod, uint64_t version)
{
    for (size_t i = 0; i < pod_n_containers(pod); i++)
        TABLE_FOREACH (row, rows)
            if (row->live && version < row->since && row->asked(pod, i))
                return row->words;
    return NULL;
}

const char *agent_lacks(const PodDefinition *pod, uint64_t version)
{
    const char *what = NULL;

    for (size_t i = 0; !what && i < pod_n_containers(pod); i++)
        what = container_lacks(pod, version, i);
    return what;
}

void agent_explain_lack(const PodDefinition *pod, uint64_t version, size_t i, ContainerReport *c)
{
    const char *what = container_lacks(pod, version, i);

    if (what && !c->message)
        c->message = strf("the agent of this guest is older than podvisor, and knows no %s", what);
}

/* An agent that is too old for disks and files had been told of none: what it runs is none of these pods, whoever configured it. */
const char *agent_unfit(const RunDefinition *d, bool files, const AgentWelcome *w)
{
    if (w->version < AGENT_PROTOCOL_STORAGE && (d->n_disks > 0 || files))
        return "it knows no disks, no secrets and no config files";
    if (w->version < AGENT_PROTOCOL_NETWORK && !w->configured && d->pod.network.mode != NETWORK_NONE)
        return "it knows no networks";
    if (w->version < AGENT_PROTOCOL_SHARES && d->n_shares > 0)
        return "it knows no shares that are live";
    if (w->version < AGENT_PROTOCOL_RESOURCES && volume_find_swap(d->pod.volumes, d->pod.n_volumes))
        return "it knows no swap space";
    if (w->version < AGENT_PROTOCOL_DHCP && !w->configured && network_is_leased(&d->pod.network))
        return "it cannot lease an address";
    return NULL;
}
