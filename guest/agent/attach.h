/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Somebody who is attached to a container's own program, on a stream of the port.
 *
 * Theory of operation
 * -------------------
 *     the program --output--> container-output.c --+--> the log's ring
 *                                                  +--> each attachment --credit--> port
 *     each attachment --input--> a copy of the one descriptor that leads to the program
 *
 * An attachment keeps no output: what is read from the program goes out at once, to all who are attached, and so no more is read than each
 * of them has credit for. An attachment without credit makes the program wait, for ATTACH_PATIENCE at most; then it is cut off, and the
 * program goes on. The runner grants credit as its client reads, so that is what a client has to take something within.
 *
 * Input is that of an exec (stream-pipe.h). The container keeps the descriptor; each attachment has a copy of it, so that who goes
 * leaves it open. The one who comes to the end of his own input closes it for all (of a terminal: only for himself).
 *
 * The run's end is the stream's: the exit has what the run ended with. A hang-up or the end of the session ends the attachment and
 * nothing else; what came before it is written as far as the program takes it.
 *
 * Invariants: there are attachments only to runs whose end has not been told. One that is `over` says nothing any more, and is freed by the
 * next attach_pump_all(), so that none goes away under a loop over them.
 */
#include "guest/agent/failure.h"
#include "guest/agent/stream-pipe.h"

typedef struct Agent Agent;
typedef struct Attachment Attachment;
typedef struct Container Container;

enum { ATTACHMENTS_MAX = 16 };
#define ATTACH_PATIENCE (5 * USEC_PER_SEC)

/* 0: it is attached; or negative errno with f. */
int attach_start(Agent *a, const AgentExec *request, Failure *f);
bool attach_uses(const Agent *a, uint64_t stream);

/* What the runner says of a stream: 0 or negative errno, -ENOENT for one that is none of an attachment. */
int attach_input(Agent *a, uint64_t stream, const Bytes *data);
int attach_credit(Agent *a, uint64_t stream, StreamChannel channel, uint64_t bytes);
int attach_signal(Agent *a, uint64_t stream, int signal);
int attach_resize(Agent *a, uint64_t stream, unsigned rows, unsigned columns);
int attach_hangup(Agent *a, uint64_t stream);
/* The session is over. */
void attach_hangup_all(Agent *a);

/* How much output of the container of the name can be taken now; 0: it has to wait, and somebody will be cut off if it is for long. */
size_t attach_room(Agent *a, const char *container, StreamChannel channel);
/* No more than there was room for. */
void attach_take(Agent *a, const char *container, StreamChannel channel, const uint8_t *data, size_t size);
/* The container's run is over, and all of its output was taken. message may be NULL. */
void attach_run_ended(Agent *a, const Container *c, const char *message);

/* Moves input; frees what is over. */
void attach_pump_all(Agent *a);
void attach_free_all(Agent *a);
