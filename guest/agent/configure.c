/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/cgroup.h"
#include "guest/agent/network.h"
#include "schemas/device.h"

/* What is removed then is memory that no container misses before; and where many machines start at once, those that are not up yet need the
 * processor more. */
#define SETTLED_AFTER (10 * USEC_PER_SEC)

/* The bytes by which two configurations are compared: entropy is another each time and says nothing. */
static int comparable(const AgentConfigure *configure, Bytes *ret)
{
    AgentConfigure shallow = *configure;

    shallow.entropy = (Bytes){ 0 };
    return schema_to_bytes(&agent_configure_schema, &shallow, ret);
}

static int check_mounts(const AgentConfigure *configure, const ContainerDefinition *d, Failure *f)
{
    for (size_t i = 0; i < d->n_mounts; i++) {
        const char *volume = d->mounts[i].volume;
        bool found = d->mounts[i].secret || d->mounts[i].config;
        for (size_t j = 0; volume && j < configure->n_volumes; j++)
            found |= streq_ptr(configure->volumes[j].name, volume);
        if (!found || !d->mounts[i].path)
            return failure_say(f, -EINVAL, "container %s: there is no volume %s", d->name,
                               volume ?: "without a name");
    }
    return 0;
}

/* Without one, the pod would be over as soon as it has begun. */
static bool has_main(const AgentConfigure *configure)
{
    for (size_t i = 0; i < configure->n_containers; i++)
        if (configure->containers[i].role == CONTAINER_MAIN)
            return true;
    return false;
}

static int check(const AgentConfigure *configure, Failure *f)
{
    if (!has_main(configure))
        return failure_say(f, -EINVAL, "there is no container to run");
    for (size_t i = 0; i < configure->n_volumes; i++)
        if (!configure->volumes[i].name)
            return failure_say(f, -EINVAL, "a volume has no name");
    for (size_t i = 0; i < configure->n_containers; i++) {
        const AgentContainer *c = &configure->containers[i];
        if (!c->definition.name)
            return failure_say(f, -EINVAL, "a container has no name");
        if (strv_length(c->command) == 0)
            return failure_say(f, -EINVAL, "container %s: neither it nor its image says what to run",
                               c->definition.name);
        for (size_t j = 0; j < i; j++)
            if (streq(c->definition.name, configure->containers[j].definition.name))
                return failure_say(f, -EINVAL, "two containers are called %s", c->definition.name);
        int r = check_mounts(configure, &c->definition, f);
        if (r < 0)
            return r;
    }
    return 0;
}

/*
 * Processes are memory, which the kernel takes from anybody when there is no more: so those of all containers that have no limit must
 * not be more than there is memory for.
 */
uint64_t agent_pids_share(const Platform *p, const AgentConfigure *configure)
{
    enum { LEAST = 128 };
    uint64_t sharers = 0, threads = p->ahead.threads ?: cgroup_threads_max();

    for (size_t i = 0; i < configure->n_containers; i++)
        sharers += configure->containers[i].definition.limits.pids == 0;
    return sharers > 0 && threads > 0 ? MAX(threads / 4 * 3 / sharers, (uint64_t)LEAST) : 0;
}

static int make_containers(Agent *a)
{
    a->containers = calloc(a->configure.n_containers, sizeof *a->containers);
    if (!a->containers)
        return -ENOMEM;
    a->n_containers = a->configure.n_containers;
    if (a->configure.share_pids)
        standby_end(&a->standby, &a->children);
    for (size_t i = 0; i < a->n_containers; i++)
        container_init(&a->containers[i], a, &a->configure.containers[i]);
    /* Those that come first begin before the answer, so that it tells of them. */
    (void)agent_take_turns(a);
    return 0;
}

static int set_sysctls(Platform *p, const AgentConfigure *configure, Failure *f)
{
    STRV_FOREACH (s, configure->sysctls) {
        const char *value = NULL;
        _cleanup_(freep) char *path = sysctl_path(*s, &value);
        int r = path ? p->ops->set_sysctl(p, path, value) : -EINVAL;
        if (r < 0)
            return failure_set(f, r, "sysctl %s could not be set", *s);
    }
    return 0;
}

/* A container whose device is not there says so itself. */
static void bring_devices(Platform *p, const AgentConfigure *configure)
{
    for (size_t i = 0; i < configure->n_containers; i++)
        STRV_FOREACH (device, configure->containers[i].definition.devices) {
            _cleanup_(freep) char *path = NULL;
            unsigned access;
            if (device_parse(*device, &path, &access) >= 0)
                (void)p->ops->bring_device(p, path);
        }
    if (volume_find_swap(configure->volumes, configure->n_volumes))
        p->ops->bring_swap(p);
    if (configure->n_shares > 0)
        p->ops->bring_shares(p);
}

static int prepare_platform(Agent *a, const AgentConfigure *configure, Failure *f)
{
    Platform *p = a->platform;
    int r = 0;

    /* Before anything of the pod runs, so that nothing of it sees the randomness of a template. */
    if (configure->entropy.size > 0)
        r = p->ops->add_entropy(p, configure->entropy.data, configure->entropy.size);
    if (r < 0)
        return failure_set(f, r, "randomness could not be added");
    if (configure->hostname && (r = p->ops->set_hostname(p, configure->hostname)) < 0)
        return failure_set(f, r, "the host name could not be set");
    if (network_is_wanted(&configure->network) && (r = p->ops->set_network(p, &configure->network, f)) < 0)
        return r;
    if ((r = set_sysctls(p, configure, f)) < 0)
        return r;
    return rootfs_prepare(p, configure, f);
}

/* --- what waits for an address ------------------------------------------------------------------------------------------------ */

static int begin(Agent *a, Failure *f)
{
    if (a->ending.phase != ENDING_NOT)
        return failure_say(f, -ESHUTDOWN, "the machine is about to power off");
    a->pids_share = agent_pids_share(a->platform, &a->configure);
    rootfs_decide_sizes(a->platform, &a->configure);
    bring_devices(a->platform, &a->configure);
    start_mark(&a->start, START_SETUP);
    loop_timer_set(&a->loop, &a->settled, usec_add(loop_now(&a->loop), SETTLED_AFTER));
    a->configured = true;
    agent_report_due(a);
    int r = make_containers(a);
    return r < 0 ? failure_set(f, r, "configure") : 0;
}

static void forget(Agent *a)
{
    dhcp_end(a);
    schema_done(&agent_configure_schema, &a->configure);
    a->configure = (AgentConfigure){ 0 };
    bytes_done(&a->configure_bytes);
}

/* A runner that has gone is not answered; the next one finds what became of it. */
static void answer(Agent *a, const Failure *f)
{
    if (a->session.number == a->asker_session)
        agent_reply(a, a->asker, f->error, f->error ? f->text : NULL);
}

void agent_configure_leased(Agent *a)
{
    Failure f = { 0 };

    a->configuring = false;
    if (begin(a, &f) >= 0)
        agent_report_now(a);
    answer(a, &f);
}

void agent_configure_failed(Agent *a, const Failure *f)
{
    a->configuring = false;
    forget(a);
    answer(a, f);
}

static int wait_for_address(Agent *a, uint64_t id, Failure *f)
{
    int r = dhcp_begin(a, f);

    if (r < 0) {
        forget(a);
        return r;
    }
    a->configuring = true;
    a->asker = id;
    a->asker_session = a->session.number;
    return AGENT_LATER;
}

/* The same as the one before: then nothing is to be done, or it is to be answered when that one is. */
static int configure_again(Agent *a, uint64_t id, const Bytes *bytes, Failure *f)
{
    if (bytes->size != a->configure_bytes.size ||
        memcmp(bytes->data, a->configure_bytes.data, bytes->size) != 0)
        return failure_say(f, -EALREADY, "this boot has been configured otherwise");
    a->asker = id;
    a->asker_session = a->session.number;
    return a->configuring ? AGENT_LATER : 0;
}

int agent_configure(Agent *a, uint64_t id, const AgentConfigure *configure, Failure *f)
{
    _cleanup_(bytes_done) Bytes bytes = { 0 };

    int r = comparable(configure, &bytes);
    if (r < 0)
        return failure_set(f, r, "configure");
    if (a->configured || a->configuring)
        return configure_again(a, id, &bytes, f);
    start_mark(&a->start, START_TOLD);
    if (a->ending.phase != ENDING_NOT)
        return failure_say(f, -ESHUTDOWN, "the machine is about to power off");
    if ((r = check(configure, f)) < 0 || (r = prepare_platform(a, configure, f)) < 0)
        return r;
    if ((r = schema_copy(&agent_configure_schema, configure, &a->configure)) < 0)
        return failure_set(f, r, "configure");
    bytes_done(&a->configure.entropy);
    a->configure_bytes = take_struct(bytes);
    return a->configure.network.dhcp ? wait_for_address(a, id, f) : begin(a, f);
}
