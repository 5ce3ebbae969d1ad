/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The qemu backend's object, and the functions by which its files work on it.
 *
 * Theory of operation
 * -------------------
 *     IDLE --start--> STARTING --+-- proof --> RUNNING --+-- the guest ends, kill --> ENDING --> LEAVING -- pidfd --> OVER
 *       |                        |                       |                             console   signal
 *       +---adopt---> ADOPTING --+                       +-- QEMU dies ------------------------------------ pidfd --> OVER
 *                                +-- doubt --> OVER
 *
 * qemu-start.c makes the process, qemu-adopt.c finds that of an earlier runner; both hand over to qemu-session.c, which talks QMP: the
 * proof of identity, the events, pause and resume. qemu-end.c brings everything to OVER. The pidfd alone tells that QEMU is gone;
 * QMP only tells why. Its source has a lower priority than QMP's, so the reason is read before the end is.
 *
 * The process is signalled only when it is our own child, or has proved its identity (`ours`).
 */
#include "backends/backend.h"
#include "backends/accelerator.h"
#include "backends/oom.h"
#include "backends/qemu/qemu-checkpoint.h"
#include "backends/qemu/qemu-network.h"
#include "backends/qemu/qemu-template.h"
#include "backends/qemu/qemu-shares.h"
#include "backends/qemu/qemu-spare.h"
#include "backends/qemu/qmp.h"
#include "backends/tsc.h"
#include "backends/qemu/words.h"

/* QEMU has so long to greet, started by us or by another. Milliseconds where the host is idle. */
#define QEMU_GREETING_TIMEOUT (30 * USEC_PER_SEC)
#define QEMU_ADOPT_TIMEOUT (10 * USEC_PER_SEC)
/* From the last word (quit, a closed connection) to the end of the process, before it is killed. */
#define QEMU_LEAVE_TIMEOUT (2 * USEC_PER_SEC)
/* From its word that somebody on the host ends it: until then it writes what it has of disks. QEMU 7.2 hangs now and then, for ever, when a
 * command comes while it takes its monitor down. */
#define QEMU_FAREWELL_TIMEOUT (10 * USEC_PER_SEC)
#define QEMU_CONSOLE_TIMEOUT USEC_PER_SEC

#define QEMU_QMP_SOCKET "qmp"
#define QEMU_AGENT_SOCKET "agent"

enum {
    QEMU_VERSION_MAJOR = 7, /* the oldest that it is tested with */
    QEMU_VERSION_MINOR = 2,
};

typedef enum QemuState {
    QEMU_IDLE,     /* start or adopt may be called */
    QEMU_STARTING, /* the process is being made, or has not proved its identity; no event was told */
    QEMU_ADOPTING, /* somebody's process has not proved its identity; no event was told */
    QEMU_RUNNING,  /* STARTED was told */
    QEMU_ENDING,   /* the end has begun: the console is being read; QEMU may still be alive and answer */
    QEMU_LEAVING,  /* quit or SIGKILL was sent; only the pidfd is waited for */
    QEMU_OVER,     /* ENDED or DOUBTFUL was told */
    QEMU_STATE_MAX,
} QemuState;

typedef struct QemuVm {
    Vm vm;
    QemuState state;
    QemuRecord record;
    TscSample born; /* the first of the two samples */
    Qmp *qmp;
    int pidfd;
    int log;   /* what QEMU says; -1: not known */
    bool ours; /* our child, or proved: may be signalled */
    bool paused;
    bool answered; /* `pause` or `resume` has been answered by the event itself */
    bool retried;  /* KVM had failed, so this is the second try of a start */
    bool kill_wanted;
    /* The host as it is, and the QEMU_ times; tests put others in their place. */
    KvmFacts (*ask_kvm)(void);
    usec_t greeting_timeout, adopt_timeout, farewell_timeout;
    BackendEnd seen; /* what is known of the end before the process is gone; END_NONE: nothing */
    Words words;
    QemuNetwork network;
    QemuTemplate template;
    QemuSpare spare;
    QemuShares shares;
    OomWatch oom;
    sd_event_source *process;  /* of pidfd */
    sd_event_source *deferred; /* start and adopt, out of the caller's stack */
    sd_event_source *deadline; /* of LEAVING, and of the wait for a second sample */
} QemuVm;

static inline QemuVm *qemu_of(Vm *vm)
{
    return CONTAINER_OF(vm, QemuVm, vm);
}

/* --- qemu.c --- */
void qemu_tell(QemuVm *q, const BackendEvent *event);
/* Writes the checkpoint with this step: 0 or negative errno. */
int qemu_step(QemuVm *q, QemuStep step);
/* Calls handler from the event loop, once. 0 or negative errno. */
int qemu_defer(QemuVm *q, sd_event_handler_t handler);
/* One deadline at a time; delay USEC_INFINITY ends it. 0 or negative errno. */
int qemu_deadline(QemuVm *q, usec_t delay, sd_event_time_handler_t handler);

/* --- qemu-start.c --- */
int qemu_start(Vm *vm);
/* QEMU has ended before the machine ran: begins again where there is another way, with TCG instead of KVM, by a boot instead of a template. True when it
 * did. */
bool qemu_start_again(QemuVm *q);

/* There is a network, for which the start waited; or there will be none, and the start is over. */
void qemu_start_go_on(QemuVm *q);
void qemu_start_network_failed(QemuVm *q, const char *message);

/* --- qemu-adopt.c --- */
int qemu_adopt(Vm *vm);
/* Lets go of a process that could not prove itself; message is freed. */
void qemu_doubt(QemuVm *q, bool foreign, char *message);

/* --- qemu-session.c --- */
/* Watches the process (q->pidfd) and connects to its QMP: 0 or negative errno. */
int qemu_session_begin(QemuVm *q, usec_t greeting_timeout);
/* It is ours, and does what QEMU calls this: RUNNING, or its end. */
void qemu_proved(QemuVm *q, const char *status);
int qemu_pause(Vm *vm);
int qemu_resume(Vm *vm);

/* --- qemu-end.c --- */
/* The end begins; QEMU is alive and answers. `seen` and its message are taken over. Reads the console, then lets QEMU go. */
void qemu_end_begin(QemuVm *q, EndReason seen, char *message);
/* QEMU does not answer, or not as it should: kills it if it is ours. message is freed. */
void qemu_end_unresponsive(QemuVm *q, char *message);
/* QEMU has closed QMP: its process has a moment to end. */
void qemu_end_expected(QemuVm *q);
/* It has said that it ends, and why stands in q->seen. */
void qemu_end_announced(QemuVm *q);
/* There is no process (any more): checkpoint, ENDED. message is taken over. */
void qemu_end(QemuVm *q, EndReason reason, int64_t code, uint64_t signal, char *message);
int qemu_kill(Vm *vm);
/* Handler of q->process. */
int qemu_on_process(sd_event_source *source, int fd, uint32_t revents, void *userdata);
