/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The execs under way: each relays between a client's socket (schemas/stream.h) and a stream of the agent.
 *
 * Theory of operation
 * -------------------
 * Towards the agent: what the client writes is held until the agent has granted room for it and the agent client's queue has room; until
 * then the client's socket is not read, and the client waits. Towards the client: what the agent sends is held until the
 * socket takes it; only then the agent is granted more. So a slow reader holds up nobody but its own program.
 *
 * Invariants
 * - One exec holds at most AGENT_STREAM_CREDIT of each output channel, and one packet of input. An agent that sends more than it was
 *   granted loses that stream.
 * - There are at most AGENT_STREAMS_MAX execs, and TASK_QUESTIONS_MAX of them questions.
 * - A client that got a 0 from exec_streams_start() gets an `exit` as its last packet, or sees its socket closed when the
 *   runner dies.
 */
#include "runner/agent-client.h"

typedef struct ExecStreams ExecStreams;

int exec_streams_new(sd_event *event, AgentClient *client, ExecStreams **ret);
/* Every client is told that its program's end is unknown: "why". */
ExecStreams *exec_streams_free(ExecStreams *s, const char *why);

/*
 * Takes *fd and asks the agent. 0: the client hears all else over its socket, also that the program could not be started. Negative errno with
 * *ret_message (malloc'ed, may be NULL), and *fd stays the caller's: -EBUSY, -ENOTCONN, -EMSGSIZE, -EINVAL for a descriptor that is no
 * packet socket.
 */
int exec_streams_start(ExecStreams *s, const ExecRequest *request, int *fd, char **ret_message);

/* What the agent sends. Unknown streams are passed over: they have just ended. */
void exec_streams_on_data(ExecStreams *s, const AgentData *data);
void exec_streams_on_credit(ExecStreams *s, const AgentCredit *credit);
void exec_streams_on_exit(ExecStreams *s, const AgentExit *end);
/* The agent client has room again. */
void exec_streams_on_room(ExecStreams *s);
size_t exec_streams_count(const ExecStreams *s);
