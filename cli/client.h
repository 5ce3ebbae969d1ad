/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * podvisord, as the verbs see it: its API, with a deadline on everything. Who may not use the private socket comes by the
 * message bus, where polkit decides, and may ask for a password.
 *
 * Every function returns an exit status (cli/exit-status.h) and, when that is not STATUS_OK, has said on standard
 * error what went wrong: which socket was tried and how podvisord is started; which process took the connection and
 * does not answer; podvisord's own words. What podvisord says is escaped before it is shown.
 */
#include <systemd/sd-bus.h>

#include "cli/verb.h"
#include "schemas/network-status.h"
#include "schemas/pod-status.h"
#include "schemas/task.h"

/* For a connection that podvisord has to take. */
#define CLIENT_TIMEOUT (5 * USEC_PER_SEC)
/* For its answer: beyond the deadlines that it has itself for what it asks of a runner, so that its words get through. */
#define CLIENT_CALL_TIMEOUT (20 * USEC_PER_SEC)

typedef struct Client Client;

/* c: kept. */
int client_open(const Context *c, Client **ret);
Client *client_free(Client *client);
DEFINE_CLEANUP(Client *, client_free)

typedef struct PodList {
    PodStatus *items; /* by name */
    size_t n_items;
} PodList;

int client_list(Client *client, PodList *ret);
void pod_list_done(PodList *list);

/* One pod; with ret_absent, a pod that is not there is STATUS_OK and told so. On success and !*ret_absent the caller owns *ret. */
int client_get(Client *client, const char *pod, PodStatus *ret, bool *ret_absent);

/* The networks that podvisord manages; for schema_done(). */
int client_networks(Client *client, NetworkList *ret);

/* Calls a method without arguments of a pod, or of podvisord itself (pod NULL). */
int client_call(Client *client, const char *pod, const char *method);

/*
 * Podvisord reads the definitions now, so that what it tells next is of what is on disk now and not of a moment ago. Whether they are
 * right, and whether this user may ask for it, does not matter here.
 */
void client_refresh(Client *client);

/* An Exec call on a pod: the stream socket (schemas/stream.h) in *ret_fd, owned by the caller. */
typedef struct ExecCall {
    const char *pod;
    const char *container;
    char **command;
    char **environment;
    const char *working_dir; /* NULL: the container's */
    const char *user;        /* NULL: the container's */
    bool terminal;
    uint32_t rows, columns;
} ExecCall;
int client_exec(Client *client, const ExecCall *call, int *ret_fd);

/* An Attach call on a pod. *ret_fd as that of client_exec(). */
typedef struct AttachCall {
    const char *pod;
    const char *container;
    uint32_t rows, columns; /* of the caller's terminal; 0: none */
} AttachCall;
typedef struct AttachAnswer {
    bool input;    /* the program can be given any */
    bool terminal; /* it has one */
} AttachAnswer;
int client_attach(Client *client, const AttachCall *call, int *ret_fd, AttachAnswer *ret);

/* The same of another task than a program (schemas/task.h). */
typedef struct TaskCall {
    const char *pod;
    const char *container; /* where the task is of one */
    Task task;
    const char *path; /* of a copy; any bytes */
    bool directory;   /* of a copy into it */
} TaskCall;
int client_task(Client *client, const TaskCall *call, int *ret_fd);

/*
 * From client_last() on, the end of the connection is passed over in silence: a call gives STATUS_NO_DAEMON and client_lost() is true
 * until client_reconnect() has found the podvisord that took the place of the one that ended. That waits by the socket's coming, until
 * deadline (CLOCK_MONOTONIC) and no longer than CLIENT_PATIENCE, and then says so. Watching goes on.
 */
#define CLIENT_PATIENCE (1 * USEC_PER_MINUTE)
void client_last(Client *client);
bool client_lost(const Client *client);
int client_reconnect(Client *client, usec_t deadline);

/*
 * From client_watch() on, changes of pods are heard of. client_next_change() waits for one that was not told yet: STATUS_OK, or STATUS_TIMEOUT
 * (without a word) at the deadline (CLOCK_MONOTONIC; USEC_INFINITY: none).
 */
int client_watch(Client *client);
int client_next_change(Client *client, usec_t deadline);
