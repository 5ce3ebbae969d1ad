/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The processes whose parent the agent is: its own, of which it learns the exact end, and those that the kernel gives to
 * process 1, which are only reaped.
 *
 * Invariant: the number of a Child whose `pid` is not 0 belongs to that process, because only this module reaps.
 */
#include <signal.h>
#include <sys/types.h>

#include "guest/agent/loop.h"

typedef struct Child Child;

struct Child {
    pid_t pid; /* 0: none */
    int pidfd; /* owned; meaningful while pid is not 0 */
    /* The process has ended and is reaped: code is -1 when signal ended it. */
    void (*on_end)(void *userdata, int code, int signal);
    void *userdata;
    Child *next;
};

typedef struct Children {
    Loop *loop;
    Watch watch;
    int signals; /* signalfd(2) */
    Child *first;
} Children;

/* Blocks all signals of the process. 0 or negative errno. */
int children_init(Children *c, Loop *loop);
void children_done(Children *c);
/* Takes pidfd. on_end and userdata are set before. */
void children_add(Children *c, Child *child, pid_t pid, int pidfd);
/* It is somebody else's child from here on: its number, and its descriptor. */
pid_t children_release(Children *c, Child *child, int *ret_pidfd);
/* The object of the child goes away: its process, if any, is killed and reaped without a word. */
void children_forget(Children *c, Child *child);
