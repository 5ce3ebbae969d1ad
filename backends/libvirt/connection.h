/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The way to libvirt's daemon, for the loop: it is there or not, jobs have deadlines, and a lost daemon is looked for again.
 *
 *     AWAY --back-off--> OPENING --+--> OPEN --+-- broken, or a job is late --> AWAY
 *                                  +-----------+-- refused, late
 *
 * Nothing here blocks. A daemon that hangs costs a thread (worker.h); of those there are at most CONNECTION_WORKERS_MAX,
 * and while all are stuck nothing new is tried.
 */
#include <systemd/sd-event.h>

#include "backends/libvirt/worker.h"

#define CONNECTION_OPEN_TIMEOUT (15 * USEC_PER_SEC)
#define CONNECTION_RETRY_MIN (200 * USEC_PER_MSEC)
#define CONNECTION_RETRY_MAX (15 * USEC_PER_SEC)
enum { CONNECTION_WORKERS_MAX = 4 };

typedef struct Connection Connection;

/* From the event loop, and never from inside of a function below. They may call all of those but connection_free(). */
typedef struct ConnectionHandlers {
    void (*opened)(void *userdata);
    /* It could not be opened, or is lost; why is a sentence without an end, escaped. Jobs under way have been answered before. */
    void (*away)(void *userdata, int error, const char *why);
    void (*note)(void *userdata, const Note *note); /* NOTE_LIFE and those behind it */
} ConnectionHandlers;

/* Begins to open. 0 or negative errno. uri is copied. */
int connection_new(sd_event *event, const char *uri, const ConnectionHandlers *handlers, void *userdata,
                   Connection **ret);
Connection *connection_free(Connection *c);
DEFINE_CLEANUP(Connection *, connection_free)

bool connection_is_open(const Connection *c);

/*
 * Takes the job over, whatever comes of it. Its `done` is called once from the loop, unless the connection is freed before: with
 * job->error = -ETIMEDOUT when it took longer than job->timeout, and -ECONNRESET when the connection broke; what libvirt
 * made of it is then not known. -ENOTCONN: it is not open, and nothing was begun.
 */
int connection_call(Connection *c, Job *job);

/* What keeps libvirt from being reached, in words that an operator can act upon; malloc'ed. */
char *connection_words(int error, const char *why);
