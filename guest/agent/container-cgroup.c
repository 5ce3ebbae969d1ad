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
#include "guest/agent/rootfs.h"

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

static bool is_ahead(const Platform *p, size_t number)
{
    return number == 0 && p->ahead.group;
}

static int make(const Platform *p, size_t number)
{
    char name[CONTAINER_GROUP_SIZE];

    return is_ahead(p, number) ? dir_open_at(p->cgroup, name_of(number, name))
                               : cgroup_make(p->cgroup, name_of(number, name));
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
    bool ahead = is_ahead(a->platform, number);
    uint64_t pids = ahead ? a->platform->ahead.pids : 0;

    c->cgroup = make(a->platform, number);
    int r = c->cgroup < 0 ? c->cgroup : cgroup_limit(c->cgroup, &d->limits, a->pids_share, &pids);
    if (r < 0)
        return failure_set(&c->failure, r, "its limits could not be set");
    return ahead && !d->devices ? 0 : confine_devices(c);
}

static void confine_ahead(Platform *p, int cgroup, const AgentConfigure *usual)
{
    static const uint64_t fresh;
    const ContainerDefinition *d = &usual->containers[0].definition;

    p->ahead.threads = cgroup_threads_max();
    p->ahead.pids = agent_pids_share(p, usual);
    p->ahead.group =
        cgroup_limit(cgroup, &d->limits, p->ahead.pids, &fresh) >= 0 && devices_confine(cgroup, d) >= 0;
}

static int prepare(Agent *a, AgentConfigure *usual)
{
    Platform *p = a->platform;

    /* A rehearsal had the group, and took it away with itself. */
    p->ahead.group = false;
    _cleanup_(closep) int cgroup = make(p, 0);
    if (cgroup < 0)
        return cgroup;
    confine_ahead(p, cgroup, usual);
    int r = rootfs_make_ahead(p, usual);
    return r < 0 ? r : standby_make(&a->standby, &a->children, p, cgroup);
}

void container_prepare(Agent *a)
{
    const Field *field = schema_field(&agent_configure_schema, "containers");
    AgentConfigure usual;

    int r = schema_init(&agent_configure_schema, &usual);
    if (r >= 0) {
        r = field_append(field, &usual) ? prepare(a, &usual) : -ENOMEM;
        schema_done(&agent_configure_schema, &usual);
    }
    if (r < 0)
        log_error_errno(r, "not all could be made that waits for a container");
}
