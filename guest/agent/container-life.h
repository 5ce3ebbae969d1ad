/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * When a container is started, asked to end, killed and started again: a table over phases and events, and the clock.
 * Pure: it does nothing itself, but says what to do, so that a test can play any story in no time.
 *
 * The owner tells events; each answer is one action to carry out and, in `deadline`, when to tell LIFE_TIMEOUT.
 */
#include "schemas/pod-definition.h"
#include "schemas/report.h"

typedef enum LifePhase {
    LIFE_QUEUED,   /* others come before it (container-order.h) */
    LIFE_WAITING,  /* its image is not there yet */
    LIFE_STARTING, /* a process exists, the program does not run yet */
    LIFE_RUNNING,
    LIFE_UNWELL,   /* it failed its probe: asked to end, later killed, and then started again */
    LIFE_STOPPING, /* asked to end by its stop signal */
    LIFE_KILLING,  /* killed; its end has not been seen yet */
    LIFE_BACKOFF,  /* ended; waits for `deadline` to be started again */
    LIFE_ENDED,    /* for good */
    LIFE_FAILED,   /* could not be started, or was ended for its probe; and never will be again */
    LIFE_PHASE_MAX,
} LifePhase;
extern const EnumTable life_phase_table;

typedef enum LifeEvent {
    LIFE_TURN,    /* nobody comes before it any more */
    LIFE_READY,   /* the image is there */
    LIFE_STARTED, /* the program runs */
    LIFE_REFUSED, /* it could not be started, and nothing will change that; no process is left */
    LIFE_EXITED,  /* its process has ended (or could not be made this time); `failed` says how */
    LIFE_PROBE,   /* a probe says that it is not to run on */
    LIFE_TIMEOUT, /* the deadline has come */
    LIFE_STOP,    /* end it, at `stop_deadline` by force; may be told again with another deadline */
    LIFE_EVENT_MAX,
} LifeEvent;

typedef enum LifeAction {
    LIFE_NOTHING,
    LIFE_LAUNCH, /* start a process */
    LIFE_SIGNAL, /* send the stop signal */
    LIFE_KILL,   /* kill all of its processes */
} LifeAction;

typedef struct ContainerLife {
    const RestartSettings *restart;
    usec_t stop_timeout;
    bool once; /* a run that ended well was the last one, whatever the policy says */
    uint32_t (*random)(void);
    /* said by the owner before it tells an event: */
    bool failed;          /* before LIFE_EXITED */
    usec_t stop_deadline; /* before LIFE_STOP */
    /* the machine's own: */
    LifePhase phase;
    usec_t deadline; /* USEC_INFINITY: none */
    usec_t started;
    unsigned failures; /* in a row */
    uint64_t restarts;
} ContainerLife;

#define LIFE_IMAGE_TIMEOUT (60 * USEC_PER_SEC)
#define LIFE_START_TIMEOUT (60 * USEC_PER_SEC)

void container_life_init(ContainerLife *l, const RestartSettings *restart, usec_t stop_timeout,
                         uint32_t (*random)(void));
LifeAction container_life_tell(ContainerLife *l, LifeEvent event, usec_t now);
/* True when nothing runs and nothing will. */
bool container_life_over(const ContainerLife *l);
/* The phase as it is reported. */
ContainerState container_life_state(const ContainerLife *l);
