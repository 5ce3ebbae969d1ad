/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/log.h"
#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/network.h"
#include "guest/agent/rootfs.h"

/* Whoever floods the port gets no more of the agent in one round than this. */
enum { PACKETS_PER_ROUND = 16 };

/* --- a lease, set up and taken down ------------------------------------------------------------------------------------------ */

static int text_append(char ***list, const struct in_addr *a, int bits)
{
    char text[INET_ADDRSTRLEN];
    _cleanup_(freep) char *whole = NULL;

    if (!inet_ntop(AF_INET, a, text, sizeof text))
        return -errno;
    whole = bits >= 0 ? strf("%s/%d", text, bits) : strdup(text);
    return whole ? strv_append(list, whole) : -ENOMEM;
}

static void network_clear(AgentNetwork *n)
{
    n->addresses = strv_free(n->addresses);
    n->gateways = strv_free(n->gateways);
    n->nameservers = strv_free(n->nameservers);
    n->domain = (free(n->domain), NULL);
}

/* What the pod file says itself counts more than the lease, and its MTU is the most that the bridge takes. */
static int network_fill(const Dhcp *d, const DhcpLease *l, AgentNetwork *n)
{
    int r = text_append(&n->addresses, &l->address, l->bits);

    if (r >= 0 && l->router.s_addr)
        r = text_append(&n->gateways, &l->router, -1);
    for (size_t i = 0; r >= 0 && !d->nameservers && i < l->n_nameservers; i++)
        r = text_append(&n->nameservers, &l->nameservers[i], -1);
    STRV_FOREACH (server, d->nameservers)
        if (r >= 0)
            r = strv_append(&n->nameservers, *server);
    if (r >= 0 && l->domain[0])
        r = str_replace(&n->domain, l->domain);
    n->mtu = l->mtu > 0 && (d->mtu == 0 || l->mtu < d->mtu) ? l->mtu : d->mtu;
    return r;
}

static int write_files(Agent *a, Failure *f)
{
    int r = rootfs_write_network(a->platform, &a->configure);
    return r < 0 ? failure_set(f, r, "the pod's files could not be written") : 0;
}

static void take_down(Agent *a)
{
    Dhcp *d = &a->dhcp;
    Failure f = { 0 };

    if (!d->applied)
        return;
    d->applied = false;
    if (network_withdraw(&a->configure.network, &f) < 0)
        log_error("%s", f.text);
    network_clear(&a->configure.network);
    if (write_files(a, &f) < 0)
        log_error("%s", f.text);
}

static int set_up(Agent *a, Failure *f)
{
    Dhcp *d = &a->dhcp;
    AgentNetwork *n = &a->configure.network;
    const DhcpLease *l = &d->client.lease;

    take_down(a);
    int r = network_fill(d, l, n);
    d->applied = true;
    d->lease = *l;
    if (r < 0)
        return failure_set(f, r, "the lease could not be taken");
    if ((r = network_apply(n, f)) < 0)
        return r;
    return write_files(a, f);
}

/* From whom, and how long it holds, is nothing that anybody in the pod sees. */
static bool same_lease(const DhcpLease *a, const DhcpLease *b)
{
    DhcpLease x = *a;

    x.server = b->server;
    return x.address.s_addr == b->address.s_addr && x.bits == b->bits &&
           x.router.s_addr == b->router.s_addr && x.mtu == b->mtu && x.n_nameservers == b->n_nameservers &&
           streq(x.domain, b->domain) &&
           memcmp(x.nameservers, b->nameservers, x.n_nameservers * sizeof x.nameservers[0]) == 0;
}

static void take(Agent *a)
{
    Dhcp *d = &a->dhcp;
    Failure f = { 0 };
    int r = d->applied && same_lease(&d->client.lease, &d->lease) ? 0 : set_up(a, &f);

    d->trouble[0] = 0;
    if (r < 0)
        (void)snprintf(d->trouble, sizeof d->trouble, "%s", f.text);
    if (d->patience == USEC_INFINITY) {
        if (r < 0)
            log_error("%s", f.text);
        return;
    }
    d->patience = USEC_INFINITY;
    if (r < 0)
        agent_configure_failed(a, &f);
    else
        agent_configure_leased(a);
}

/* --- carrying out what the client says ------------------------------------------------------------------------------------------ */

static void on_packets(void *userdata, uint32_t events);

/* Only while something is asked. */
static int listen_or_not(Agent *a)
{
    Dhcp *d = &a->dhcp;
    bool wanted =
        d->client.state != DHCP_STOPPED && d->client.state != DHCP_BOUND && d->client.state != DHCP_WAITING;

    if (wanted == d->watch.added)
        return 0;
    if (!wanted) {
        loop_unwatch(&a->loop, &d->watch);
        dhcp_link_close(&d->link);
        return 0;
    }
    int r = dhcp_link_open(&d->link);
    return r < 0 ? r : loop_watch(&a->loop, &d->watch, d->link.packets, EPOLLIN);
}

static int say(Agent *a)
{
    DhcpRequest request;

    dhcp_client_request(&a->dhcp.client, loop_now(&a->loop), &request);
    return dhcp_link_send(&a->dhcp.link, &request);
}

static void wake_up_in_time(Agent *a)
{
    Dhcp *d = &a->dhcp;
    loop_timer_set(&a->loop, &d->timer, MIN(d->client.deadline, d->patience));
}

/* What cannot be sent is sent again in its time. */
static void carry_out(Agent *a, unsigned actions)
{
    Dhcp *d = &a->dhcp;

    int r = listen_or_not(a);
    if (actions & DHCP_DO_DROP) {
        log_warning("%s", d->client.trouble);
        take_down(a);
    }
    if (r >= 0 && actions & DHCP_DO_SEND)
        r = say(a);
    if (r < 0)
        (void)snprintf(d->trouble, sizeof d->trouble, "DHCP servers could not be asked: %s", strerror(-r));
    else if (actions & DHCP_DO_SEND)
        d->trouble[0] = 0;
    agent_report_due(a);
    /* The last, since the configuration, and this with it, may end by it. */
    if (actions & DHCP_DO_TAKE)
        take(a);
    if (d->begun)
        wake_up_in_time(a);
}

static void on_packets(void *userdata, uint32_t events)
{
    Agent *a = userdata;
    Dhcp *d = &a->dhcp;
    uint8_t packet[DHCP_PACKET_MAX], from[MAC_ADDRESS_SIZE];
    const char *why = NULL;
    DhcpAnswer answer;
    size_t size;

    for (int i = 0; i < PACKETS_PER_ROUND && d->watch.added; i++) {
        if ((size = dhcp_link_receive(&d->link, packet, sizeof packet, from)) == 0)
            return;
        int r = dhcp_decode(packet, size, d->client.mac, &answer, &why);
        if (r == -EBADMSG)
            dhcp_client_take_bad(&d->client, why);
        if (r < 0)
            continue;
        unsigned actions = dhcp_client_take(&d->client, &answer, loop_now(&a->loop));
        if (actions && answer.type != DHCP_NAK)
            dhcp_link_trust(&d->link, from);
        if (actions)
            carry_out(a, actions);
    }
}

static void out_of_patience(Agent *a)
{
    Dhcp *d = &a->dhcp;
    _cleanup_(freep) char *time = duration_format(a->configure.network.lease_timeout);
    const char *more = d->trouble[0] ? d->trouble : d->client.trouble;
    Failure f;

    (void)failure_say(&f, -EADDRNOTAVAIL, "no DHCP server %s within %s%s%s",
                      d->client.trouble[0] ? "gave a lease" : "answered", time ?: "its time",
                      *more ? ": " : "", more);
    agent_configure_failed(a, &f);
}

static void on_timer(void *userdata)
{
    Agent *a = userdata;
    Dhcp *d = &a->dhcp;
    usec_t now = loop_now(&a->loop);

    if (now >= d->patience)
        out_of_patience(a);
    else if (now >= d->client.deadline)
        carry_out(a, dhcp_client_tell(&d->client, DHCP_TIMEOUT, now));
    else
        wake_up_in_time(a);
}

/* --- for the agent ------------------------------------------------------------------------------------------------------------------ */

int dhcp_begin(Agent *a, Failure *f)
{
    AgentNetwork *n = &a->configure.network;
    Dhcp *d = &a->dhcp;
    uint8_t mac[MAC_ADDRESS_SIZE];
    unsigned interface = network_interface(n->mac);

    if (interface == 0 || !mac_address_parse(n->mac, mac))
        return failure_say(f, -ENODEV, "the machine has no network interface %s", n->mac);
    *d = (Dhcp){ .begun = true,
                 .watch = { .func = on_packets, .userdata = a },
                 .timer = { .func = on_timer, .userdata = a },
                 .patience = usec_add(loop_now(&a->loop), n->lease_timeout),
                 .nameservers = take_ptr(n->nameservers),
                 .mtu = n->mtu };
    network_clear(n);
    dhcp_client_init(&d->client, mac, a->configure.hostname, NULL);
    dhcp_link_init(&d->link, interface);
    carry_out(a, dhcp_client_tell(&d->client, DHCP_BEGIN, loop_now(&a->loop)));
    return 0;
}

void dhcp_end(Agent *a)
{
    Dhcp *d = &a->dhcp;

    if (!d->begun)
        return;
    loop_timer_clear(&a->loop, &d->timer);
    loop_unwatch(&a->loop, &d->watch);
    dhcp_link_close(&d->link);
    strv_free(d->nameservers);
    *d = (Dhcp){ 0 };
}

void dhcp_release(Agent *a)
{
    Dhcp *d = &a->dhcp;
    DhcpRequest request;

    if (d->begun && dhcp_client_has_lease(&d->client)) {
        dhcp_client_release(&d->client, &request);
        int r = dhcp_link_open(&d->link);
        if (r >= 0)
            r = dhcp_link_send(&d->link, &request);
        if (r < 0)
            log_error_errno(r, "the lease of the machine's address could not be given back");
    }
    dhcp_end(a);
}

void dhcp_skip(Agent *a, usec_t time)
{
    if (!a->dhcp.begun)
        return;
    dhcp_client_skip(&a->dhcp.client, time);
    wake_up_in_time(a);
    agent_report_due(a);
}

/* The guest's clock is the host's: that is seen to before it is configured. */
static usec_t expires(const Agent *a)
{
    usec_t now = loop_now(&a->loop), at = a->dhcp.client.expires;
    return at == USEC_INFINITY ? 0 : usec_add(now_usec(CLOCK_REALTIME), usec_sub(at, now));
}

int dhcp_fill_report(const Agent *a, LeaseReport *ret)
{
    const Dhcp *d = &a->dhcp;
    char server[INET_ADDRSTRLEN];
    const char *trouble = d->trouble[0] ? d->trouble : d->client.trouble;

    if (!d->begun)
        return 0;
    if (*trouble && str_replace(&ret->trouble, trouble) < 0)
        return -ENOMEM;
    if (!dhcp_client_has_lease(&d->client) || !d->applied)
        return 0;
    ret->expires = expires(a);
    if (!inet_ntop(AF_INET, &d->client.lease.server, server, sizeof server))
        return 0;
    int r = str_replace(&ret->server, server);
    return r < 0 || !a->configure.network.addresses
               ? r
               : str_replace(&ret->address, a->configure.network.addresses[0]);
}
