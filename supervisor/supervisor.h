/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * podvisord: the one owner of the event loop, of the pods by name, of the turns to start, and of what they all share.
 *
 * A start-up is one straight line: directories, the lock that keeps a second podvisord out, what the run paths say, what
 * the definitions say, the sockets; then the loop, in which each due pod reconciles in its turn.
 */
#include "images/image-store.h"
#include "schemas/daemon-config.h"
#include "schemas/order.h"
#include "schemas/log-file.h"
#include "schemas/paths.h"
#include "supervisor/image-pull.h"
#include "supervisor/image-wait.h"
#include "supervisor/launcher.h"
#include "supervisor/listener.h"
#include "supervisor/inhibitor.h"
#include "supervisor/machined.h"
#include "supervisor/pod-files.h"
#include "supervisor/pod.h"
#include "supervisor/system-bus.h"
#include "supervisor/watch.h"

typedef struct Bus Bus;
TAILQ_HEAD(PodQueue, Pod);
typedef void (*SupervisorEndedFunc)(void *userdata);

struct Supervisor {
    const Paths *paths;
    const DaemonConfig *config;
    sd_event *event;
    int run_dir, pods_dir, state_dir;
    int lock;
    SystemBus *system_bus; /* NULL: this instance has none */
    Launcher *launcher;
    bool units; /* runners are units of systemd: they introduce themselves, as users of their own */
    Definitions *definitions;
    struct Networks *networks;
    usec_t definitions_heard; /* CLOCK_MONOTONIC: when it was heard of what is being read */
    Watch *watch;
    ImageWait *image_wait;
    FileWatch *file_watch;
    ImagePulls *image_pulls;
    Listener *runners;
    Bus *bus;
    Notify *notify;
    Inhibitor *inhibitor; /* NULL: the host goes down and sleeps without us */
    Machined *machined;   /* NULL: pods are not registered */
    char *runners_path;
    char *log_dir;
    LogTarget log_target; /* never AUTO */
    LogFile *events; /* what operators must see, where there is no journal; NULL: nowhere else to put it */

    Pod **pods; /* sorted by name */
    size_t n_pods;
    Order *order;
    unsigned n_busy;                /* pods whose machine may live, or whose runner has not left */
    bool all_end;                   /* see supervisor_stop_all() */
    SupervisorEndedFunc ended_func; /* NULL: nobody waits for the end of all */
    void *ended_userdata;

    struct PodQueue due;
    sd_event_source *due_source;
    struct PodQueue queue; /* wait for a turn to start */
    unsigned starts, max_starts;
    struct PodQueue unsaved; /* records that could not be written */
    sd_event_source *unsaved_timer;
};

/* paths and config outlive it; event is shared. -EBUSY: another podvisord has this run directory. */
int supervisor_new(Supervisor **ret, sd_event *event, const Paths *paths, const DaemonConfig *config);
Supervisor *supervisor_free(Supervisor *s);
DEFINE_CLEANUP(Supervisor *, supervisor_free)

/* Reads all definitions again. *ret_errors: what is wrong with them, one line each (the caller frees). */
int supervisor_reload(Supervisor *s, char ***ret_errors);

Pod *supervisor_find(Supervisor *s, const char *name);
/* The pod is gone from the table, and freed. */
void supervisor_remove(Supervisor *s, Pod *pod);

void supervisor_due(Supervisor *s, Pod *pod);
/* Stands in line for a start; in_flight.slot tells when its turn has come. */
void supervisor_queue(Supervisor *s, Pod *pod);
/* Gives back the turn, or leaves the line. */
void supervisor_unqueue(Supervisor *s, Pod *pod);
/* The pod's record could not be written, or now could. */
void supervisor_unsaved(Supervisor *s, Pod *pod, bool unsaved);

/*
 * Stops all pods, each before those that it comes after, by its own stop_timeout, and starts none any more; without holding any of
 * them. func is called once, from the event loop, when no machine lives and no runner is left; pods in doubt are neither ended
 * nor waited for. A second call replaces func.
 */
void supervisor_stop_all(Supervisor *s, SupervisorEndedFunc func, void *userdata);
/* Starts what is wanted again; func is not called any more. */
void supervisor_stop_all_cancel(Supervisor *s);
/* The loop has nothing due: tells whoever waits for the end of all, if that has come. */
void supervisor_look_for_end(Supervisor *s);
