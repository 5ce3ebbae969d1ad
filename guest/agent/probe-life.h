/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * When one probe of a container is tried, when a try has taken too long, and what its tries say together: a table over phases
 * and events, and the clock. Pure, as container-life.h: each answer is one action to carry out and, in `deadline`, when to tell
 * PROBE_TIMEOUT.
 */
#include "schemas/probe-definition.h"

typedef enum ProbePhase {
    PROBE_OFF,     /* not its time, or there is no such probe: nothing is due, nobody is woken */
    PROBE_PENDING, /* the next try begins at `deadline` */
    PROBE_TRYING,  /* a try is under way, at `deadline` it has failed */
    PROBE_SETTLED, /* startup: it has passed, and is not tried again */
    PROBE_PHASE_MAX,
} ProbePhase;
extern const EnumTable probe_phase_table;

typedef enum ProbeEvent {
    PROBE_BEGIN, /* its time has come */
    PROBE_PASSED,
    PROBE_FAILED,
    PROBE_TIMEOUT, /* the deadline has come */
    PROBE_END,     /* the container does not run any more, or is to end */
    PROBE_EVENT_MAX,
} ProbeEvent;

typedef enum ProbeAction {
    PROBE_NOTHING,
    PROBE_TRY,   /* begin a try, and tell what comes of it */
    PROBE_ABORT, /* end the try that is under way; nothing is to be told of it */
} ProbeAction;

typedef struct ProbeLife {
    ProbeKind kind;
    const ProbeDefinition *definition;
    ProbePhase phase;
    usec_t deadline;              /* USEC_INFINITY: none */
    usec_t tried;                 /* when the last try began */
    uint64_t failures, successes; /* in a row */
    bool passing;                 /* so many successes, and not so many failures since */
    bool failing;                 /* so many failures, and not so many successes since */
} ProbeLife;

void probe_life_init(ProbeLife *l, ProbeKind kind, const ProbeDefinition *definition);
ProbeAction probe_life_tell(ProbeLife *l, ProbeEvent event, usec_t now);
