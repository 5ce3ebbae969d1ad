/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is observed of a pod: reported by the agent to the runner (containers), by the runner to podvisord (the whole),
 * and shown by the CLI. Facts only; what is wanted and what is under way stand elsewhere.
 */
#include "schemas/pod-definition.h"
#include "schemas/start-times.h"

/* How far the runner has come with its machine. */
typedef enum RunnerState {
    RUNNER_ADOPTING,      /* looking at what an earlier runner left */
    RUNNER_STARTING,      /* the machine is being started, or its agent is not there yet */
    RUNNER_RUNNING,       /* the agent has started the containers */
    RUNNER_PAUSED,        /* the machine's processors are stopped */
    RUNNER_STOPPING,      /* asked to stop */
    RUNNER_ENDED,         /* the machine is gone; `reason` says why. Nothing follows. */
    RUNNER_INDETERMINATE, /* there may be a machine that cannot be proved to be ours; nothing is done */
    RUNNER_STATE_MAX,
} RunnerState;
/* RunnerReport.started_by of a machine that is a copy. */
#define STARTED_BY_TEMPLATE "from a template"
/* One that waited already. */
#define STARTED_BY_SPARE "from a spare of a template"

extern const EnumTable runner_state_table;

/* Why a machine ended, or never ran. */
typedef enum EndReason {
    END_NONE,
    END_COMPLETED,      /* all containers ended and none is to be started again */
    END_STOPPED,        /* stopped as asked */
    END_KILLED,         /* killed as asked, or because it did not stop in time */
    END_GUEST_SHUTDOWN, /* the guest powered off by itself */
    END_POWER_BUTTON, /* somebody pressed the machine's power button, and the agent powered it off in order */
    END_GUEST_RESET,  /* the guest reset: its kernel gave up without a word */
    END_GUEST_PANIC,  /* the guest's kernel panicked */
    END_VMM_EXIT,     /* the VMM ended by itself with an exit code */
    END_VMM_SIGNAL,   /* the VMM was killed by a signal that podvisor did not send */
    END_VMM_OOM,      /* the host's kernel killed the VMM for want of memory */
    END_VMM_UNRESPONSIVE, /* the VMM did not answer within the deadline */
    END_START_FAILED,     /* the VMM could not be started */
    END_BOOT_TIMEOUT,     /* the agent did not speak within the deadline */
    END_NOT_WOKEN,        /* it was a copy of a template, and its agent did not speak soon */
    END_AGENT_LOST,       /* the agent stopped answering */
    END_AGENT_REFUSED,    /* the agent could not do what the definition asks */
    END_OPERATOR,         /* somebody ended it through what runs it, not through podvisor */
    END_SHARE_LOST,       /* what gave it a directory of the host is gone */
    END_LOST,             /* it ended while no runner watched */
    END_REASON_MAX,
} EndReason;
extern const EnumTable end_reason_table;

/* What was found after a restart of a runner. */
typedef enum Verdict {
    VERDICT_NONE,          /* nothing to recover: no machine was started before */
    VERDICT_ADOPTED,       /* the machine runs and proved to be ours */
    VERDICT_DEAD_CLEAN,    /* it had ended, and its end was recorded */
    VERDICT_DEAD_CRASHED,  /* it had ended unseen */
    VERDICT_FOREIGN,       /* something runs there that is not ours */
    VERDICT_INDETERMINATE, /* it cannot be told */
    VERDICT_MAX,
} Verdict;
extern const EnumTable verdict_table;

typedef enum ContainerState {
    CONTAINER_WAITING, /* not started yet */
    CONTAINER_RUNNING,
    CONTAINER_BACKOFF, /* ended; waits to be started again */
    CONTAINER_ENDED,   /* ended for good; exit_code or exit_signal say how */
    CONTAINER_FAILED, /* could not be started, or was ended for its probe; and will not be again; message says why */
    CONTAINER_STATE_MAX,
} ContainerState;
extern const EnumTable container_state_table;

typedef struct ContainerReport {
    char *name;
    ContainerState state;
    uint64_t restarts;
    int64_t exit_code;    /* of the last run; -1: none, or ended by a signal */
    uint64_t exit_signal; /* of the last run; 0: none */
    bool oom_killed;      /* the last run ended for want of memory */
    usec_t started;       /* CLOCK_REALTIME of the guest; 0: never */
    usec_t ended;
    char *message;       /* why it could not start, or what its end means */
    ContainerRole role;  /* as declared: the runner's word, never the guest's */
    bool unready;        /* its probes say that it does not do its work (yet) */
    char *probe_failure; /* the last of them that failed: "ready probe: connection refused" */
    usec_t probe_failed; /* CLOCK_REALTIME of the guest; 0: none has */
    char *limits_failed; /* why its limits are not those that are declared; NULL: they are */
} ContainerReport;
extern const Schema container_report_schema;

/* "Ready": it runs and its probes say nothing else, or it has ended as it should. */
bool container_does_what_it_should(const ContainerReport *c);
/* Of one that is over: as it should be. The end of a sidecar says nothing. */
bool container_ended_well(const ContainerReport *c);

/* Of a machine whose address comes from a DHCP server. */
typedef struct LeaseReport {
    char *address;  /* "10.0.0.57/24"; NULL: it has none now */
    char *server;   /* "10.0.0.1", who gave it */
    usec_t expires; /* CLOCK_REALTIME; 0: never */
    char *trouble;  /* why there is none, or why it is not made longer; NULL: nothing is the matter */
} LeaseReport;
extern const Schema lease_report_schema;

/* What serves a machine beside its VMM. */
typedef enum HelperKind {
    HELPER_UPLINK, /* podvisor-uplink, and what it has started */
    HELPER_SHARE,  /* virtiofsd */
    HELPER_KIND_MAX,
} HelperKind;
extern const EnumTable helper_kind_table;

enum { HELPERS_MAX = VOLUMES_MAX + 1 };

/* A process by its identity (base/process.h), in this boot of the host. */
typedef struct HelperReport {
    HelperKind kind;
    uint64_t pid;
    uint64_t start_time;
} HelperReport;
extern const Schema helper_report_schema;

typedef struct RunnerReport {
    RunnerState state;
    Verdict verdict;
    char *phase; /* what a start is waiting for: "the agent's first word" */
    EndReason reason;
    int64_t exit_code;    /* of the VMM; -1: unknown or by signal */
    uint64_t exit_signal; /* of the VMM; 0: none */
    char *message;        /* the cause in words, for END_* and RUNNER_INDETERMINATE */
    char **console_tail;  /* last lines of the guest's console, escaped, where they help */
    uint64_t vmm_pid;     /* 0: none */
    usec_t vmm_started;   /* CLOCK_REALTIME */
    usec_t ready_since;   /* CLOCK_REALTIME; 0: not ready */
    bool by_host;         /* the host's service manager, and not podvisord, asked for its end */
    bool restart_asked;   /* somebody on the host wants another machine instead of this one */
    bool ready;           /* running, and every container runs or has ended as it should */
    char *accelerator;    /* "kvm", "tcg"; NULL: none */
    bool isolated;        /* by hardware */
    char *started_by;     /* "from a template", or why not; NULL: none was wanted */
    char *network_lost;   /* why the pod's network is gone for now; NULL: it is there, or the pod has none */
    LeaseReport lease;
    char *kernel;               /* release of the guest's kernel */
    uint64_t limits_generation; /* of the definition whose limits the agent knows; 0: not known */
    char *limits_failed;        /* why it cannot be told a later one's; NULL: it can */
    char *hosts_failed;         /* why it cannot be told the present names of other pods; NULL: it can */
    Id128 guest_boot;
    StartTimes start;
    HelperReport *helpers;
    size_t n_helpers;
    ContainerReport *containers;
    size_t n_containers;
} RunnerReport;
extern const Schema runner_report_schema;

/* A pod that has done what it was for: it is over, and each of its containers ended well. */
bool runner_report_succeeded(const RunnerReport *report);
/* Its machine is a copy of a template, made for it or before. */
bool runner_report_copied(const RunnerReport *report);
