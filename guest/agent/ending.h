/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How the machine ends: because its runner asked for it, because its power button was pressed, or because all containers have
 * ended and none is to be started again. Either way the host gets what it has not got yet, for a while, and then the power goes.
 */
#include "guest/agent/loop.h"

typedef struct Agent Agent;

typedef enum EndingPhase {
    ENDING_NOT,
    ENDING_STOPPING, /* containers are ending; at `deadline` the power goes even if one of them has not */
    ENDING_FLUSHING, /* none runs any more; until `deadline` the host may take the rest of the output */
    ENDING_OFF,
    ENDING_PHASE_MAX,
} EndingPhase;

typedef struct Ending {
    EndingPhase phase;
    bool completed;    /* nobody asked */
    bool power_button; /* it asked, and nobody before it */
    usec_t deadline;
    usec_t stop_deadline; /* for the containers to end by themselves; USEC_INFINITY: nobody asked them to */
    Timer timer;          /* wakes the loop at the deadline */
} Ending;

/* timeout for all containers together; a second request can only shorten it. */
void ending_stop(Agent *a, usec_t timeout);
/* The same in the pod's own time. Means nothing when the machine is ending already. */
void ending_power_button(Agent *a);
/* Takes the next step when its time has come: true when it did. */
bool ending_pump(Agent *a);
