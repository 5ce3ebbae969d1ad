/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How a runner's process comes to be. Behind a vtable, because a host with systemd can give it a unit of its own, and one
 * without cannot; tests/unit/supervisor/test-launcher.c is what every launcher that spawns must pass.
 *
 * Invariants: the runner outlives podvisord; it inherits no descriptor but the three standard ones, no blocked or ignored
 * signal, and leads a session of its own; what is told about it is an identity and a pidfd, never a bare number.
 *
 *     direct     spawns a child: launch() returns 1, and the process is there
 *     systemd    asks for podvisor-pod@NAME.service: launch() returns 0, and the runner introduces itself
 *                (supervisor/introduction.h) when systemd has started it, or *failed tells why it will not come
 */
#include "base/process.h"
#include "schemas/pod-definition.h"
#include "supervisor/system-bus.h"

typedef struct Launcher Launcher;

typedef struct LaunchRequest {
    const char *name;                /* of the pod */
    const char *program;             /* absolute path of the runner */
    const char *run_path;            /* absolute: --run-path */
    const char *log_level;           /* --log-level */
    const PodDefinition *definition; /* for what the host limits; NULL: nothing */
} LaunchRequest;

/* The launch of this pod's runner has come to nothing: why, in words. error: -ECANCELED when somebody cancelled it. */
typedef void (*LaunchFailed)(void *userdata, const char *name, int error, const char *message);

typedef struct LauncherOps {
    const char *name;
    /* Never waits. 1: spawned, with both results; 0: under way; negative errno: nothing was started. */
    int (*launch)(Launcher *l, const LaunchRequest *request, ProcessId *ret_id, int *ret_pidfd);
    /* After the pidfd has become readable: frees what the process held. 0 with how it ended as by waitid(2), or -ECHILD
     * when that cannot be known, since another process had launched it. */
    int (*reap)(Launcher *l, int pidfd, int *ret_code, int *ret_status);
    /* The runner of a launch that was under way has come. May be NULL. */
    void (*arrived)(Launcher *l, const char *name);
    Launcher *(*free)(Launcher *l);
} LauncherOps;

struct Launcher {
    const LauncherOps *ops;
};

/* As children of podvisord: for hosts without systemd, containers, development. */
int launcher_direct_new(Launcher **ret);

/* As units of the systemd that is on this bus, which outlives the launcher. failed is called for launches that were under
 * way, and never from inside of launch(). */
int launcher_systemd_new(Launcher **ret, SystemBus *bus, LaunchFailed failed, void *userdata);

static inline Launcher *launcher_free(Launcher *l)
{
    return l ? l->ops->free(l) : NULL;
}
