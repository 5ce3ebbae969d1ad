/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What podvisord remembers of a pod over its own death: RUN/supervisor.msgpack. The rows in pod-record.c are its only list.
 *
 * Written before each deed that it describes (`phase`), so that after a crash at any point it says what may have happened.
 * Boot-relative times mean something only in `boot`; a record of another boot tells of a machine that cannot run any more.
 */
#include "base/process.h"
#include "schemas/bridge-link.h"
#include "schemas/checkpoint.h"
#include "schemas/pod-status.h"
#include "supervisor/reconcile.h"

typedef struct PodRecord {
    char *name;
    /* Of the host, in which it was written; here, below the checksum, since so much hangs on it. */
    Id128 boot;
    char *file;          /* the definition's, for a pod whose file cannot be looked at */
    char *definition;    /* SHA-256 of the definition that `generation` stands for */
    uint64_t generation; /* 1, 2, ... */
    MachinePhase phase;
    uint64_t attempt; /* of the machine that phase is about; 0: none yet */
    BackendKind
        backend; /* of that machine; believed by whoever guards a way to libvirt (supervisor/libvirt-proxy.h) */
    NetworkDefinition network; /* of that machine; believed by whoever makes it (supervisor/uplink-door.h) */
    char *passt;               /* the program for that; NULL: none is needed */
    BridgeLink link;           /* of that machine; believed as network is. Without a bridge: it is on none */
    Id128 uuid;
    Id128 token;
    uint64_t runner_pid; /* 0: none, or not recorded any more */
    uint64_t runner_start_time;
    bool hold;
    bool asked;
    bool asleep; /* paused for the sleep of the host (supervisor/host-sleep.h) */
    uint64_t restarts;
    uint64_t failures;
    usec_t next_start;    /* CLOCK_BOOTTIME */
    usec_t running_since; /* CLOCK_BOOTTIME; 0: its containers were not started yet */
    char *stop_rule;      /* name of the rule by which its end was asked for; NULL: it was not */
    bool as_asked;        /* from here on: about the last end */
    char *end_rule;
    bool succeeded;
    Verdict verdict;
    EndReason reason;
    int64_t exit_code;
    uint64_t exit_signal;
    char *message;
    bool unwoken; /* the machine was a copy of a template, and never came to run its containers */
    char **console_tail;
    ContainerReport *containers; /* as they were reported last, with their exit statuses */
    size_t n_containers;
    StartTimes start; /* of the machine that ended last */
    PodState state;   /* the last one that was more than a passage */
    usec_t since;     /* CLOCK_REALTIME of when the pod came to it */
    Bytes extra;
} PodRecord;
extern const Schema pod_record_schema;
extern const CheckpointKind pod_record_kind;

/* What the report says of containers takes the place of what was remembered of them; without memory nothing is. */
void pod_record_take_containers(PodRecord *record, const RunnerReport *report);
/* The same of the times of its start. */
void pod_record_take_start(PodRecord *record, const RunnerReport *report);
