/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A client of DHCPv4 (RFC 2131): when to say what, and what the answers mean. A table over states and events, and the clock. Pure, as
 * probe-life.h: each answer is what to do and, in `deadline`, when to tell DHCP_TIMEOUT.
 *
 *     SELECTING --offer--> REQUESTING --ack--> BOUND --T1--> RENEWING --T2--> REBINDING --expired--+
 *         ^                    |                 ^               |                |                |
 *         |                    |                 +----- ack -----+------ack ------+                |
 *         +---- WAITING <--nak-+-------------------------nak-----+-------nak------+                |
 *         +----------------------------------------------------------------------------------------+
 *
 * Everybody on the network may answer, and a server may answer anything: an answer counts only with the number of the question, from the
 * server that was asked, and with a lease that a host can have. What was passed over and why stands in `trouble`, for people.
 */
#include "base/enum-table.h"
#include "base/units.h"
#include "guest/agent/dhcp-message.h"

/* A shorter one would keep both sides busy with nothing else. */
enum { DHCP_LEASE_MIN = 4 };

typedef enum DhcpState {
    DHCP_STOPPED,    /* nothing is due */
    DHCP_WAITING,    /* a server has refused; at `deadline` it begins anew */
    DHCP_SELECTING,  /* waits for an offer */
    DHCP_REQUESTING, /* has taken one, and waits for the server's word */
    DHCP_BOUND,      /* from here on there is a lease */
    DHCP_RENEWING,   /* asks the server that gave it */
    DHCP_REBINDING,  /* asks all */
    DHCP_STATE_MAX,
} DhcpState;
extern const EnumTable dhcp_state_table;

typedef enum DhcpEvent {
    DHCP_BEGIN,
    DHCP_TIMEOUT, /* the deadline has come */
    DHCP_OFFERED,
    DHCP_ACKNOWLEDGED,
    DHCP_REFUSED,
    DHCP_END,
    DHCP_EVENT_MAX,
} DhcpEvent;

/* What is to be done, in this order; any number of them. */
enum {
    DHCP_DO_DROP = 1, /* the lease that was is none any more */
    DHCP_DO_TAKE = 2, /* `lease` holds, and may differ from the one before */
    DHCP_DO_SEND = 4, /* what dhcp_client_request() says */
};

typedef struct DhcpLease {
    struct in_addr address, server, router; /* router 0: none */
    uint8_t bits;
    uint16_t mtu; /* 0: none said */
    struct in_addr nameservers[DHCP_NAMESERVERS_MAX];
    size_t n_nameservers;
    char domain[DHCP_DOMAIN_MAX + 1];
} DhcpLease;

typedef uint32_t (*DhcpRandom)(void);

typedef struct DhcpClient {
    uint8_t mac[MAC_ADDRESS_SIZE];
    const char *hostname; /* not owned */
    DhcpRandom random;
    DhcpState state;
    usec_t deadline; /* USEC_INFINITY: none */
    uint32_t xid;
    usec_t begun;         /* the exchange that is under way */
    usec_t sent;          /* the last request for a lease: that counts from then */
    unsigned tries;       /* how often the present question was asked */
    unsigned refusals;    /* in a row */
    DhcpLease offer;      /* of REQUESTING */
    DhcpLease lease;      /* from BOUND on */
    usec_t renew, rebind; /* T1 and T2 */
    usec_t expires;       /* USEC_INFINITY: never */
    char trouble[256];    /* what was the matter last; empty since there is a lease that is in order */
} DhcpClient;

/* random NULL: the kernel's. */
void dhcp_client_init(DhcpClient *c, const uint8_t mac[MAC_ADDRESS_SIZE], const char *hostname,
                      DhcpRandom random);
/* DHCP_BEGIN, DHCP_TIMEOUT or DHCP_END. DHCP_DO_*. */
unsigned dhcp_client_tell(DhcpClient *c, DhcpEvent event, usec_t now);
/* Something has come. DHCP_DO_*. */
unsigned dhcp_client_take(DhcpClient *c, const DhcpAnswer *answer, usec_t now);
/* Something has come that cannot be read; why as dhcp_decode(). */
void dhcp_client_take_bad(DhcpClient *c, const char *why);
/* So much time has gone by that the clock has not seen: a machine that was paused. dhcp_client_tell(DHCP_TIMEOUT) may be due. */
void dhcp_client_skip(DhcpClient *c, usec_t time);
/* Whether there is a lease. */
bool dhcp_client_has_lease(const DhcpClient *c);
/* What is to be said now. */
void dhcp_client_request(const DhcpClient *c, usec_t now, DhcpRequest *ret);
/* That the lease is given back. */
void dhcp_client_release(const DhcpClient *c, DhcpRequest *ret);
