/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What stands between a guest's network device and passt, for as long as both live.
 *
 * Theory of operation
 * -------------------
 *     QEMU --frames--> filter (frames.h) --> passt        one buffer for each direction: who does not read holds up
 *     QEMU <--frames------------------------ passt        the other, and nothing is dropped in here
 *
 * passt's child process, its standard error and the pipe on which it says that it is set up are watched as well, and the runner is
 * told of both. The runner may go away; only the end of the machine, of passt, or of this process is an end.
 *
 * It reads what a hostile guest sends, so it gives away what it could do before: guard_confine().
 */
#include <sys/types.h>

#include "base/macro.h"

typedef struct Guard {
    int guest;  /* connected to QEMU */
    int passt;  /* connected to passt */
    int pidfd;  /* passt's process, our child */
    int log;    /* passt's standard error */
    int ready;  /* passt writes to it once; -1: it has */
    int runner; /* packets; -1: it is gone */
    /* The hardware address of the guest, which passt is told of; NULL: it waits for the guest to say something. */
    const char *mac;
} Guard;

/* From here on nothing but to read, write and wait. 0 or negative errno. */
int guard_confine(void);

/* Returns when the machine is gone (0), or passt is: 1 with *ret_why, a sentence (malloc'ed; NULL: out of memory). Negative errno
 * otherwise. passt does not run any more then. */
int guard_run(Guard *g, char **ret_why);
