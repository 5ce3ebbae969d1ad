/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A podvisord of the tests: makes a run path in a directory of its own, freezes a definition, launches a real runner
 * program, and speaks the runner protocol with it. Every wait has a deadline, after which the test fails with the
 * last report and what the runner wrote.
 */
#include <sys/types.h>

#include "schemas/run-definition.h"
#include "schemas/runner-protocol.h"
#include "schemas/stream.h"
#include "tests/unit/test.h"

enum { HARNESS_TIMEOUT_MSEC = 20000 };

typedef struct Harness {
    TestDir dir;
    const char *program; /* of the runner */
    char *run_path;      /* dir/pods/NAME */
    int run_dir;
    int listener;
    RunDefinition definition; /* what is frozen; the test may change it before harness_freeze() */
    pid_t runner;             /* 0: none */
    int pidfd;
    int link;            /* -1: the runner is not connected */
    RunnerReport report; /* the last one */
    uint64_t next_id;
} Harness;

/* A pod of one container, of this backend. */
void harness_init(Harness *h, const char *program, BackendKind backend);
/* Ends whatever still runs (the runner first, then the machine that it last reported), and removes all. */
void harness_done(Harness *h);

/* A new attempt: new uuid and token; writes definition.msgpack. */
void harness_freeze(Harness *h);
/* Starts a runner and waits for its hello, which must be right; answers with welcome. */
void harness_launch(Harness *h);
/* Only starts it. */
void harness_spawn(Harness *h);
/* Waits for a runner to connect. */
void harness_accept(Harness *h);
/* As podvisord going away: closes connection and listener, removes the socket. And coming back. */
void harness_leave(Harness *h);
void harness_return(Harness *h);

/* Until a report with this state has come. */
void harness_wait_state(Harness *h, RunnerState state);
/* Until a report fulfils the condition. */
void harness_wait_report(Harness *h, bool (*condition)(const RunnerReport *report), const char *what);
/* Sends a request and waits for its reply: the (negative) error of it. Reports that come in between are taken. */
int harness_request(Harness *h, int type, const void *body, int fd);
int harness_stop(Harness *h, usec_t timeout);

/* SIGKILL to the runner, and reaped. */
void harness_kill_runner(Harness *h);
/* Until the runner has exited by itself: its exit status, or -signal. */
int harness_wait_exit(Harness *h);
/* After an end: bye, exit status 0, and nothing is left in vm/ but what may stay. */
void harness_bye(Harness *h);

/* True while the machine lock is held. */
bool harness_machine_runs(Harness *h);
/* Files of RUN/vm, sorted, joined by blanks. The caller frees. */
char *harness_files(Harness *h);

/*
 * Launches the runner under ptrace and kills it at its n-th system call. True when it was killed; false when it had come
 * to rest before (then it is detached and runs on).
 */
bool harness_spawn_killed_at(Harness *h, unsigned n);
