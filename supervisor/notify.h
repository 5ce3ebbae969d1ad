/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What podvisord says to the service manager that started it (sd_notify(3)): that it is ready, reads its definitions again,
 * leaves, lives, and in one line how the pods are: "7 of 9 pods ready, web in back-off 40 s".
 *
 * Theory of operation
 * -------------------
 * Each pod stands in the list of its state. A change moves one pod from one list to another, so the line is made of the
 * lists' lengths and heads, and costs the same for one pod and for thousands. It is told when it has changed, at most once
 * in NOTIFY_INTERVAL; an idle host sends nothing. A wait in it is what was left of it when the line was told.
 *
 * READY=1 comes when start-up is over and every machine that was found running is adopted, or has had NOTIFY_PATIENCE for it;
 * not when pods have started. Only machines whose runner's process lives are waited for: systemd may hold back the start of
 * a new runner until podvisord is ready.
 *
 * The watchdog is fed by the event loop itself, so it proves that the loop turns.
 *
 * No descriptor is left with the service manager (FDSTORE=1): none is worth it. The listening sockets are the socket
 * unit's; runners connect again by themselves and prove who they are by their token; a pidfd is opened anew from the
 * recorded identity of a process. What podvisord forgets with its end is exactly what the next one must not trust.
 *
 * Without NOTIFY_SOCKET nothing is sent. All functions accept a NULL Notify.
 */
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "base/units.h"
#include "schemas/pod-status.h"

#define NOTIFY_INTERVAL USEC_PER_SEC
#define NOTIFY_PATIENCE (20 * USEC_PER_SEC)
/* While an end is under way: how often more time is asked for, and how much. */
#define NOTIFY_EXTEND_EVERY (5 * USEC_PER_SEC)
#define NOTIFY_EXTEND_BY (30 * USEC_PER_SEC)

typedef struct Notify Notify;
typedef struct Pod Pod;

/* The place of a pod in the lists; a member of the pod, zeroed at first. */
typedef struct PodNotice {
    bool listed;
    bool adopting;
    PodState state;
    TAILQ_ENTRY(Pod) entry;
} PodNotice;

/* Turns the watchdog on, where the service manager has set one. */
int notify_new(Notify **ret, sd_event *event);
Notify *notify_free(Notify *n);
DEFINE_CLEANUP(Notify *, notify_free)

/* Something about the pod may have changed, or it is new. */
void notify_pod(Notify *n, Pod *pod);
/* The pod is about to be freed. */
void notify_pod_gone(Notify *n, Pod *pod);

/* All that an earlier podvisord left is known. */
void notify_started(Notify *n);
void notify_reloading(Notify *n);
void notify_reloaded(Notify *n);
/* All pods are being ended; from here on the line says so, and more time is asked for as long as this goes on. */
void notify_ending(Notify *n, bool ending);
/* The last word. status: one sentence. */
void notify_stopping(Notify *n, const char *status);
