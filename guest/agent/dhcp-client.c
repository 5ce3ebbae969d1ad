/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/strings.h"
#include "guest/agent/dhcp-client.h"

enum {
    REQUESTS_MAX = 3,      /* to a server that made an offer; then it begins anew */
    BACKOFF_DOUBLINGS = 4, /* 4 s, 8 s, ... 64 s: RFC 2131, 4.1 */
    REFUSALS_DOUBLED = 6,  /* 2 s, 4 s, ... 64 s; the first time at once */
    MTU_MIN = 576,         /* what every host must take: RFC 791 */
};
#define REBIND_MIN (2 * USEC_PER_SEC)
#define BACKOFF_FIRST (4 * USEC_PER_SEC)
#define RENEW_PAUSE_MIN (60 * USEC_PER_SEC) /* RFC 2131, 4.4.5 */

DEFINE_ENUM_TABLE(dhcp_state, "state of a DHCP client",
                  DHCP_STATE_MAX, [DHCP_STOPPED] = { "stopped", "it does nothing" },
                  [DHCP_WAITING] = { "waiting", "it was refused, and begins anew soon" },
                  [DHCP_SELECTING] = { "selecting", "it waits for an offer" },
                  [DHCP_REQUESTING] = { "requesting", "it has taken an offer" },
                  [DHCP_BOUND] = { "bound", "it has a lease" },
                  [DHCP_RENEWING] = { "renewing", "it asks its server for a longer lease" },
                  [DHCP_REBINDING] = { "rebinding", "it asks any server for a longer lease" });

typedef unsigned (*Transition)(DhcpClient *c, const DhcpAnswer *a, usec_t now);

static uint32_t kernel_random(void)
{
    uint32_t n = 0;

    (void)!getrandom(&n, sizeof n, 0);
    return n;
}

/* --- time -------------------------------------------------------------------------------------------------------------------- */

/* The wait after so many tries, a second more or less, so that hosts which start together do not ask together. */
static usec_t backoff(const DhcpClient *c)
{
    usec_t wait = BACKOFF_FIRST << MIN(c->tries, (unsigned)BACKOFF_DOUBLINGS);
    return wait - USEC_PER_SEC + c->random() % (2 * USEC_PER_SEC);
}

static unsigned enter(DhcpClient *c, DhcpState state, usec_t deadline, unsigned action)
{
    c->state = state;
    c->deadline = deadline;
    return action;
}

/* Half of what is left, but not more often than each minute, and not beyond the end. */
static usec_t ask_again_at(usec_t now, usec_t end)
{
    usec_t pause = MAX(usec_sub(end, now) / 2, RENEW_PAUSE_MIN);
    return MIN(usec_add(now, pause), end);
}

static usec_t seconds(uint32_t n)
{
    return n == UINT32_MAX ? USEC_INFINITY : n * USEC_PER_SEC;
}

/* A server's times where they make sense, else those of RFC 2131, 4.4.5; earlier by up to an eighth, so that hosts that started together do
 * not renew together. */
static void set_times(DhcpClient *c, const DhcpAnswer *a)
{
    usec_t lease = seconds(a->lease), renew = seconds(a->renew), rebind = seconds(a->rebind);

    c->expires = usec_add(c->sent, lease);
    c->renew = c->rebind = USEC_INFINITY;
    if (lease == USEC_INFINITY)
        return;
    if (rebind < REBIND_MIN || rebind >= lease)
        rebind = lease / 8 * 7;
    if (renew < USEC_PER_SEC || renew >= rebind)
        renew = lease / 2 < rebind ? lease / 2 : rebind / 2;
    c->renew = usec_add(c->sent, renew - c->random() % (renew / 8));
    c->rebind = usec_add(c->sent, rebind);
}

/* --- trouble ------------------------------------------------------------------------------------------------------------------- */

static const char *address_text(const struct in_addr *a, char text[INET_ADDRSTRLEN])
{
    return inet_ntop(AF_INET, a, text, INET_ADDRSTRLEN) ?: "?";
}

static void trouble_of(DhcpClient *c, const DhcpAnswer *a, const char *what, const char *why)
{
    char server[INET_ADDRSTRLEN];

    (void)snprintf(c->trouble, sizeof c->trouble, "the DHCP server %s %s%s%s",
                   address_text(&a->server, server), what, str_empty(why) ? "" : ": ", why);
}

void dhcp_client_take_bad(DhcpClient *c, const char *why)
{
    if (c->state != DHCP_STOPPED && c->state != DHCP_BOUND)
        (void)snprintf(c->trouble, sizeof c->trouble, "a DHCP server says what cannot be understood: %s",
                       why);
}

/* --- what a lease may be --------------------------------------------------------------------------------------------------------- */

static bool is_host(struct in_addr a, uint8_t bits)
{
    IpAddress address = { .family = AF_INET, .v4 = a, .bits = bits };
    return ip_is_host(&address);
}

/* What is wrong with it, or NULL. */
static const char *fault_of(const DhcpAnswer *a)
{
    if (!is_host(a->server, 32))
        return "its own address is none";
    if (a->bits == 0)
        return "it says no subnet mask";
    if (!is_host(a->address, a->bits))
        return "it offers an address that no host can have";
    if (a->router.s_addr && (!is_host(a->router, 32) || a->router.s_addr == a->address.s_addr))
        return "its router is none";
    if (a->lease < DHCP_LEASE_MIN)
        return "its leases are too short";
    return NULL;
}

static void lease_fill(DhcpLease *l, const DhcpAnswer *a)
{
    *l = (DhcpLease){ .address = a->address,
                      .server = a->server,
                      .router = a->router,
                      .bits = a->bits,
                      .mtu = a->mtu < MTU_MIN ? 0 : a->mtu,
                      .n_nameservers = a->n_nameservers };
    memcpy(l->nameservers, a->nameservers, sizeof l->nameservers);
    memcpy(l->domain, a->domain, sizeof l->domain);
}

/* --- transitions ----------------------------------------------------------------------------------------------------------------- */

static unsigned discover(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    c->xid = c->random();
    c->begun = now;
    c->tries = 0;
    return enter(c, DHCP_SELECTING, usec_add(now, backoff(c)), DHCP_DO_SEND);
}

static unsigned discover_again(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    c->tries++;
    return enter(c, DHCP_SELECTING, usec_add(now, backoff(c)), DHCP_DO_SEND);
}

static unsigned ask(DhcpClient *c, usec_t now)
{
    c->sent = now;
    return enter(c, DHCP_REQUESTING, usec_add(now, backoff(c)), DHCP_DO_SEND);
}

static unsigned offered(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    const char *fault = fault_of(a);

    if (fault) {
        trouble_of(c, a, "makes an offer that cannot be taken", fault);
        return 0;
    }
    lease_fill(&c->offer, a);
    c->tries = 0;
    return ask(c, now);
}

static unsigned ask_again(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    if (++c->tries < REQUESTS_MAX)
        return ask(c, now);
    trouble_of(c, &(DhcpAnswer){ .server = c->offer.server },
               "made an offer, and then did not answer any more", "");
    return discover(c, NULL, now);
}

static unsigned settle(DhcpClient *c, const DhcpAnswer *a)
{
    lease_fill(&c->lease, a);
    set_times(c, a);
    c->refusals = 0;
    c->trouble[0] = 0;
    return enter(c, DHCP_BOUND, c->renew, DHCP_DO_TAKE);
}

/* expected: the lease that was asked for; only_its: of whom. */
static unsigned acknowledged(DhcpClient *c, const DhcpAnswer *a, const DhcpLease *expected, bool only_its)
{
    const char *fault = fault_of(a);

    if (only_its && a->server.s_addr != expected->server.s_addr)
        return 0;
    if (!fault && a->address.s_addr != expected->address.s_addr)
        fault = "it is another address than was asked for";
    if (!fault)
        return settle(c, a);
    trouble_of(c, a, "gives a lease that cannot be taken", fault);
    return 0;
}

static unsigned acknowledged_offer(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    return acknowledged(c, a, &c->offer, true);
}

static unsigned renewed(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    return acknowledged(c, a, &c->lease, true);
}

static unsigned rebound(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    return acknowledged(c, a, &c->lease, false);
}

/* The first time at once, since that is how a network says that it has other addresses now. */
static unsigned wait_or_begin(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    usec_t wait = c->refusals == 0 ? 0 : USEC_PER_SEC << MIN(c->refusals, (unsigned)REFUSALS_DOUBLED);
    unsigned action = dhcp_client_has_lease(c) ? DHCP_DO_DROP : 0;

    c->refusals++;
    trouble_of(c, a, "refuses", a->text);
    return wait == 0 ? action | discover(c, NULL, now) : enter(c, DHCP_WAITING, usec_add(now, wait), action);
}

static unsigned refused_offer(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    return a->server.s_addr == c->offer.server.s_addr ? wait_or_begin(c, a, now) : 0;
}

static unsigned refused_renewal(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    return a->server.s_addr == c->lease.server.s_addr ? wait_or_begin(c, a, now) : 0;
}

static unsigned expired(DhcpClient *c, usec_t now)
{
    char address[INET_ADDRSTRLEN];

    (void)snprintf(c->trouble, sizeof c->trouble,
                   "the lease of %s ran out, and no DHCP server made it longer",
                   address_text(&c->lease.address, address));
    return discover(c, NULL, now) | DHCP_DO_DROP;
}

/* Which of its times has come: more than one, after a machine was paused. */
static unsigned lease_ages(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    if (now >= c->expires)
        return expired(c, now);
    bool all = now >= c->rebind;
    DhcpState state = all ? DHCP_REBINDING : DHCP_RENEWING;
    if (c->state != state) {
        c->xid = c->random();
        c->begun = c->state == DHCP_BOUND ? now : c->begun;
        c->tries = 0;
    } else
        c->tries++;
    /* Said when nobody has answered once. */
    if (c->tries > 0 || all)
        trouble_of(c, &(DhcpAnswer){ .server = c->lease.server }, "does not answer", "");
    c->sent = now;
    return enter(c, state, ask_again_at(now, all ? c->expires : c->rebind), DHCP_DO_SEND);
}

static unsigned stop(DhcpClient *c, const DhcpAnswer *a, usec_t now)
{
    unsigned action = dhcp_client_has_lease(c) ? DHCP_DO_DROP : 0;
    return enter(c, DHCP_STOPPED, USEC_INFINITY, action);
}

/* What is not here means nothing in that state. */
static const Transition transitions[DHCP_STATE_MAX][DHCP_EVENT_MAX] = {
    [DHCP_STOPPED] = { [DHCP_BEGIN] = discover },
    [DHCP_WAITING] = { [DHCP_TIMEOUT] = discover, [DHCP_END] = stop },
    [DHCP_SELECTING] = { [DHCP_TIMEOUT] = discover_again, [DHCP_OFFERED] = offered, [DHCP_END] = stop },
    [DHCP_REQUESTING] = { [DHCP_TIMEOUT] = ask_again,
                          [DHCP_ACKNOWLEDGED] = acknowledged_offer,
                          [DHCP_REFUSED] = refused_offer,
                          [DHCP_END] = stop },
    [DHCP_BOUND] = { [DHCP_TIMEOUT] = lease_ages, [DHCP_END] = stop },
    [DHCP_RENEWING] = { [DHCP_TIMEOUT] = lease_ages,
                        [DHCP_ACKNOWLEDGED] = renewed,
                        [DHCP_REFUSED] = refused_renewal,
                        [DHCP_END] = stop },
    [DHCP_REBINDING] = { [DHCP_TIMEOUT] = lease_ages,
                         [DHCP_ACKNOWLEDGED] = rebound,
                         [DHCP_REFUSED] = wait_or_begin,
                         [DHCP_END] = stop },
};
_Static_assert(ELEMENTSOF(transitions) == DHCP_STATE_MAX, "every state has a row");

/* --- for others -------------------------------------------------------------------------------------------------------------------- */

void dhcp_client_init(DhcpClient *c, const uint8_t mac[MAC_ADDRESS_SIZE], const char *hostname,
                      DhcpRandom random)
{
    *c = (DhcpClient){ .hostname = hostname, .random = random ?: kernel_random, .deadline = USEC_INFINITY };
    memcpy(c->mac, mac, sizeof c->mac);
}

static unsigned tell(DhcpClient *c, DhcpEvent event, const DhcpAnswer *a, usec_t now)
{
    Transition transition = transitions[c->state][event];
    return transition ? transition(c, a, now) : 0;
}

unsigned dhcp_client_tell(DhcpClient *c, DhcpEvent event, usec_t now)
{
    assert(event == DHCP_BEGIN || event == DHCP_TIMEOUT || event == DHCP_END);
    return tell(c, event, NULL, now);
}

unsigned dhcp_client_take(DhcpClient *c, const DhcpAnswer *answer, usec_t now)
{
    DhcpEvent event = answer->type == DHCP_OFFER ? DHCP_OFFERED
                      : answer->type == DHCP_ACK ? DHCP_ACKNOWLEDGED
                                                 : DHCP_REFUSED;

    return answer->xid == c->xid ? tell(c, event, answer, now) : 0;
}

void dhcp_client_skip(DhcpClient *c, usec_t time)
{
    usec_t *const times[] = { &c->deadline, &c->begun, &c->sent, &c->renew, &c->rebind, &c->expires };

    TABLE_FOREACH (t, times)
        if (**t != USEC_INFINITY)
            **t = usec_sub(**t, time);
}

bool dhcp_client_has_lease(const DhcpClient *c)
{
    return c->state >= DHCP_BOUND;
}

void dhcp_client_request(const DhcpClient *c, usec_t now, DhcpRequest *ret)
{
    static const struct in_addr all = { .s_addr = INADDR_BROADCAST };
    DhcpRequest r = {
        .type = c->state == DHCP_SELECTING ? DHCP_DISCOVER : DHCP_REQUEST,
        .xid = c->xid,
        .seconds = (uint16_t)MIN(usec_sub(now, c->begun) / USEC_PER_SEC, (usec_t)UINT16_MAX),
        .to = c->state == DHCP_RENEWING ? c->lease.server : all,
        .hostname = c->hostname,
    };

    memcpy(r.mac, c->mac, sizeof r.mac);
    if (c->state == DHCP_REQUESTING) {
        r.wanted = c->offer.address;
        r.server = c->offer.server;
    }
    if (dhcp_client_has_lease(c))
        r.from = c->lease.address;
    *ret = r;
}

void dhcp_client_release(const DhcpClient *c, DhcpRequest *ret)
{
    *ret = (DhcpRequest){ .type = DHCP_RELEASE,
                          .xid = c->random(),
                          .from = c->lease.address,
                          .to = c->lease.server,
                          .server = c->lease.server };
    memcpy(ret->mac, c->mac, sizeof ret->mac);
}
