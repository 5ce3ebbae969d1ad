/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The runner's side of the runner protocol (schemas/runner-protocol.h).
 *
 * Theory of operation
 * -------------------
 * The link connects to the socket that the frozen definition names, says hello, and after the welcome sends the report: at
 * once, and whenever it has changed, at most LINK_REPORTS_PER_SECOND times a second; that the pod is ready waits for no
 * turn, so that whom systemd lets go on then finds podvisord in the know. When podvisord is away, the
 * directory of the socket is watched, so that a new podvisord is met at once; a slow timer finds it where the directory
 * cannot be watched. Requests are dispatched by a table (runner-requests.c).
 *
 * Invariants: never blocks; holds at most LINK_REPLIES_MAX unsent replies, and drops a connection that lets more pile up; a
 * packet that is not understood ends the connection, an unknown type alone does not.
 */
#include "runner/runner.h"
#include "schemas/agent.h"
#include "schemas/runner-protocol.h"

enum {
    LINK_REPORTS_PER_SECOND = 20,
    LINK_REPLIES_MAX =
        2 * AGENT_STREAMS_MAX, /* each begin of an exec has one, and podvisord may be stopped for a moment */
    LINK_AWAITING_MAX = 8,
};
#define LINK_RETRY_MIN (250 * USEC_PER_MSEC)
#define LINK_RETRY_MAX (5 * USEC_PER_SEC)
#define LINK_WELCOME_TIMEOUT (10 * USEC_PER_SEC)

int supervisor_link_new(Runner *r, SupervisorLink **ret);
SupervisorLink *supervisor_link_free(SupervisorLink *l);
/* Connects, now or when podvisord is there. Negative errno: out of memory or descriptors. */
int supervisor_link_begin(SupervisorLink *l);
void supervisor_link_report_changed(SupervisorLink *l);
/* Answers request id; id 0 wants no answer. error: 0 or negative errno. */
void supervisor_link_reply(SupervisorLink *l, uint64_t id, int error, const char *message);
/* A request to pause or to go on was accepted: it is answered when that has happened, or will not. */
void supervisor_link_await(SupervisorLink *l, uint64_t id);
/* Answers all that wait for that. */
void supervisor_link_settle(SupervisorLink *l, int error, const char *message);

/* In runner-requests.c. Takes *fd when it uses it. May leave the loop, but does not free the link. */
void runner_request(Runner *r, SupervisorLink *l, const Message *m, int *fd);
