/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The address of a machine that leases it, from the first question to the end: dhcp-client.h says when what is to be asked and what an
 * answer means, dhcp-link.h carries it, and this sets up what comes of it.
 *
 *     configure --> dhcp_begin() --...--> the first lease --> agent_configure_leased(): the containers begin, the runner is answered
 *                                   |
 *                                   +---> none in time -----> agent_configure_failed(): the runner is told why
 *
 * A lease stands in the agent's configuration as if the runner had said it: addresses, gateways, name servers, MTU. The files that come of
 * these change with it, also in containers that run. When a lease ends, the interface has no address until there is another one, and the
 * containers go on.
 */
#include "guest/agent/dhcp-client.h"
#include "guest/agent/dhcp-link.h"
#include "guest/agent/failure.h"
#include "guest/agent/loop.h"
#include "schemas/report.h"

typedef struct Agent Agent;

typedef struct Dhcp {
    bool begun;
    DhcpClient client;
    DhcpLink link;
    Watch watch;
    Timer timer;
    usec_t patience; /* until when there has to be a lease; USEC_INFINITY: there was one */
    bool applied;    /* `lease` is set up */
    DhcpLease lease;
    char trouble[FAILURE_TEXT_MAX]; /* of what was set up or sent; empty: none */
    char **nameservers;             /* as declared, instead of those of leases; NULL: none are */
    uint64_t mtu;                   /* as declared */
} Dhcp;

/* For the network in the agent's configuration, which asks for it. 0, or negative errno with f. */
int dhcp_begin(Agent *a, Failure *f);
/* Forgets all of it; the interface stays as it is. */
void dhcp_end(Agent *a);
/* The machine is about to power off: the lease, if there is one, is given back. */
void dhcp_release(Agent *a);
/* So much time has gone by that the loop's clock has not seen. */
void dhcp_skip(Agent *a, usec_t time);
/* What is to be told of it: all NULL and 0 where nothing is leased. For schema_done(); 0 or -ENOMEM. */
int dhcp_fill_report(const Agent *a, LeaseReport *ret);
