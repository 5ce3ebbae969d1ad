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

enum { HARNESS_TIMEOUT_MSEC = 60000 };

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
    bool greeted;        /* its hello has come */
    RunnerReport report; /* the last one */
    uint64_t next_id;
    bool
        shares; /* the machine is not this test's alone: start_ready() takes what is there, stop_gently() leaves it */
    bool ready; /* it is there */
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

/* Prints the last report and what the runner wrote. */
void harness_show(Harness *h);
/* SIGKILL to the runner, and reaped. */
void harness_kill_runner(Harness *h);
/* Until the runner has exited by itself: its exit status, or -signal. */
int harness_wait_exit(Harness *h);
/* After an end: bye, exit status 0, and nothing is left in vm/ but what may stay. */
void harness_bye(Harness *h);

/* SIGKILL to the machine that was last reported; returns when it is gone. */
void harness_kill_machine(Harness *h);
/* A second runner on the same run path, until it has exited: its exit status. */
int harness_run_another(Harness *h);
/* Closes what runners that are gone had connected or asked to connect. */
void harness_drop_connections(Harness *h);
/* Closes the connection; the runner lives. */
void harness_drop_link(Harness *h);
void harness_send_raw(Harness *h, const void *data, size_t size);

typedef enum HarnessDamage {
    DAMAGE_TRUNCATE,
    DAMAGE_FLIP, /* one bit in the middle */
    DAMAGE_EMPTY,
    DAMAGE_REMOVE,
    DAMAGE_NEWER,      /* a version that no program has written yet */
    DAMAGE_OTHER_BOOT, /* as if the host had been restarted */
    DAMAGE_OTHER_PROCESS, /* the start time of the recorded process is another; for records that have start_time */
} HarnessDamage;
/* Does this to a checkpoint in RUN/vm. What was in there is in *ret_before (not when it is NULL); the caller frees. */
void harness_damage(Harness *h, const char *file, HarnessDamage damage, Bytes *ret_before);
/* Puts that back. */
void harness_repair(Harness *h, const char *file, const Bytes *before);

/* Makes a directory of this name in RUN/vm, so that no file of it can be written; or removes it. */
void harness_block_file(Harness *h, const char *file, bool block);
/* Watches RUN/vm for this file being put in place; then waits for that, and closes the watch. */
int harness_watch_file(Harness *h, const char *file);
void harness_wait_watch(Harness *h, int watch);

/* True while the machine lock is held. */
bool harness_machine_runs(Harness *h);
/* Files of RUN/vm, sorted, joined by blanks. The caller frees. */
char *harness_files(Harness *h);

/* For trace.c: the child becomes the runner, its parent knows it, and that it is dead and reaped. */
void harness_exec(Harness *h);
void harness_watch_runner(Harness *h, pid_t pid);
void harness_runner_died(Harness *h);
/* Takes one thing that is there: a connection, its hello (which is answered), or a message. */
void harness_take_one(Harness *h);
/* Asks for a stop, and does not wait for the answer. */
void harness_ask_stop(Harness *h);
