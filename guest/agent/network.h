/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The machine's network interface, as the runner says it is to be. */
#include "guest/agent/failure.h"
#include "schemas/agent.h"

/* Whether there is anything to set up. */
bool network_is_wanted(const AgentNetwork *n);
/* In a copy of a template (schemas/user-network.h): gives its interface this address, under which it is looked for. Can be repeated. */
void network_take_address(const char *mac);
/* Addresses, routes, MTU, and up. Can be repeated. 0, or negative errno with f. */
int network_apply(const AgentNetwork *n, Failure *f);
/* Its addresses, and the routes with them, are taken away; it stays up. What is not there is no error. 0, or negative errno with f. */
int network_withdraw(const AgentNetwork *n, Failure *f);
/* The interface of this hardware address by its number; 0: there is none. */
unsigned network_interface(const char *mac);
/* The file by which programs resolve names: malloc'ed; NULL: out of memory. */
char *network_resolv_conf(const AgentNetwork *n);
