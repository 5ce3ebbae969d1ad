/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Recovery: from the facts to a verdict and an action, as one table. Pure.
 *
 * The order of the rows is the order of trust: first what makes a record unbelievable, then who holds the machine lock,
 * then how far the record says that the machine had come. No row kills; in doubt nothing is done.
 */
#include "backends/backend.h"

typedef enum RecoveryAction {
    RECOVERY_START, /* clean up, then start */
    RECOVERY_ADOPT, /* let the machine prove that it is ours */
    RECOVERY_LOOK_AGAIN, /* in a moment, and for some seconds: something is about to begin or to end. Then as RECOVERY_WAIT. */
    RECOVERY_REPORT_END, /* tell the recorded end */
    RECOVERY_WAIT,       /* do nothing; an operator decides */
    RECOVERY_ACTION_MAX,
} RecoveryAction;
extern const EnumTable recovery_action_table;

typedef struct RecoveryFacts {
    const BackendFacts *backend;
    CheckpointOutcome runner; /* of runner.msgpack */
    bool runner_same;         /* it is good, and of this attempt */
    bool runner_ended;        /* and it holds the end */
} RecoveryFacts;

typedef struct RecoveryRow {
    unsigned trust;  /* bits of the RecoveryTrust that the row is for */
    unsigned steps;  /* bits of BackendStep */
    unsigned signs;  /* bits of RecoverySign */
    Verdict verdict; /* VERDICT_ADOPTED stands only once the machine has proved itself */
    RecoveryAction action;
    const char *why; /* for the log and the manual */
} RecoveryRow;

/* How much the two records are worth. */
typedef enum RecoveryTrust {
    TRUST_DAMAGED, /* one of the checkpoints is there and cannot be believed */
    TRUST_ABSENT,  /* the backend has none */
    TRUST_OLD,     /* it is of another machine: an earlier attempt */
    TRUST_REBOOT,  /* of this machine, from before the host was booted */
    TRUST_GOOD,    /* of this machine and boot */
    TRUST_ENDED,   /* the runner's own checkpoint holds the end of this attempt */
} RecoveryTrust;

/* What can be seen without believing any record but for the process's identity. */
typedef enum RecoverySign {
    SIGN_NOTHING, /* the machine lock is free, the recorded process is gone */
    SIGN_PROCESS, /* the lock is free, the recorded process lives: on its way to its exec */
    SIGN_LOCKED,  /* the lock is held, not by the recorded process as far as can be seen */
    SIGN_BOTH,
} RecoverySign;

extern const RecoveryRow recovery_table[];
extern const size_t recovery_table_length;

/* The first row that fits; there always is one. */
const RecoveryRow *recovery_find(const RecoveryFacts *facts);
