/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a container's program writes on one of its streams: from the pipe or terminal, line by line, into the agent's ring, and byte
 * for byte to those who are attached. It is read no faster than all of these have room.
 */
#include "guest/agent/line-splitter.h"
#include "guest/agent/loop.h"
#include "schemas/stream.h"

typedef struct Agent Agent;

/* The most that a pipe can hold for a program without privileges. */
enum { CONTAINER_OUTPUT_REST_MAX = 1024 * 1024 };

typedef struct ContainerOutput {
    Agent *agent;
    const char *container; /* its name, not owned */
    StreamChannel channel;
    int fd; /* -1: closed */
    bool
        terminal; /* fd is a terminal's other side: its line ends are two bytes, and it has no end of its own */
    Watch watch;
    bool readable; /* there may be more to read */
    bool ending;   /* the program has ended */
    size_t rest;   /* how much may still be read then */
    LineSplitter splitter;
} ContainerOutput;

/* Does not move afterwards. */
void container_output_init(ContainerOutput *o, Agent *a, const char *container, StreamChannel channel);
/* A new pipe; *ret_write is for the program. 0 or negative errno. */
int container_output_open(ContainerOutput *o, int *ret_write);
/* The same of what the program has already, a terminal or the other end of a pipe; takes fd, also when it fails. */
int container_output_take(ContainerOutput *o, int fd, bool terminal);
/* Reads once, as far as there is room; false when there is nothing more for now. */
bool container_output_read(ContainerOutput *o);
/* The program has ended: what it wrote is still read, but nothing that somebody else who has the pipe writes later. */
void container_output_end(ContainerOutput *o);
void container_output_close(ContainerOutput *o);
