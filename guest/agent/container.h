/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A container: carries out what its life (container-life.h) says, and says what happened to it. Its output goes line by line
 * into the agent's ring.
 */
#include "guest/agent/children.h"
#include "guest/agent/container-life.h"
#include "guest/agent/container-output.h"
#include "guest/agent/failure.h"
#include "guest/agent/launch.h"
#include "guest/agent/probe.h"
#include "guest/agent/rootfs.h"

typedef struct Container Container;

/* What a new process needs to find its way into a container. */
typedef struct ContainerEntry {
    Platform *platform;
    const AgentContainer *config;
} ContainerEntry;

struct Container {
    Agent *agent;
    const AgentContainer *config; /* not owned */
    ContainerLife life;
    Timer timer;
    bool
        awaits_volume; /* LIFE_WAITING: it is a volume's disk that is not there yet, and `failure` names it */
    int cgroup;
    uint64_t oom_kills; /* before the present run */
    Child child;
    int launch_status; /* -1: the program runs, or nothing is being started */
    Watch launch_watch;
    bool launch_ready;
    bool launch_failed;
    Failure failure;            /* the last one; error 0: none */
    ContainerOutput outputs[2]; /* of a terminal only the first, which is its other side */
    int input; /* leads to the program's standard input, if that is a pipe; -1: it does not, or no more */
    bool process_ended; /* its output has not been read to the end yet */
    int64_t exit_code;
    uint64_t exit_signal;
    bool oom_killed;
    usec_t started, ended; /* CLOCK_REALTIME */
    Probe probes[PROBE_KIND_MAX];
    Failure probe_failure;  /* the last one of any of them; error 0: none */
    usec_t probe_failed;    /* CLOCK_REALTIME */
    Failure limits_failure; /* why its limits are not those of its configuration; error 0: they are */
    Failure given_up;       /* why the last run was made to end; error 0: it was not, or not for a probe */
    const Container *waits_for; /* while it is queued; not owned */
    bool through;               /* of a sidecar: it has been ready, so that others may start */
    bool io_limited;            /* its control group has limits of disks, or had */
    bool unready;               /* it runs, and its probes say that it does not do its work */
    StartContainer start;       /* the name is borrowed */
};

/* Queued: nothing happens before its turn. */
void container_init(Container *c, Agent *a, const AgentContainer *config);
/* Kills what runs. */
void container_done(Container *c);
/* Nobody comes before it any more. */
void container_begin(Container *c);
/* Another one had to come first, and has failed. */
void container_refuse(Container *c, const Container *other);
/* What it waits for, for people. */
void container_wait_for(Container *c, const Container *other);
/* Its image's disk may be there now. */
void container_look(Container *c);
/* A secret or config file that it may have has come anew. 0 or negative errno with f. */
int container_files_changed(Container *c, Failure *f);
/* The name of its control group, below that of all. container-cgroup.c */
enum { CONTAINER_GROUP_SIZE = 24 };
const char *container_group(const Container *c, char name[CONTAINER_GROUP_SIZE]);
/* Makes its control group, with its limits and its devices. 0 or negative errno with c->failure. container-cgroup.c */
int container_confine(Container *c);
/* Of a machine that has no containers yet: what is the same for the first one of most pods is there when it comes. */
void container_prepare(Agent *a);
/* What to launch, but for where it is and how it gets there. Borrows from config. */
LaunchSpec container_spec(const AgentContainer *config, const int stdio[3]);
/* Of the disks that it has now: 0 or negative errno, as cgroup_limit(). container-io.c */
int container_limit_io(Container *c);
/* Its configuration has other limits than before. */
void container_limit(Container *c);
/* Its last failed probe says that it is not to run on. */
void container_give_up(Container *c);
/* What its probes say of it may have changed. */
void container_readiness_changed(Container *c);
/* To end by the deadline, on the loop's clock. */
void container_stop(Container *c, usec_t deadline);
/* Reads output into the ring; true when there is more to read at once. */
bool container_pump(Container *c);
/* Fills a report that borrows its strings from c. */
void container_fill_report(const Container *c, ContainerReport *ret);
bool container_runs(const Container *c);
/* Those that wait for it may start. */
bool container_through(const Container *c);

/* --- its program's streams: container-streams.c --- */

/* Of a new run; theirs are for the program, and the caller's to close, -1 for none. A terminal is made by the new process, and told of. 0 or
 * negative errno; what was opened is to be closed either way. */
int container_streams_open(Container *c, int theirs[3]);
/* Those of a program that has them already; takes outputs, of stdout and stderr. 0 or negative errno. */
int container_streams_take(Container *c, const int outputs[2]);
void container_streams_close(Container *c);
/* What its program reads of can be written there; -1: nothing can. Not the caller's to close, nor for longer than the run. */
int container_input(const Container *c);
/* Nothing more will come; nothing for a terminal. */
void container_input_end(Container *c);
/* Of its terminal; -ENOTTY where it has none. */
int container_resize(const Container *c, unsigned rows, unsigned columns);
