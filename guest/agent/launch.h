/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Starting a program of a container: a process with its namespaces, control group, user, capabilities and streams. The caller learns
 * what became of it from the status socket: it ends when the program runs; what stands in it before says why not, or
 * brings the terminal.
 *
 * The new process goes through `enter` (its way into the container) with the agent's power, then gives that power up, then
 * executes. From the moment it can see the container's files it looks up nothing that leads out of them.
 */
#include <sys/types.h>

#include "guest/agent/failure.h"
#include "guest/agent/identity.h"
#include "schemas/pod-definition.h"

typedef struct LaunchSpec {
    char *const *command;
    char *const *environment;      /* may be NULL */
    char *const *more_environment; /* overrides environment; may be NULL */
    const char *working_dir;       /* NULL: / */
    const char *user;              /* NULL: root */
    const ContainerDefinition
        *definition; /* its confinement: groups, capabilities, no_new_privs, seccomp, rlimits */
    bool terminal;   /* a new one takes the place of stdio */
    unsigned rows, columns;
    int stdio[3];             /* -1: /dev/null */
    int cgroup;               /* -1: the agent's own */
    unsigned long namespaces; /* CLONE_NEW... */
    int pid_namespace_of; /* pidfd of a process whose pid namespace it is born in; -1: the agent's own or a new one */
    int (*enter)(void *userdata, Failure *f); /* NULL: it stays with the agent */
    /* Instead of the command: what the process does itself, with its streams; returns its exit status. `kept` is then open as LAUNCH_TASK_FD
     * (-1: none), and all else is closed. */
    int (*task)(void *userdata);
    int kept;
    void *userdata;
    bool
        prepared; /* launch_reset() and seccomp_confine() were called, and its streams are in place, but for a terminal */
} LaunchSpec;

/* Of the new process: where its status socket is, and what it keeps for its task. */
enum { LAUNCH_KEPT = 3, LAUNCH_TASK_FD };

typedef enum LaunchNews {
    LAUNCH_NOTHING,  /* nothing yet */
    LAUNCH_TERMINAL, /* *ret_terminal is the terminal's other side */
    LAUNCH_STARTED,  /* the program runs */
    LAUNCH_FAILED,   /* it does not, see f; the process ends by itself */
    LAUNCH_DIED,     /* the process ended on its way, without a word */
} LaunchNews;

typedef struct Launched {
    pid_t pid;
    int pidfd;
    int status; /* non-blocking */
} Launched;

int launch(const LaunchSpec *spec, Launched *ret, Failure *f);
/* The two ends of a status socket. 0 or negative errno. */
int launch_socket(int *ret_ours, int *ret_theirs);
/* A new process as spec asks for: its number, 0 in it, or negative errno. */
pid_t launch_clone(const LaunchSpec *spec, int *ret_pidfd);
/* In the new process: nothing of the agent's is left to it, such as what it does not hear, or that it is the last to be killed. */
int launch_reset(bool task, Failure *f);
/* The next of the news; *ready carries what was heard before, false at first. */
LaunchNews launch_news(int status, bool *ready, int *ret_terminal, Failure *f);

/* The new process's side; these do not return. */
void launch_child(const LaunchSpec *spec, int status) __attribute__((noreturn));
void launch_fail(int status, const Failure *f) __attribute__((noreturn));

/* Its last steps: gives up the agent's power and executes. Comes back only with a failure. */
int launch_program(const LaunchSpec *spec, const Identity *identity, int status, Failure *f);

/* The same of a task, when its streams are in place. *status: where failures are to be told. */
int launch_task(LaunchSpec spec, int *status, Failure *f);

/* Words on the status socket. */
#define LAUNCH_WORD_READY "ready"
#define LAUNCH_WORD_TERMINAL "terminal"
#define LAUNCH_WORD_FAILED "failed "
