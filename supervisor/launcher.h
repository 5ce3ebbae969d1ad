/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How a runner's process comes to be. Behind a vtable, because a host with systemd can give it a unit of its own, and one
 * without cannot; tests/unit/supervisor/test-launcher.c is what every launcher must pass.
 *
 * Invariants: the runner outlives podvisord; it inherits no descriptor but the three standard ones, no blocked or ignored
 * signal, and leads a session of its own; what is told about it is an identity and a pidfd, never a bare number.
 */
#include "base/process.h"

typedef struct Launcher Launcher;

typedef struct LaunchRequest {
    const char *program;   /* absolute path of the runner */
    const char *run_path;  /* absolute: --run-path */
    const char *log_level; /* --log-level */
} LaunchRequest;

typedef struct LauncherOps {
    const char *name;
    /* Spawns; never waits. 0 with both results, or negative errno: then nothing was started. */
    int (*launch)(Launcher *l, const LaunchRequest *request, ProcessId *ret_id, int *ret_pidfd);
    /* After the pidfd has become readable: frees what the process held. 0 with how it ended as by waitid(2), or -ECHILD
     * when that cannot be known, since another process had launched it. */
    int (*reap)(Launcher *l, int pidfd, int *ret_code, int *ret_status);
    Launcher *(*free)(Launcher *l);
} LauncherOps;

struct Launcher {
    const LauncherOps *ops;
};

/* As children of podvisord: for hosts without systemd, containers, development. */
int launcher_direct_new(Launcher **ret);

static inline Launcher *launcher_free(Launcher *l)
{
    return l ? l->ops->free(l) : NULL;
}
