/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The runner's end of the agent protocol (schemas/agent.h): one session on one channel.
 *
 * Theory of operation
 * -------------------
 * A client is made for a fresh channel, says hello with a session number of its own, and repeats that until the agent
 * answers (the guest may still be booting). From the welcome on, messages go out through a bounded queue and come in through
 * a table of callbacks. Requests have a deadline each. The heart beats every AGENT_BEAT: when nothing has been heard
 * for that long, a ping is sent; AGENT_MISSES_MAX pings without an answer are a lost agent. When the session is over, for
 * whatever reason, `lost` is called once, the client does nothing more, and its owner frees it and may try a new channel.
 *
 * What comes from the guest is hostile. Invariants:
 * - Memory is bounded: one frame decoder, AGENT_OUT_MAX of output, AGENT_REQUESTS_MAX requests.
 * - One wake-up reads at most AGENT_READ_SIZE bytes, so other sources of the loop are served in between.
 * - Frames of other sessions, replies without a request and types that do not belong here are dropped and counted. Broken ones
 *   cost points, which come back with time; an agent that runs out of them is lost with -EBADMSG.
 * - Nothing of a message is used before its schema has accepted it.
 */
#include <systemd/sd-event.h>

#include "schemas/agent.h"

enum {
    AGENT_READ_SIZE = 32 * 1024,
    AGENT_OUT_MAX = 1024 * 1024,
    AGENT_OUT_ROOM = 128 * 1024, /* below this, the queue has room for streams */
    AGENT_REQUESTS_MAX = 128,
    AGENT_MISSES_MAX = 2,
    AGENT_POINTS_MAX = 64,            /* for broken frames; one comes back each second */
    AGENT_POINT_SKIPPED = 256 * 1024, /* so many bytes that belong to no frame cost one point */
};
#define AGENT_BEAT (30 * USEC_PER_SEC)
#define AGENT_PING_TIMEOUT (15 * USEC_PER_SEC)
#define AGENT_HELLO_INTERVAL (3 * USEC_PER_SEC)

typedef struct AgentClient AgentClient;

/* Both may free the client from inside. A message's body may be emptied, is freed afterwards. */
typedef void (*AgentMessageFunc)(void *userdata, void *body);
/* error: 0, a negative errno of the agent, -ETIMEDOUT, or -ECONNRESET when the session ended. message: the agent's words, escaped, or NULL. */
typedef void (*AgentReplyFunc)(void *userdata, int error, const char *message);

typedef struct AgentCallbacks {
    AgentMessageFunc
        on[AGENT_MESSAGE_MAX];     /* clock, welcome, report, log, data, credit, exit; NULL: dropped */
    void (*batch)(void *userdata); /* after the messages of one read; may be NULL */
    void (*room)(void *userdata);  /* agent_client_has_room() has become true again; may be NULL */
    /* -ETIMEDOUT: silent; -EACCES: it refused the token; -EBADMSG: garbage; -ENOBUFS: it does not read; else the channel broke. */
    void (*lost)(void *userdata, int error);
    usec_t beat, ping_timeout; /* 0: AGENT_BEAT, AGENT_PING_TIMEOUT */
} AgentCallbacks;

typedef struct AgentCounters {
    uint64_t messages; /* that were taken */
    uint64_t broken;   /* frames that hold no message */
    uint64_t strange;  /* messages that mean nothing here: other sessions, unknown ids and types */
    uint64_t torn;     /* frames whose header was good and whose payload was not */
    uint64_t skipped;  /* bytes that belong to no frame */
} AgentCounters;

/*
 * Takes fd (non-blocking) in any case. hello_timeout: how long the agent has for its welcome before it is lost with -ETIMEDOUT;
 * USEC_INFINITY: the owner has a deadline of its own. callbacks and userdata outlive the client.
 */
int agent_client_new(sd_event *event, int fd, Id128 token, usec_t hello_timeout,
                     const AgentCallbacks *callbacks, void *userdata, AgentClient **ret);
/* Ends the session without a call of `lost`; open requests are answered with -ECONNRESET. */
AgentClient *agent_client_free(AgentClient *c);
DEFINE_CLEANUP(AgentClient *, agent_client_free)

/* Queues a message: 0, -ENOTCONN before the welcome and after the end, -EMSGSIZE, -ENOBUFS, -ENOMEM. */
int agent_client_send(AgentClient *c, AgentMessageType type, const void *body);
/* The same with an answer; func is called exactly once if 0 was returned. */
int agent_client_request(AgentClient *c, AgentMessageType type, const void *body, usec_t timeout,
                         AgentReplyFunc func, void *userdata);
/* Whoever waits with this userdata is not called any more. */
void agent_client_forget(AgentClient *c, const void *userdata);
bool agent_client_has_room(const AgentClient *c);
/* A guest that stands still is not expected to say anything: no ping, and no deadline passes. */
void agent_client_set_paused(AgentClient *c, bool paused);
const AgentCounters *agent_client_counters(const AgentClient *c);
