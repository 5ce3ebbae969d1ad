/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A pod: the facts about it, and the deeds that the decisions of supervisor/reconcile.h call for.
 *
 * Theory of operation
 * -------------------
 * Whatever happens (a definition changes, a runner reports, an operator asks, a timer ends) changes a fact and marks the
 * pod as due. The supervisor lets due pods reconcile one by one, from its event loop only; so a deed never happens inside
 * of the callback that made it necessary, and a pod that is being worked on is never freed under anybody's feet.
 *
 * Invariants
 * - `record.phase` and `observed.phase` are the same, and are on disk before the deed that they speak of.
 * - A runner's process is known by pidfd; `observed.runner` is true exactly while runner_pidfd >= 0.
 * - `observed.visiting` is true exactly while `visitor` is not NULL.
 * - `link` is bound to this pod and no other; `observed.linked` is true exactly while it is not NULL.
 * - `state` follows from pod_set_state() alone.
 */
#include <sys/queue.h>

#include "base/digest.h"
#include "schemas/pod-status.h"
#include "supervisor/definitions.h"
#include "supervisor/events.h"
#include "supervisor/notify.h"
#include "supervisor/pod-record.h"
#include "supervisor/pod-state.h"
#include "supervisor/recovery.h"
#include "supervisor/request-queue.h"
#include "supervisor/runner-link.h"

typedef struct Supervisor Supervisor;

struct Pod {
    Supervisor *supervisor; /* owner */
    char *name;

    PodWanted wanted;
    PodDefinition definition; /* last good; valid when wanted.defined */
    char digest[SHA256_TEXT_SIZE];
    char **errors; /* of the file */

    PodObserved observed;
    RunnerReport report;   /* the last one of this attempt; zeroed: none */
    StartTimes start;      /* marks of the next attempt, until its definition is frozen */
    PodDefinition running; /* frozen, of this attempt; valid when has_running */
    bool has_running;
    uint64_t running_generation; /* of running */
    bool live_due;   /* definition differs from running in what can be changed live, and in nothing else */
    bool hosts_due;  /* a runner has not been told the names of the other pods of its network (networks.h) */
    bool limits_due; /* a runner has not been told the limits that running has now */
    char **live_changes;               /* as pending, of what the containers do not have yet; NULL: nothing */
    char **pending;                    /* what differs between running and definition */
    char *doubt;                       /* why observed.doubt is set */
    char *missing_image, *missing_why; /* observed.image_missing: its name, and a sentence (image-wait.h) */
    bool image_pulled;                 /* and it is being pulled */
    usec_t image_round;                /* since when it is about to start; 0: it is not */

    struct VolumeMake *volume_make; /* observed.volume_making (volume-make.h) */
    char *volume_error;             /* why the last one could not be made; NULL: it was, or was told */

    char **copied;      /* volumes whose files were made for the next start */
    bool files_due;     /* a runner has come that has no secrets and config files yet */
    char **stale_files; /* secrets and config files whose source cannot be read now (pod-files.h) */

    unsigned order_bits; /* what its neighbours ask of it (pod-order.c) */
    PodInFlight in_flight;
    PodRecord record;
    int record_error; /* of the last attempt to write it; 0: the disk has it */
    PodState state;
    Rule rule; /* of the last decision; RULE_MAX: there was none yet */

    RunnerLink *link;
    RunnerLink *visitor;      /* a runner that systemd started, and that waits (supervisor/introduction.h) */
    RequestQueue requests;    /* for a runner that is away for a moment */
    usec_t linked_since;      /* CLOCK_BOOTTIME */
    usec_t oom_told;          /* CLOCK_BOOTTIME, when a container's want of memory was told last; 0: never */
    uint64_t link_generation; /* of the definition that its runner began with */
    bool link_limits;         /* its runner takes other limits of containers */
    bool link_hosts;          /* its runner takes names of other pods */
    bool link_tasks;          /* its runner knows other tasks than to run programs */
    bool link_attach;         /* and that one, too */
    bool fresh;               /* no runner of this attempt was seen yet, so no machine can be there */
    int runner_pidfd;
    sd_event_source *runner_source; /* the runner's process ended */
    sd_event_source *timer;         /* the decision's wake-up */

    struct Network *network; /* that it is a member of; NULL: none. Belongs to supervisor/networks.h */

    PodStatus status; /* built on demand by pod_status() */
    bool status_built;
    PodNotice notice;
    struct Registration *machine; /* with machined; NULL: none. Belongs to supervisor/machined.h */
    uint32_t *told;               /* checksum of each property as it was told last; the API's */
    bool glimpsed; /* properties were read while the pod was due, and so perhaps ones that were never told */

    bool due, queued, unsaved;
    TAILQ_ENTRY(Pod) due_entry, queue_entry, unsaved_entry, image_entry, network_entry;
};

/* An undeclared pod of this name, of which nothing is known. name is copied. */
int pod_new(Pod **ret, Supervisor *supervisor, const char *name);
Pod *pod_free(Pod *pod);
DEFINE_CLEANUP(Pod *, pod_free)

/* --- facts ---------------------------------------------------------------------------------------------------- */

/* Takes over what its run path says; before the first reconcile. Empties *r as far as it keeps it. runner: the process that was
 * found with this run path; pid 0: none. */
void pod_recover(Pod *pod, Recovered *r, const ProcessId *runner);
/* The definition is as this says now. */
void pod_set_definition(Pod *pod, const Definition *definition);
extern const RunnerLinkOps pod_link_ops; /* userdata: the Supervisor */
/* The launch of its runner, which was under way, has come to nothing. */
void pod_launch_failed(Pod *pod, int error, const char *message);
/* The running machine and the definition compared anew. */
void pod_compare(Pod *pod);

/* --- deeds ---------------------------------------------------------------------------------------------------- */

/* Decides and acts until there is nothing to do at once. False: the pod is gone, and freed. */
bool pod_reconcile(Pod *pod);
typedef enum StepOutcome {
    STEP_DONE,  /* and nothing more at once */
    STEP_AGAIN, /* the facts have changed: decide again */
    STEP_GONE,  /* the pod is freed */
} StepOutcome;

/* Carries out one step. */
StepOutcome pod_step(Pod *pod, Decision decision);
/* The one place where the state changes. */
void pod_set_state(Pod *pod, PodEvent event);
/* Writes the record; on failure the pod goes on, says so in its status, and it is tried again. 0 or negative errno. */
int pod_save(Pod *pod);
/* Takes pidfd: the runner's process is this. */
int pod_watch_runner(Pod *pod, const ProcessId *id, int pidfd);
/* Ends the link without waiting for its end. */
void pod_drop_link(Pod *pod);
/* A fact has changed: reconcile soon, and tell the API's clients. */
void pod_due(Pod *pod);
void pod_set_phase(Pod *pod, MachinePhase phase);
/* What ended or failed before counts no more; an ended machine leaves the pod as if it had never run. */
void pod_forget_failures(Pod *pod);
void pod_set_doubt(Pod *pod, const char *why);

/* --- operators' verbs: record the wish; 0, or negative errno with *ret_why (static or owned by the pod) ----------- */

typedef struct VerbError {
    const char *name; /* "org.podvisor.Error.NotRunning" */
    char *message;    /* malloc'ed; what to do */
} VerbError;

/* error, func, userdata: for verbs that the runner answers; func is called once, if 1 was returned. */
typedef struct VerbCall {
    VerbError error;
    RunnerReplyFunc func;
    void *userdata;
} VerbCall;

/* 0: done; 1: call->func tells; negative: call->error says why. */
int pod_verb_start(Pod *pod, VerbCall *call);
int pod_verb_stop(Pod *pod, VerbCall *call);
int pod_verb_restart(Pod *pod, VerbCall *call);
int pod_verb_kill(Pod *pod, VerbCall *call);
int pod_verb_pause(Pod *pod, VerbCall *call);
int pod_verb_resume(Pod *pod, VerbCall *call);
int pod_verb_adopt(Pod *pod, VerbCall *call);
int pod_verb_forget(Pod *pod, VerbCall *call);
/* fd: the runner's end of the stream; stays the caller's. */
int pod_verb_exec(Pod *pod, const ExecRequest *request, int fd, VerbCall *call);

/* --- what is shown -------------------------------------------------------------------------------------------- */

/* The pod as the API shows it; valid until the pod changes. NULL: no memory. */
const PodStatus *pod_status(Pod *pod);
