/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An image that holds nothing but the probe, a Peer for each test, and containers in short. */
#include "tests/unit/agent/peer.h"

extern const char *fixture_probe; /* the path of the program, set by main() */
extern char image[];

int make_image(void **state);
int remove_image(void **state);
int open_peer(void **state);
int close_peer(void **state);
#define WITH_PEER(test) cmocka_unit_test_setup_teardown(test, open_peer, close_peer)

/* A container that is not restarted, its command line split at blanks. Freed by container_done_test(). */
AgentContainer container(const char *name, const char *command);
void container_done_test(AgentContainer *c);
#define CONTAINER(variable, name, command)                                                                   \
    _cleanup_(container_done_test) AgentContainer variable = container(name, command)

/* Configures the agent of the state with them; skips the test where containers cannot be run. */
Peer *start(void **state, const AgentContainer *c, size_t n);
/* Waits for the container's end for good. */
const ContainerReport *ended(Peer *p, const char *name);
