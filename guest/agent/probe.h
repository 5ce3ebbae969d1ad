/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The probes of a container, carried out: what probe-life.h says, by a program, a connection or a request.
 *
 * Theory of operation
 * -------------------
 *     container runs --probes_begin()--> startup --passed--> ready, alive      (without startup: at once)
 *     timer --> probe-life --try--> method->begin() ... probe_result() --> probe-life --> the container's readiness, or its end
 *
 * Everything that answers a probe is a container's: what it says is bounded, and it is never waited for but by the loop. A try
 * that was ended may leave a killed process behind which the kernel has not ended yet; as long as it has not, the next try fails.
 *
 * Invariants: without a probe there is no timer; what a try has open is closed when its result is told or it is aborted.
 */
#include "guest/agent/children.h"
#include "guest/agent/failure.h"
#include "guest/agent/probe-life.h"

typedef struct Container Container;
typedef struct Probe Probe;

enum {
    PROBE_INPUT_MAX = 512, /* of what a program or a server says; the rest is read away */
    PROBE_TEXT_MAX = 200,  /* of a program's words in a failure */
};

typedef struct ProbeMethod {
    /* Begins a try: 0, and probe_result() will be told; or negative errno with f: it has failed already. */
    int (*begin)(Probe *p, Failure *f);
    /* Closes what a try has open, if anything; what runs is killed. */
    void (*end)(Probe *p);
} ProbeMethod;
extern const ProbeMethod probe_exec, probe_tcp, probe_http;

struct Probe {
    Container *container;
    const ProbeMethod *method; /* NULL: there is no such probe */
    ProbeLife life;
    Timer timer;
    /* Of the try under way: */
    int fd; /* the program's output, or the connection; -1: none */
    Watch watch;
    char input[PROBE_INPUT_MAX];
    size_t n_input;
    Child child; /* may outlive the try */
    bool waits;  /* the child's end is this try's */
    int launch_status;
    Watch launch_watch;
    bool launch_ready;
    Failure launch_failure;
    Bytes request; /* what of it has not been sent yet */
};

/* For each kind of probe one; the container's configuration outlives them. */
void probes_init(Container *c);
void probes_done(Container *c);
/* The container has come to run; it does not any more, or is to end. */
void probes_begin(Container *c);
void probes_end(Container *c);
/* Whether nothing speaks against the container's being ready, as long as it runs. */
bool probes_ready(const Container *c);

/* For methods: what came of the try. failure NULL: it has passed. */
void probe_result(Probe *p, const Failure *failure);
