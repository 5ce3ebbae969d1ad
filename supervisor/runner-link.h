/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The connection of one runner (schemas/runner-protocol.h), from podvisord's side.
 *
 * Theory of operation
 * -------------------
 * A link begins without an owner. Its first packet must be a hello, in time; the hello function looks up whose it is, binds
 * the link to that owner, or refuses. (Or it is an introduction, after which the runner only listens.) From then on reports go to the owner, requests from the owner carry numbers and
 * deadlines, and each request is answered exactly once: by the runner, by its deadline (-ETIMEDOUT), or by the link's end
 * (-ECONNRESET). Nothing here ever waits: what a runner does not take at once ends its link.
 *
 * A runner is not trusted: broken, unexpected or endless packets end the link, and so many are read per turn that others
 * get theirs.
 */
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "base/units.h"
#include "schemas/runner-protocol.h"

typedef struct RunnerLink RunnerLink;

typedef struct RunnerLinkOps {
    /* Whose link is it? Calls runner_link_bind() and returns 0, or says why not (static text) and the link ends. */
    const char *(*hello)(void *userdata, RunnerLink *link, const RunnerHello *hello);
    /* A runner without a definition asks for it. As hello; once bound, the owner admits it or frees the link. */
    const char *(*introduce)(void *userdata, RunnerLink *link, const RunnerIntroduction *introduction);
    /* The runner has said what it sees. report may be emptied by whoever wants to keep its content. */
    void (*report)(void *owner, RunnerReport *report);
    /* The link is at its end, and is freed after this. Not called for one without an owner, or let go by it. */
    void (*lost)(void *owner, RunnerLink *link, int error);
} RunnerLinkOps;

/* error: 0, the runner's own (negative errno) with its message (may be NULL), -ETIMEDOUT, -ECONNRESET. */
typedef void (*RunnerReplyFunc)(void *userdata, int error, const char *message);

/* Takes fd in any case. The link frees itself at its end. */
int runner_link_new(sd_event *event, int fd, pid_t pid, const RunnerLinkOps *ops, void *userdata);
/* Ends the link without a word to its owner; requests under way are answered with -ECONNRESET. */
RunnerLink *runner_link_free(RunnerLink *l);

void runner_link_bind(RunnerLink *l, void *owner);
/* The peer's process at the time of its connect. */
pid_t runner_link_pid(const RunnerLink *l);
/* Who that is, as the kernel recorded it then. 0 or negative errno. */
int runner_link_peer(const RunnerLink *l, struct ucred *ret);
/* True when the other side has closed, even if that has not been read yet. */
bool runner_link_hung_up(const RunnerLink *l);

/* body: of the type's schema, or NULL; fd goes along when >= 0 and stays the caller's. 0 or negative errno (nothing sent). */
int runner_link_send(RunnerLink *l, RunnerMessageType type, const void *body, int fd);
/* The same, to be answered: func is called later, exactly once, if this returns 0. func may be NULL. */
int runner_link_request(RunnerLink *l, RunnerMessageType type, const void *body, int fd, usec_t timeout,
                        RunnerReplyFunc func, void *userdata);
