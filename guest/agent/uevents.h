/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the kernel says of devices that come and go, so that nobody has to look again and again. */
#include "guest/agent/loop.h"

typedef struct Uevents {
    int fd;
    Watch watch;
    /* Something may have come: look for it. Called once for any number of events. */
    void (*func)(void *userdata);
    void *userdata;
} Uevents;

/* Listens from now on. 0 or negative errno. */
int uevents_init(Uevents *u);
int uevents_watch(Uevents *u, Loop *l, void (*func)(void *userdata), void *userdata);
