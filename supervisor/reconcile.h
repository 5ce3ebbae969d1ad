/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The decision: from what is wanted, what is observed, what is in flight, and the clock, to the one next step.
 *
 * Theory of operation
 * -------------------
 * Three structs, each with one kind of fact, none of them mixed. reconcile() reads them and nothing else, changes nothing,
 * and is called again whenever one of them has changed or the clock has reached what it said. It says one step; the
 * pod (supervisor/pod-steps.c) carries it out, which changes the facts, and asks again until the step is to rest.
 *
 * A pod is in one of three situations, by the phase of its machine:
 *     at rest    no machine lives (none was launched, or its end is recorded) and no runner: is one to be started, when?
 *     farewell   the end is recorded, the runner has not left yet: wait for it
 *     alive      a machine may live: keep a runner with it, listen for its end, stop it when it is not wanted so
 * In doubt is above all of them: nothing is started, nothing is killed.
 *
 * All times are CLOCK_BOOTTIME, so that neither a change of the wall clock nor a suspend makes a difference.
 */
#include "base/units.h"
#include "schemas/pod-definition.h"
#include "schemas/report.h"

/* What podvisord has done about the pod's machine; persisted before the deed that it stands for. */
typedef enum MachinePhase {
    MACHINE_NONE,      /* none was launched since the pod was declared, or started by hand */
    MACHINE_LAUNCHING, /* a runner is about to be launched: from here on a machine may live */
    MACHINE_LIVE,      /* the runner was launched */
    MACHINE_STOPPING,  /* its end was asked for, because it is not wanted as it is */
    MACHINE_ENDED,     /* the runner has reported its end */
    MACHINE_PHASE_MAX,
} MachinePhase;
extern const EnumTable machine_phase_table;

typedef enum Operation {
    OPERATION_NONE,
    OPERATION_START, /* launched, its containers not started yet */
    OPERATION_STOP,  /* told to stop */
    OPERATION_KILL,  /* told to kill the machine */
    OPERATION_LEAVE, /* told that its end is recorded; the runner is to exit */
    OPERATION_MAX,
} Operation;
extern const EnumTable operation_table;

typedef struct PodWanted {
    bool declared; /* a definition file is there */
    bool defined;  /* and it has been good at least once */
    bool autostart;
    bool asked;   /* started by an operator */
    bool hold;    /* stopped by an operator */
    bool kill;    /* an operator wants it to end at once */
    bool all_end; /* all pods are to end: the host shuts down */
    bool restart; /* an operator wants another machine instead of the one that runs */
    bool replace; /* what runs is not what is declared */
    RestartPolicy policy;
} PodWanted;

typedef struct PodObserved {
    MachinePhase phase;
    bool doubt;         /* podvisord itself cannot tell what runs */
    bool cyclic;        /* it would wait for itself (schemas/order.h) */
    bool awaits;        /* a pod that it comes after is not ready */
    bool bereft;        /* a pod that it requires is not to run any more, or not as it is */
    bool needed;        /* a pod that is to run requires it */
    bool depended;      /* a pod that comes after it ends, or has to, and has not ended yet */
    bool image_missing; /* one that it needs is not in the store */
    bool volume_making; /* a disk that it needs is being made */
    bool launching;     /* a runner was asked for, and has not come yet */
    bool visiting;      /* a runner has come that systemd started, and waits to be let in */
    bool runner;        /* a runner's process is there */
    bool linked;        /* and has said hello */
    bool reported;      /* and has said what it sees; `state` is valid */
    RunnerState state;
    bool as_asked;      /* MACHINE_ENDED: it ended because podvisord asked for it */
    bool succeeded;     /* MACHINE_ENDED: all its containers ended as they should */
    usec_t next_start;  /* MACHINE_ENDED: not before */
    usec_t alone_since; /* when the runner was launched, lost its link, or was last seen */
    unsigned losses;    /* runners lost in quick succession */
    unsigned barren;    /* of those, lost before they said what they see */
} PodObserved;

typedef struct PodInFlight {
    Operation operation;
    usec_t deadline; /* of the operation */
    bool told;       /* the runner that is linked now has been told */
    bool slot;       /* allowed to start: one of max_starts is taken */
} PodInFlight;

typedef enum Step {
    STEP_REST,        /* nothing to do; wake says until when */
    STEP_QUEUE,       /* ask for a slot */
    STEP_LAUNCH,      /* a new attempt: freeze, record, spawn */
    STEP_RELAUNCH,    /* a new runner for the same attempt */
    STEP_STOP,        /* tell the runner to stop its machine */
    STEP_KILL,        /* tell the runner to kill its machine */
    STEP_KILL_RUNNER, /* end the runner's process, never the machine */
    STEP_RECORD_END,  /* record the reported end, and let the runner go */
    STEP_FORGET,      /* remove the run path and the pod */
    STEP_DOUBT,       /* from here on it cannot be told what runs */
    STEP_MAX,
} Step;
extern const EnumTable step_table;

/* Why: one row per rule, so that the log, the tests and the manual say the same. */
typedef enum Rule {
    RULE_DOUBT,
    RULE_RUNNER_DOUBTS,
    RULE_NOT_DEFINED,
    RULE_HELD,
    RULE_NO_AUTOSTART,
    RULE_WANTED,
    RULE_CYCLIC,
    RULE_AWAITS,
    RULE_NO_SLOT,
    RULE_NO_IMAGE,
    RULE_MAKING_VOLUME,
    RULE_SUCCEEDED,
    RULE_FAILED,
    RULE_BACKOFF,
    RULE_RESTART,
    RULE_AGAIN_AS_ASKED,
    RULE_GONE,
    RULE_LEAVING,
    RULE_NOT_LEAVING,
    RULE_ENDED,
    RULE_RUNNER_CAME,
    RULE_RUNNER_LAUNCHING,
    RULE_RUNNER_AWAY,
    RULE_RUNNER_BARREN,
    RULE_RUNNER_LOST,
    RULE_RUNNER_SILENT,
    RULE_ALL_END,
    RULE_UNDECLARED,
    RULE_STOP_HELD,
    RULE_RESTART_ASKED,
    RULE_REPLACE,
    RULE_BEREFT,
    RULE_DEPENDED,
    RULE_STOPPING_STILL,
    RULE_KILL_ASKED,
    RULE_STOP_DEADLINE,
    RULE_START_DEADLINE,
    RULE_KILL_DEADLINE,
    RULE_IN_TIME,
    RULE_SETTLED,
    RULE_MAX,
} Rule;
extern const EnumTable rule_table;
/* What the rule of this name says; NULL: there is no such rule. */
const char *rule_words(const char *name);

typedef struct Decision {
    Step step;
    Rule rule;
    usec_t wake; /* when to ask again, whatever happens until then; USEC_INFINITY: never */
} Decision;

enum {
    RUNNER_BARREN_MAX = 5, /* so many runners in a row may be lost without a word before it is a doubt */
};
#define RUNNER_LAUNCH_TIMEOUT (90 * USEC_PER_SEC) /* systemd's own for a start, where it says none */
#define RUNNER_HELLO_TIMEOUT (15 * USEC_PER_SEC)
#define RUNNER_ADOPT_TIMEOUT (60 * USEC_PER_SEC)
#define RUNNER_LEAVE_TIMEOUT (10 * USEC_PER_SEC)
#define RUNNER_KILL_TIMEOUT (10 * USEC_PER_SEC)
#define RUNNER_GRACE (5 * USEC_PER_SEC) /* on top of what the runner itself was given as a deadline */

Decision reconcile(const PodWanted *wanted, const PodObserved *observed, const PodInFlight *in_flight,
                   usec_t now);

/* A machine of the pod may live. */
bool reconcile_alive(const PodObserved *observed);
/* It may live, and is to end as far as it is up to the pod itself. */
bool reconcile_ends(const PodWanted *wanted, const PodObserved *observed);
/* It has ended, and is not started again as things are: as it should, or as it should not. */
bool reconcile_succeeded(const PodWanted *wanted, const PodObserved *observed);
bool reconcile_failed(const PodWanted *wanted, const PodObserved *observed);

/* How long to wait before the next runner for the same machine, after so many losses. */
usec_t runner_relaunch_delay(unsigned losses);
