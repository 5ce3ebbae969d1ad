/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/pod-definition.h"

DEFINE_ENUM_TABLE(container_role, "role",
                  CONTAINER_ROLE_MAX, [CONTAINER_MAIN] = { "main", "the pod lives as long as one of these" },
                  [CONTAINER_INIT] = { "init", "it runs to its end before the others start" },
                  [CONTAINER_SIDECAR] = { "sidecar", "it starts before the others and stops after them" });

bool container_takes_input(const ContainerDefinition *d)
{
    return d->keep_stdin || d->terminal;
}

const ProbeDefinition *container_probe(const ContainerDefinition *d, ProbeKind kind)
{
    const ProbeDefinition *const probes[PROBE_KIND_MAX] = {
        [PROBE_STARTUP] = &d->startup,
        [PROBE_READY] = &d->ready,
        [PROBE_ALIVE] = &d->alive,
    };
    return probes[kind];
}

size_t pod_n_containers(const PodDefinition *pod)
{
    return pod->n_init + pod->n_containers;
}

ContainerDefinition *pod_container(const PodDefinition *pod, size_t i)
{
    return i < pod->n_init ? &pod->init[i] : &pod->containers[i - pod->n_init];
}

ContainerRole pod_container_role(const PodDefinition *pod, size_t i)
{
    if (i < pod->n_init)
        return CONTAINER_INIT;
    return pod_container(pod, i)->sidecar ? CONTAINER_SIDECAR : CONTAINER_MAIN;
}

int pod_container_find(const PodDefinition *pod, const char *name)
{
    for (size_t i = 0; i < pod_n_containers(pod); i++)
        if (name && streq_ptr(pod_container(pod, i)->name, name))
            return (int)i;
    return -ENOENT;
}
