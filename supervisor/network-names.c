/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names by which pods of one network find each other. A machine begins with those that are there when it is launched; a change is told to
 * the other members of its network, and to nobody else, each in its own turn: of many changes at once each hears once.
 */
#include "base/strings.h"
#include "supervisor/networks-internal.h"
#include "supervisor/supervisor.h"

/* What the pod's file says of a name counts. */
static bool is_named(const Pod *pod, const char *name)
{
    STRV_FOREACH (host, pod->record.network.hosts) {
        const char *rest = str_after(*host, name);
        if (rest && *rest == ':')
            return true;
    }
    return false;
}

int networks_hosts(const Pod *pod, char ***ret)
{
    _cleanup_(strv_freep) char **hosts = NULL;
    const Pod *other;
    int r = 0;

    if (!pod->network)
        return 0;
    TAILQ_FOREACH(other, &pod->network->members, network_entry)
    {
        const char *address = other->record.link.address;
        if (other != pod && address && !is_named(pod, other->name) &&
            (r = strv_appendf(&hosts, "%s:%.*s", other->name, (int)strcspn(address, "/"), address)) < 0)
            return r;
    }
    strv_free(*ret);
    *ret = take_ptr(hosts);
    return 0;
}

void network_names_changed(Network *network, const Pod *by)
{
    Pod *member;

    TAILQ_FOREACH(member, &network->members, network_entry)
    if (member != by) {
        member->hosts_due = true;
        pod_due(member);
    }
}

void networks_send(Pod *pod)
{
    RunnerHosts body = { 0 };

    if (!pod->network || !pod->link || !pod->observed.reported || !reconcile_alive(&pod->observed))
        return;
    pod->hosts_due = false;
    int r = pod->link_hosts ? networks_hosts(pod, &body.peers) : 0;
    if (r >= 0 && pod->link_hosts)
        r = runner_link_send(pod->link, RUNNER_HOSTS, &body, -1);
    strv_free(body.peers);
    if (r >= 0)
        return;
    /* Whoever does not listen gets another connection, and is told again. */
    pod_log(pod, LOG_WARNING, r, "%s: its runner cannot be told the names of other pods", pod->name);
    pod_drop_link(pod);
    pod->observed.alone_since = now_usec(CLOCK_BOOTTIME);
    pod_due(pod);
}

const char *networks_names_stale(const Pod *pod)
{
    if (!pod->network || !pod->link || !pod->observed.reported)
        return NULL;
    return pod->link_hosts
               ? pod->report.hosts_failed
               : "the pod's runner is of an older podvisor, which cannot change them; they change "
                 "when the pod is restarted";
}
