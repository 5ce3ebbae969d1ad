/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A thread with one connection to libvirt: what blocks, blocks in here.
 *
 * Theory of operation
 * -------------------
 * The thread opens the connection, then does one job after another, and puts what came of each, and what libvirt tells of by itself,
 * into a list; `bell` becomes readable, and the loop takes from the list. Neither side waits for the other. A thread that is stuck
 * in libvirt cannot be stopped; worker_leave() lets go of it: it closes the connection when it comes back, and is gone.
 * Whatever is shared is under one mutex, and lives until both sides have let go.
 */
#include <libvirt/libvirt.h>

#include "base/id128.h"
#include "base/units.h"

typedef struct Worker Worker;
typedef struct Job Job;

/* What libvirt says of a domain, in a job's answer. */
typedef struct DomainFacts {
    bool found;
    bool ours; /* its metadata is that of this machine */
    bool kvm;
    int state, reason; /* virDomainState and its reason */
} DomainFacts;

typedef void (*JobFunc)(void *userdata, Job *job);

/* One call, or a few in a row. Belongs to whoever holds it: the caller, then the worker, then `done` for the time of its call. */
struct Job {
    /* In the thread: 0 or negative errno, with `why` where the cause is not libvirt's last error. -EREMOTEIO: that is. */
    int (*run)(Worker *w, virConnectPtr connection, Job *job);
    JobFunc done; /* in the loop */
    void *userdata;
    usec_t timeout;
    /* What run is given. */
    Id128 uuid;
    char *name;
    char *vm_dir; /* absolute path of RUN/vm, as the domain's metadata has it */
    char *emulator;
    char *machine;
    char *xml;
    unsigned flags; /* of virDomainCreateXML() */
    bool ask_uid;
    /* What came of it. */
    int error;
    char *why; /* in libvirt's words, not escaped; NULL: it said nothing */
    DomainFacts facts;
    bool kvm;             /* libvirt can run machines by KVM */
    uint64_t uid;         /* as whom it runs them; UINT64_MAX: not known */
    char *security_model; /* by which libvirt confines machines; NULL: none */
    struct Job *next;
};
Job *job_free(Job *job);

typedef enum NoteType {
    NOTE_OPENED,  /* the connection stands */
    NOTE_CLOSED,  /* it does not come to be, or is broken; the last one. `error`, `text`: why */
    NOTE_ANSWER,  /* `job` is done */
    NOTE_LIFE,    /* a lifecycle event: `event`, `detail` */
    NOTE_TROUBLE, /* `text` says what libvirt noticed */
    NOTE_REBOOT,  /* the machine was reset */
} NoteType;

typedef struct Note {
    struct Note *next;
    NoteType type;
    int error;
    char *text;
    Job *job;
    int event, detail;
} Note;
Note *note_free(Note *note);

/* Starts the thread, which opens the connection. The caller holds the worker until worker_leave(). 0 or negative errno. */
int worker_new(const char *uri, Worker **ret);
/* Readable when worker_take() has something. */
int worker_bell(const Worker *w);
/* Takes the job over. */
void worker_submit(Worker *w, Job *job);
/* The oldest note, which the caller frees; NULL: none. */
Note *worker_take(Worker *w);
/* Nothing comes from it any more. It ends as soon as it is not stuck. Returns NULL. */
Worker *worker_leave(Worker *w);
/* How many threads have not ended, in this process. */
unsigned worker_count(void);

/* --- for jobs, in the thread --- */
/* Tells of this domain's events from now on; once a worker. */
void worker_watch(Worker *w, virConnectPtr connection, virDomainPtr domain);
