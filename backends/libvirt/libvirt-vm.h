/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The libvirt backend's object, and the functions by which its files work on it.
 *
 * Theory of operation
 * -------------------
 *     IDLE --start--> STARTING --+-- created, met, resumed --> RUNNING --+-- kill, the guest ends --> ENDING -- pidfd --> OVER
 *       |                        |                               |
 *       +---adopt---> ADOPTING --+                               +-- QEMU dies ------------------------ pidfd --> OVER
 *                                +-- doubt --> OVER
 *
 * Two ways lead to a machine, and neither alone is enough. libvirt's daemon makes the domain, ends it, and tells why it ended; it
 * may be away at any time, for as long as it likes. The process itself connects to our sockets (channels.h), so it is known by a
 * pidfd from before the guest's first instruction: that alone tells that the machine is gone, and needs no daemon.
 *
 * The domain is made paused, and let go when its process is recorded. So a runner that dies anywhere in a start leaves either nothing,
 * or a domain that the next one finds by its UUID, or by the connection that QEMU makes; and no container runs that is not recorded.
 *
 * The end is told once the pidfd says so, and a moment later when libvirt has not told the reason yet (END_GRACE).
 */
#include "backends/accelerator.h"
#include "backends/backend.h"
#include "backends/libvirt/channels.h"
#include "backends/libvirt/connection.h"
#include "backends/libvirt/libvirt-checkpoint.h"
#include "backends/oom.h"
#include "backends/tsc.h"

/* The first machine after a boot waits for libvirt to try out QEMU, which takes ten seconds on an idle host without KVM. */
#define DOMAIN_PROBE_TIMEOUT (90 * USEC_PER_SEC)
#define DOMAIN_CREATE_TIMEOUT (90 * USEC_PER_SEC)
#define DOMAIN_CALL_TIMEOUT (20 * USEC_PER_SEC)
/* From the domain that is made to QEMU's connection, and QEMU connects again each second. */
#define DOMAIN_MEET_TIMEOUT (30 * USEC_PER_SEC)
/* A daemon that does not answer so long is not waited for: the process proves itself without it. */
#define DOMAIN_ADOPT_PATIENCE (2 * USEC_PER_SEC)
#define DOMAIN_ADOPT_TIMEOUT (60 * USEC_PER_SEC)
/* From the end of the process to libvirt's word about it. */
#define DOMAIN_END_GRACE (2 * USEC_PER_SEC)
/* A guest that said that it powers off has, when its daemon turns out not to answer within this time. */
#define DOMAIN_WORDS_HOLD (60 * USEC_PER_SEC)
/* From the guest's end, or a destroy that worked, to the end of the process. */
#define DOMAIN_LEAVE_TIMEOUT (20 * USEC_PER_SEC)

enum { MACHINE_LOCK_SIZE = 4096 };

typedef enum LibvirtState {
    LIBVIRT_IDLE,     /* start or adopt may be called */
    LIBVIRT_STARTING, /* the domain is being made, or waits to be let go; no event was told */
    LIBVIRT_ADOPTING, /* somebody's process has not proved its identity; no event was told */
    LIBVIRT_RUNNING,  /* STARTED was told */
    LIBVIRT_ENDING,   /* the end has begun; the pidfd is waited for */
    LIBVIRT_OVER,     /* ENDED or DOUBTFUL was told */
    LIBVIRT_STATE_MAX,
} LibvirtState;

/* What the domain was asked to do, and has not done yet. */
typedef enum LibvirtOrder {
    ORDER_NONE,
    ORDER_PAUSE,
    ORDER_RESUME,
} LibvirtOrder;

typedef struct LibvirtVm {
    Vm vm;
    LibvirtState state;
    DomainRecord record;
    TscSample born;
    Connection *connection;
    Channels *channels;
    int pidfd;
    char *path;           /* of RUN/vm, absolute */
    char *security_model; /* libvirt's driver that confines machines; NULL: none */
    bool attached;        /* to the event loop of libvirt */
    bool created;         /* libvirt has the domain, and it is ours */
    bool proved;          /* the process is that of our domain: may be signalled */
    bool asked;           /* a job of the start, or of the adoption, is under way */
    bool sent;            /* libvirt was asked for the domain; what it made of that may not be known */
    bool planned;         /* the accelerator is chosen */
    bool nameless;        /* nobody had recorded the process */
    bool away;            /* it was said that the daemon cannot be reached */
    bool unknown;         /* it was said that the daemon does not know the domain */
    bool kill_wanted, kill_asked, kill_waits;
    bool stopped; /* libvirt has said its last word about the domain */
    bool gone;    /* the process is */
    LibvirtOrder order;
    unsigned seen_weight; /* of what `seen` is from; 0: nothing */
    BackendEnd seen;
    OomWatch oom;
    usec_t last_words; /* when the guest said that it powers off; 0: never */
    sd_event_source *process, *deferred, *deadline;
} LibvirtVm;

static inline LibvirtVm *libvirt_of(Vm *vm)
{
    return CONTAINER_OF(vm, LibvirtVm, vm);
}

/* --- libvirt.c --- */
void libvirt_tell(LibvirtVm *l, const BackendEvent *event);
/* Writes the checkpoint with this step: 0 or negative errno. */
int libvirt_step(LibvirtVm *l, DomainStep step);
int libvirt_defer(LibvirtVm *l, sd_event_handler_t handler);
/* One deadline at a time; delay USEC_INFINITY ends it. */
void libvirt_deadline(LibvirtVm *l, usec_t delay, sd_event_time_handler_t handler);
/* A line in the runner's log, about this pod. */
void libvirt_log(LibvirtVm *l, int level, const char *format, ...) _printf_(3, 4);

/* --- libvirt-session.c --- */
/* Finds out the paths, listens, and begins to connect to the daemon. 0, or negative errno with *message (may be NULL). */
int libvirt_session_begin(LibvirtVm *l, char **message);
/* A job about this domain, to be filled and called; NULL = no memory. */
Job *libvirt_job(LibvirtVm *l, int (*run)(Worker *w, virConnectPtr connection, Job *job), usec_t timeout,
                 JobFunc done);
int libvirt_call(LibvirtVm *l, Job *job);
/* Watches the process of the record. 0 or negative errno. */
int libvirt_watch_process(LibvirtVm *l);
/* What all that is known of the machine says: STARTED, once. */
void libvirt_started(LibvirtVm *l);
/* The guest is paused, or not; told when it is news. */
void libvirt_set_paused(LibvirtVm *l, bool paused);
int libvirt_pause(Vm *vm);
int libvirt_resume(Vm *vm);

/* --- libvirt-start.c --- */
int libvirt_start(Vm *vm);
/* The daemon is there: the next step of a start, or of an adoption that goes on with one. */
void libvirt_start_go_on(LibvirtVm *l);
void libvirt_start_away(LibvirtVm *l, int error, const char *why);
/* libvirt has the domain, and it is ours: libvirt_start_proceed(), or its process is waited for. */
void libvirt_start_made(LibvirtVm *l);
/* The domain is there and its process is known: it is let go. Whatever of the two is missing is waited for. */
void libvirt_start_proceed(LibvirtVm *l);
/* The process has come. 0 or negative errno. */
int libvirt_start_met(LibvirtVm *l, const ProcessId *id);

/* --- libvirt-adopt.c --- */
int libvirt_adopt(Vm *vm);
void libvirt_adopt_go_on(LibvirtVm *l);
void libvirt_adopt_away(LibvirtVm *l, const char *why);
/* The process has come. */
void libvirt_adopt_proceed(LibvirtVm *l);
/* Lets go of what could not prove itself; message is freed. */
void libvirt_doubt(LibvirtVm *l, bool foreign, char *message);

/* --- libvirt-end.c --- */
int libvirt_kill(Vm *vm);
/* The daemon is (back) there: what is to be killed is killed. */
void libvirt_kill_go_on(LibvirtVm *l);
/* The daemon is away, and somebody is to be killed: by the pidfd, if the kernel lets us. */
void libvirt_kill_away(LibvirtVm *l);
/* Takes over message. A higher weight is the better witness, and stays. */
void libvirt_saw(LibvirtVm *l, unsigned weight, EndReason reason, char *message);
/* The end begins: checkpoint ENDING with what was seen; the pidfd is waited for, and then it is killed. */
void libvirt_end_begin(LibvirtVm *l);
/* The guest has powered off, and there is no libvirt to let QEMU quit. */
void libvirt_end_alone(LibvirtVm *l);
/* A start that cannot go on: the domain is ended if there is one. message is taken over. */
void libvirt_start_failed(LibvirtVm *l, char *message);
/* There is no process (any more): checkpoint, ENDED. message is taken over. */
void libvirt_end(LibvirtVm *l, EndReason reason, char *message);
/* What libvirt tells of the domain's life. */
void libvirt_on_life(LibvirtVm *l, int event, int detail);
void libvirt_on_reboot(LibvirtVm *l);
/* Handler of l->process. */
int libvirt_on_process(sd_event_source *source, int fd, uint32_t revents, void *userdata);
