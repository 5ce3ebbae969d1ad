/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A runner: one process that looks after one machine for one attempt of one pod.
 *
 * Theory of operation
 * -------------------
 * runner_main() opens the run path, takes the runner lock, reads the frozen definition, and recovers: what the backend
 * and the runner's own checkpoint say is looked up in the recovery table (recovery.h), which says to start, to adopt, to
 * report an end, or to do nothing in doubt. From then on everything is an event of the loop:
 *
 *     backend events ----+                            +--> backend operations
 *     agent-client ------+--> runner_dispatch() ------+--> agent-client requests
 *     supervisor-link ---+    [state][event] table    +--> runner.msgpack, report to podvisord
 *     deadlines ---------+    (runner-state.c)
 *
 * Invariants
 * - The state changes only in runner_dispatch(), and each change is logged.
 * - `record` is what the next runner must know; it is written before the deed that it tells of (a stop, a kill), and after
 *   each change of state.
 * - Everything that waits for somebody else has a deadline. The clock of deadlines is CLOCK_MONOTONIC.
 * - The runner never ends the machine by ending itself. It exits 0 only after podvisord has said `bye`.
 */
#include <systemd/sd-event.h>

#include "backends/backend.h"
#include "base/log.h"
#include "runner/runner-record.h"
#include "schemas/runner-protocol.h"

typedef struct AgentGlue AgentGlue;
typedef struct LogWriter LogWriter;
typedef struct SupervisorLink SupervisorLink;

typedef struct Runner {
    const Backend *backend;
    sd_event *event;
    int run_dir, vm_dir;
    int lock; /* RUN/vm/runner.lock, held for life */
    RunDefinition definition;
    BackendContext context;
    Vm *vm;
    BackendImage *images; /* that came along as descriptors */
    size_t n_images;
    bool unit; /* a service manager started this process: SIGTERM means to stop the pod (runner/unit.h) */
    bool told_ready; /* and it knows that the pod is ready */
    RunnerRecord record;
    uint64_t record_generation; /* of the definition with which the runner before worked; 0: there was none */
    SupervisorLink *link;
    LogWriter *logs;        /* of the containers, the console and the VMM */
    struct PodFiles *files; /* secrets and config files */
    AgentGlue *glue;        /* NULL: there is no agent to speak with */
    bool machine;           /* between BACKEND_STARTED and BACKEND_ENDED */
    bool begun;             /* start or adopt has been called, and its last event has not come */
    usec_t looking_since;   /* when recovery began; 0: not yet */
    bool copy;              /* it goes on from a template */
    bool paused;            /* its processors stand still */
    char **peers;           /* the other pods of its network, once podvisord has said them: peers_known */
    bool peers_known;
    usec_t born;               /* CLOCK_MONOTONIC of when this process was there */
    usec_t stop_timeout;       /* of the stop that was asked for */
    sd_event_source *saving;   /* tries again to write runner.msgpack */
    sd_event_source *leaving;  /* an end waits for podvisord no longer than this */
    sd_event_source *deadline; /* of starting, stopping, dying */
} Runner;

/* Takes ownership of run_dir, and all else from there. unit: it is the main process of one. -EAGAIN: another runner is at work on this run path. */
int runner_new(const Backend *backend, int run_dir, bool unit, Runner **ret);
/* Lets go of everything; the machine lives on. */
Runner *runner_free(Runner *r);
DEFINE_CLEANUP(Runner *, runner_free)

/* Recovers and begins. Negative errno: the runner cannot work at all (logged). */
int runner_begin(Runner *r);

/* --- shared by the parts of the runner ------------------------------------------------------------------------- */

/* The fields of every message of this runner; valid until the next call. */
const LogField *runner_log_fields(const Runner *r);
#define runner_log(r, level, error, ...) log_full(level, error, runner_log_fields(r), __VA_ARGS__)

/* Writes runner.msgpack. A failure is logged, the runner goes on from memory, and tries again every second. */
void runner_save(Runner *r);
/* Something in record.report has changed: podvisord is told soon. */
void runner_report_changed(Runner *r);
/* What the start, or the end, waits for; shown to operators. */
void runner_set_phase(Runner *r, const char *phase);

/* What an operator or podvisord asks for. 0, or negative errno with *ret_message in words (malloc'ed; may stay NULL). */
int runner_stop(Runner *r, usec_t timeout, const char *why);
int runner_kill(Runner *r, EndReason reason, const char *message);
int runner_pause(Runner *r, char **ret_message);
int runner_resume(Runner *r, char **ret_message);
int runner_adopt(Runner *r, char **ret_message);
int runner_forget(Runner *r, char **ret_message);
/* The definition has these limits of containers now. */
void runner_limit(Runner *r, const RunnerLimits *limits);
/* The other pods of its network, from now on. 0 or -ENOMEM. */
int runner_name_hosts(Runner *r, const RunnerHosts *hosts);
/* The end has been recorded: cleans up and leaves the loop. -EBUSY when there is no end yet. */
int runner_bye(Runner *r);
