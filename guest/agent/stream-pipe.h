/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The two directions of a standard stream, with credits: pure but for read(2) and write(2) on the descriptor.
 *
 * Invariants: an output sends no more than its credit; an input holds no more than it has granted.
 */
#include "guest/agent/loop.h"
#include "schemas/agent.h"

/* What a program writes, on its way to the runner. */
typedef struct StreamOutput {
    int fd; /* owned; -1: closed */
    Watch watch;
    bool readable;
    bool open; /* its end was not told yet */
    uint64_t credit;
} StreamOutput;

/* What a program reads, on its way from the runner. */
typedef struct StreamInput {
    int fd;
    Watch watch;
    bool writable;
    bool ended;  /* the runner has said all; closed when it is written */
    bool closed; /* what comes now is for nobody */
    Bytes pending;
    uint64_t granted; /* may still come */
    uint64_t taken;   /* written since the last grant */
} StreamInput;

/* Before there is a descriptor: credit and input may come already. */
void stream_output_init(StreamOutput *o);
void stream_input_init(StreamInput *i);

/* Take fd, also when they fail. 0 or negative errno. */
int stream_output_open(StreamOutput *o, Loop *l, int fd);
void stream_output_close(StreamOutput *o, Loop *l);
/* At most size bytes, and no more than the credit: the number, 0 at the end, -EAGAIN for nothing now. */
ssize_t stream_output_read(StreamOutput *o, void *buffer, size_t size);

int stream_input_open(StreamInput *i, Loop *l, int fd);
void stream_input_close(StreamInput *i, Loop *l);
/* Empty data: the end. -EMSGSIZE for more than was granted, -ENOMEM. */
int stream_input_push(StreamInput *i, const void *data, size_t size);
/* Writes what the program takes now. What a program that closed its input would have got is lost. */
void stream_input_write(StreamInput *i, Loop *l);
/* How many bytes to grant now; 0 while it is not worth a message. */
uint64_t stream_input_grant(StreamInput *i);
