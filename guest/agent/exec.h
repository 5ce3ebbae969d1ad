/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A program that somebody runs in a container, or what the agent does itself on a stream (task.h), with its streams over the port.
 *
 * Theory of operation
 * -------------------
 * exec --launch--> the answer to the request is sent when the program runs, or with the reason why it does not.
 * Output is read only as far as the runner has granted credit and the port has room, so that the program waits, not the port.
 * Input is taken up to what the agent has granted, written as the program reads, and granted again. When the program
 * has ended, what it left in its pipes is still sent; then each stream's end, then `exit`.
 *
 * Hang-up, by the runner or because its session is over: SIGHUP for the program's session, its terminal and pipes are
 * closed, SIGKILL after EXEC_HANGUP_GRACE. An Exec whose session is over is `orphaned`: it has no number and says nothing any more.
 *
 * Invariant: all Execs are in the agent's list from the launch until their process is reaped.
 */
#include "guest/agent/children.h"
#include "guest/agent/failure.h"
#include "guest/agent/launch.h"
#include "guest/agent/stream-pipe.h"

typedef struct Agent Agent;
typedef struct Exec Exec;

#define EXEC_HANGUP_GRACE (5 * USEC_PER_SEC)

struct Exec {
    Agent *agent;
    Exec *next;
    uint64_t stream;
    uint64_t request;                  /* to be answered when it runs or failed to; 0: nothing to answer */
    const struct Container *container; /* of a task that ends with it; else NULL */
    const char *why;                   /* the agent has ended it, for this reason; NULL: it has not */
    bool terminal;
    unsigned rows, columns;
    bool orphaned;
    bool hung_up;
    bool failed; /* it never ran; its request was answered so, and there is no exit to tell */
    bool ended;  /* its process has; code and signal say how */
    int code, signal;
    Child child;
    Timer hangup_timer;
    int launch_status; /* -1: it runs or has failed to */
    Watch launch_watch;
    bool launch_ready;
    StreamInput input;
    StreamOutput outputs[2]; /* of STREAM_STDOUT and STREAM_STDERR; of a terminal only the first */
};

/* Answers the request by itself when the program runs or failed to; negative errno with f: it was refused at once. */
int exec_start(Agent *a, uint64_t id, const AgentExec *request, Failure *f);
/* Whether what a stream is asked for can begin at all, in c (NULL: there is none): 0 or negative errno with f. */
int exec_check(Agent *a, const AgentExec *request, const struct Container *c, Failure *f);
/* Of the present session. */
Exec *exec_find(Agent *a, uint64_t stream);
int exec_input(Exec *e, const Bytes *data);
int exec_credit(Exec *e, StreamChannel channel, uint64_t bytes);
int exec_signal(Exec *e, int signal);
int exec_resize(Exec *e, unsigned rows, unsigned columns);
void exec_hangup(Exec *e);
/* The container's process has ended: what works on its files ends, too. Programs in it have ended by themselves. */
void exec_container_ended(Agent *a, const struct Container *c);
/* The session is over. */
void exec_hangup_all(Agent *a);
/* Moves what can be moved for all; true when there is more that can be moved at once. */
bool exec_pump_all(Agent *a);
void exec_free_all(Agent *a);

/* A program in a container that runs, as its own program is, with no streams; the container outlives it. */
LaunchSpec exec_spec(const struct Container *c);

/* exec-launch.c: makes the process and its streams; the news of it are heard in exec_hear(). */
int exec_launch(Exec *e, const struct Container *c, const ExecRequest *request, Failure *f);
void exec_hear(Exec *e);
void exec_close_streams(Exec *e);
