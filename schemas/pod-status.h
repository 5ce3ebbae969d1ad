/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A pod as the API shows it. Each row is a property of org.podvisor.Supervisor1.Pod (name in PascalCase), a key of
 * `podvisor status --json`, and a line of the manual.
 */
#include "schemas/report.h"
#include "schemas/run-definition.h"

typedef enum PodState {
    POD_INACTIVE, /* nothing runs, and nothing is to run: held, not started by itself, or never well defined */
    POD_RECOVERING, /* podvisord has just started and looks for the pod's runner */
    POD_WAITING,    /* to be started; something that it needs is not there */
    POD_QUEUED,     /* to be started; others are starting before it */
    POD_STARTING,   /* a runner is launched; its machine does not run the containers yet */
    POD_RUNNING,    /* the containers are started, but not every one does what it should */
    POD_READY,      /* every container does what it should */
    POD_PAUSED,     /* the machine's processors are stopped */
    POD_STOPPING,   /* the runner was told to end its machine */
    POD_BACKOFF,    /* it failed, and is started again after a wait */
    POD_SUCCEEDED,  /* it ended as it should and is not started again */
    POD_FAILED,     /* it ended as it should not and is not started again */
    POD_INDETERMINATE, /* there may be a machine that cannot be proved to be ours; nothing is started, nothing killed */
    POD_STATE_MAX,
} PodState;
extern const EnumTable pod_state_table;

typedef struct PodStatus {
    char *name;
    char *description;
    char *file; /* path of the definition */
    PodState state;
    usec_t since; /* CLOCK_REALTIME of the last change of state */
    uint64_t containers_ready;
    uint64_t containers_total;
    char *backend;
    uint64_t generation; /* of the definition that runs, or would */
    uint64_t attempt;
    /* Of the machine, without being asked to, since it was last started by hand or by definition. */
    uint64_t restarts;
    Id128 uuid;
    bool hold;         /* stopped by an operator; `podvisor start` lifts it */
    bool at_rest;      /* stays as it is until an operator does something */
    usec_t next_start; /* CLOCK_REALTIME; 0: none is due */
    Verdict verdict;
    char *phase;
    char *missing_image; /* of POD_WAITING: what it waits for; NULL: no image */
    EndReason reason;    /* of the last end */
    char *end_cause;     /* why podvisord ended it; NULL: it did not */
    bool overdue;        /* it was asked to stop, did not in time, and was killed */
    int64_t exit_code;
    uint64_t exit_signal;
    char *message;
    char **console_tail;
    char **after; /* names of pods, as the definition says */
    char **requires;
    char **waits_for; /* of POD_WAITING: names of pods */
    char **errors;    /* "file:line: what is wrong" with the definition now on disk */
    char *unsaved;    /* why what must be remembered of it cannot be written */
    char **copies;    /* shares, and what they are copies of */
    char **live;      /* shares that are a directory of the host */
    char **
        stale_files; /* secrets and config files whose source cannot be read any more; the last content goes on */
    char **pending; /* "memory \"128M\" -> \"192M\"": changes that wait for the machine to be restarted */
    uint64_t runner_pid;
    uint64_t vmm_pid;
    usec_t vmm_started; /* CLOCK_REALTIME */
    char *accelerator;
    bool isolated;
    char *started_by;
    char *kernel;
    char *address;        /* of its machine on its network; NULL: it has none */
    char **published;     /* ports of the host that lead into it, as the definition has them */
    char *network;        /* of podvisor's, that it is on; NULL: none */
    char *bridge;         /* of the host, that it is on; NULL: none */
    char *names_stale;    /* why its containers have not the present names of the other pods of its network */
    char *network_lost;   /* why its network is gone for now */
    char *lease_server;   /* who leases it its address; NULL: nobody */
    usec_t lease_expires; /* CLOCK_REALTIME; 0: never */
    char *lease_trouble;  /* why it has none, or will not have it for long */
    uint64_t memory_size; /* that the machine has, by its definition; 0: none runs */
    HelperReport *helpers;
    size_t n_helpers;
    uint64_t memory;                     /* resident bytes of the VMM */
    usec_t cpu_time;                     /* used by the VMM so far */
    uint64_t scratch_used, scratch_size; /* bytes of the host's disk */
    StartTimes start;                    /* of the last start, as far as it is known */
    ContainerReport *containers;
    size_t n_containers;
} PodStatus;
extern const Schema pod_status_schema;
