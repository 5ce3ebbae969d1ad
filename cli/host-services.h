/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What of systemd and its companions this host has, by what the system's message bus says. Asked with a deadline. */
#include "base/units.h"

typedef struct HostServices {
    bool bus;                      /* there is one that answers; else all the rest is unknown */
    bool machined, logind, polkit; /* there, or started when needed */
    char *systemd;                 /* its version; NULL: it is not there */
    usec_t inhibit_delay;          /* how long logind delays a shutdown; 0: unknown */
} HostServices;

/* timeout: for each of the few questions. What cannot be asked is left as not there. */
void host_services_look(HostServices *ret, usec_t timeout);
void host_services_done(HostServices *h);
