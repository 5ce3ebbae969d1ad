/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Requests for a runner that is away for a moment.
 *
 * When a runner dies, its machine goes on, and the next runner takes over within a fraction of a second. Whoever asks
 * something of the pod just then is not told of that moment: the request waits here until a runner can take it, the
 * machine is seen to have ended, or the request's own deadline passes.
 */
#include <sys/queue.h>

#include "schemas/runner-protocol.h"
#include "supervisor/runner-link.h"

typedef struct Pod Pod;
typedef struct QueuedRequest QueuedRequest;
typedef TAILQ_HEAD(RequestQueue, QueuedRequest) RequestQueue;

/* True when the pod's runner would take a request now. */
bool request_possible(const Pod *pod);
/* True when no runner takes requests now, but one soon will: the machine starts, or lives and is being taken over. */
bool request_may_wait(const Pod *pod);

/*
 * Sends the request, or keeps it until it can be sent. request: of RUNNER_EXEC, else NULL; copied. fd: duplicated; -1: none. func is
 * called later, exactly once, if this returns 0; never if it returns negative errno.
 */
int request_submit(Pod *pod, RunnerMessageType type, const ExecRequest *request, int fd, usec_t timeout,
                   RunnerReplyFunc func, void *userdata);
/* The pod's facts have changed: sends what can be sent, answers what cannot be any more. */
void request_queue_settle(Pod *pod);
/* Answers all that waits with this error (negative errno). */
void request_queue_fail(Pod *pod, int error, const char *why);
