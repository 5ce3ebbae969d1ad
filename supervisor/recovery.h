/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a run path says after podvisord was away. Each cause is a row of one table; what is on disk is read first, the
 * verdict is a pure function of it.
 */
#include "schemas/run-definition.h"
#include "supervisor/pod-record.h"

typedef enum RunPathVerdict {
    RUN_PATH_NOTHING,     /* nothing was begun; the run path can go */
    RUN_PATH_STALE,       /* of another boot of the host: nothing of it can run; the run path can go */
    RUN_PATH_AT_REST,     /* nothing runs; the record says what is to be remembered */
    RUN_PATH_NOT_STARTED, /* a start was meant and not begun: no runner was launched */
    RUN_PATH_ALIVE,       /* a machine may live, and its runner comes back or is launched again */
    RUN_PATH_DOUBT,       /* it cannot be told; nothing is started, nothing is killed */
    RUN_PATH_MAX,
} RunPathVerdict;
extern const EnumTable run_path_verdict_table;

typedef struct RunPathFacts {
    CheckpointOutcome record;
    CheckpointOutcome frozen;
    bool vm;            /* RUN/vm is there */
    bool same_boot;     /* record: written in this boot */
    MachinePhase phase; /* record */
    bool same_attempt;  /* the frozen definition is of the record's attempt */
} RunPathFacts;

/* One cause: what each fact must be, where -1 stands for anything; more in recovery.c. The first row that fits decides. */
typedef struct RunPathRow {
    int record, frozen;
    int vm, same_boot;
    int phase;
    int same_attempt;
    RunPathVerdict verdict;
    const char *why; /* a clause for people */
} RunPathRow;
extern const RunPathRow run_path_rows[];
extern const size_t n_run_path_rows;

/* *ret_why: static text, the row's. */
RunPathVerdict run_path_verdict(const RunPathFacts *facts, const char **ret_why);

typedef struct Recovered {
    RunPathVerdict verdict;
    char *why;                       /* a sentence */
    bool has_record, has_definition; /* what was readable, whatever the verdict */
    PodRecord record;
    RunDefinition definition;
} Recovered;

/* Reads the run path of a pod: 0, -ENOENT when there is none, -ENOMEM. One that cannot be read is a doubt like any other. */
int run_path_read(int pods, const char *name, Recovered *ret);
void recovered_done(Recovered *r);

/* A process of this host that has a run path among its arguments: a runner, or a machine. */
typedef struct RunProcess {
    char *name; /* of the pod */
    ProcessId id;
    bool runner;
} RunProcess;

typedef struct RunProcesses {
    RunProcess *items;
    size_t n_items;
} RunProcesses;

/* Looks through all processes once. pods_path: of the directory of all run paths. 0 or negative errno. */
int run_processes_find(const char *pods_path, RunProcesses *ret);
/* The first one of this pod, a runner if runner is set; pid 0: there is none. */
ProcessId run_processes_of(const RunProcesses *p, const char *name, bool runner);
void run_processes_done(RunProcesses *p);
