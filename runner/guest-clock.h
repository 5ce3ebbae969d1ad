/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Keeps the guest's clock by the host's: at the start of a session, and when a paused guest goes on.
 *
 * Theory of operation
 * -------------------
 * What is said to a guest may lie for seconds before it is read: the guest boots, or its processor is emulated. So a time that
 * is sent would be a wrong one. The agent is asked what its clock shows, and by when question and answer were under way it is known what it
 * should have shown, give or take half of the round trip. If it is off by more than that and GUEST_CLOCK_TOLERANCE, the agent is
 * told by how much to move it: a difference does not age under way. Then it is asked again, until it is right within the
 * tolerance or GUEST_CLOCK_ROUNDS are over: on a host so busy that round trips are slow, nothing better can be known.
 *
 * Only a copy of a template is told the time, when it has said its first word: its clock is as old as its template, and its containers
 * need not wait for a round trip to be right to within that one message. The rounds go on meanwhile.
 *
 * A guest that lies about its clock gets a wrong clock. Answers to what was not asked are dropped.
 */
#include "runner/agent-client.h"

enum { GUEST_CLOCK_ROUNDS = 6 };
#define GUEST_CLOCK_TOLERANCE (20 * USEC_PER_MSEC)

typedef struct GuestClock {
    uint64_t round; /* of the last question */
    unsigned left;  /* rounds; 0: nothing is asked for */
    usec_t asked;   /* CLOCK_REALTIME */
    usec_t sent;    /* the same moment by CLOCK_MONOTONIC */
} GuestClock;

/* Begins anew. tell: the agent is told the time with the first question. 0, or negative errno of agent_client_send(). */
int guest_clock_begin(GuestClock *c, AgentClient *client, bool tell);
/* Whether it is the answer to the last question. */
bool guest_clock_awaits(const GuestClock *c, const AgentClock *answer);
/* 1: it was an answer, and what follows from it has been sent; 0: it was none; or negative errno of agent_client_send(). */
int guest_clock_take(GuestClock *c, AgentClient *client, const AgentClock *answer);

/* By how much a clock is wrong that showed `time` at a moment between asked and answered: what is certain of it, and more than
 * the tolerance, else 0. *ret_right: it is certainly right within the tolerance. */
int64_t guest_clock_error(usec_t asked, usec_t answered, usec_t time, bool *ret_right);
