/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control group of a container. It goes by the container's number, so that a template can have one that fits whatever its copies
 * will run first: to make it, and a program of the kernel's for its devices, takes a tenth of a copy's start where the processor is
 * emulated.
 */
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "guest/agent/agent.h"
#include "guest/agent/cgroup.h"
#include "guest/agent/devices.h"

static size_t number_of(const Container *c)
{
    return (size_t)(c->config - c->agent->configure.containers);
}

static const char *name_of(size_t number, char name[CONTAINER_GROUP_SIZE])
{
    (void)snprintf(name, CONTAINER_GROUP_SIZE, "%zu", number);
    return name;
}

const char *container_group(const Container *c, char name[CONTAINER_GROUP_SIZE])
{
    return name_of(number_of(c), name);
}

static int make(const Platform *p, size_t number)
{
    char name[CONTAINER_GROUP_SIZE];

    return cgroup_make(p->cgroup, name_of(number, name));
}

/* Without a filter, those that can make no node have none that they should not have. */
static int confine_devices(Container *c)
{
    const ContainerDefinition *d = &c->config->definition;
    int r = devices_confine(c->cgroup, d);

    if (r == -EOPNOTSUPP && devices_need_filter(d))
        return failure_say(&c->failure, r,
                           "the machine's kernel cannot keep it from other devices (no CONFIG_CGROUP_BPF)");
    return r < 0 && devices_need_filter(d)
               ? failure_set(&c->failure, r, "it could not be kept from other devices")
               : 0;
}

int container_confine(Container *c)
{
    const Agent *a = c->agent;
    const ContainerDefinition *d = &c->config->definition;
    size_t number = number_of(c);

    c->cgroup = make(a->platform, number);
    int r = c->cgroup < 0 ? c->cgroup : cgroup_limit(c->cgroup, &d->limits, a->pids_share, true);
    if (r < 0)
        return failure_set(&c->failure, r, "its limits could not be set");
    bool prepared = number == 0 && a->platform->group_prepared && !d->devices;
    return prepared ? 0 : confine_devices(c);
}

void container_prepare(Agent *a)
{
    static const ContainerDefinition usual;
    _cleanup_(closep) int cgroup = make(a->platform, 0);

    a->platform->group_prepared = cgroup >= 0 && devices_confine(cgroup, &usual) >= 0;
    int r = cgroup < 0 ? cgroup : standby_make(&a->standby, &a->children, a->platform, cgroup);
    if (r < 0)
        log_error_errno(r, "no process could be made that waits for its container");
}
