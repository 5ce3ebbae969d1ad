/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the client share. Nobody else includes this. */
#include "cli/client.h"

#define BUS_PATH "/org/podvisor/Supervisor1"
#define BUS_INTERFACE "org.podvisor.Supervisor1"
#define BUS_POD_INTERFACE BUS_INTERFACE ".Pod"

struct Client {
    sd_bus *bus;
    const char *destination; /* of calls; NULL on the private socket */
    PathsMode mode;
    const Context *context;
    char *place;     /* where podvisord is talked to, for messages */
    pid_t pid;       /* of who answers there; 0: unknown */
    usec_t patience; /* how long an answer is waited for now */
    bool changed;    /* a pod has, since client_next_change() last said so */
    bool watching;   /* client_watch() was called */
    bool lasting;    /* client_last(): that podvisord has ended is no failure yet */
    bool lost;       /* it has */
};

/* True for what says that the other side has ended, or is silent. */
bool client_is_gone(int error);
bool client_is_silence(int error);

/* How podvisord is started; NULL where nobody can know. */
const char *client_start_command(PathsMode mode);

int client_complain_transport(Client *client, int error);

/* Says why a call failed and gives the exit status. what: the pod, or NULL for podvisord itself; error may hold nothing. */
int client_complain(Client *client, const char *what, const sd_bus_error *error, int r);
/* An answer of another shape than ours. */
int client_complain_reading(int error);
