/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where everything is: the one table of paths, for the system, for a user's own podvisord, and below --root DIR.
 *
 *                      system                     --user                                --root DIR
 *     definitions      /etc, /run, /usr/lib       XDG_CONFIG_HOME, _RUNTIME_DIR, ...    DIR/pods.d only
 *                        /podvisor/pods.d           /podvisor/pods.d
 *     configuration    /etc/podvisor/podvisord.conf                                     DIR/podvisord.conf
 *     run              /run/podvisor              XDG_RUNTIME_DIR/podvisor              DIR/run
 *     state            /var/lib/podvisor          XDG_STATE_HOME/podvisor               DIR/state
 *
 * Below run: pods/NAME/ (the run paths), bus (the API), runners (the socket for runners),
 * pulls/ (what podvisord wants to be pulled), libvirt.socket (the way to libvirt of runners that have units), lock (one podvisord).
 * Below state: images/, volumes/, shares/, networks/, log/ and events/ (where there is no journal).
 */
#include "base/enum-table.h"

typedef enum PathsMode {
    PATHS_SYSTEM,
    PATHS_USER,
    PATHS_ROOT,
    PATHS_MODE_MAX,
} PathsMode;
extern const EnumTable paths_mode_table;

typedef struct Paths {
    PathsMode mode;
    char **definitions; /* first wins; absolute */
    char *config;
    char *run;
    char *state;
    /* Where podvisord and the runners are: beside the running program, or the installed place. */
    char *programs;
    char *guest; /* where vmlinux and initrd are */
} Paths;

/*
 * root: --root, else PODVISOR_ROOT is looked at; made absolute, and without anything superfluous in it. user: --user. 0, -EINVAL for both, -ENOENT for a --user
 * without XDG_RUNTIME_DIR or HOME, -ENOMEM.
 */
int paths_init(Paths *ret, const char *root, bool user);
void paths_done(Paths *p);

#define PATHS_BUS "bus"                    /* below run */
#define PATHS_RUNNERS "runners"            /* below run: the socket for runners */
#define PATHS_UPLINK "uplink.socket"       /* below run: the way to a network for pods that have units */
#define PATHS_TEMPLATES "templates.socket" /* below run: who has templates of machines */
#define PATHS_LIBVIRT "libvirt.socket"     /* below run: the way to libvirt for pods that have units */
#define PATHS_LOCK "lock"                  /* below run */
#define PATHS_PODS "pods"                  /* below run */
#define PATHS_PULLS "pulls"     /* below run: what podvisord wants to be pulled (images/pull-request.h) */
#define PATHS_IMAGES "images"   /* below state */
#define PATHS_LOG "log"         /* below state */
#define PATHS_VOLUMES "volumes" /* below state: disks of volumes that name no source */
#define PATHS_NETWORKS                                                                                       \
    "networks"                /* below state: what is remembered of networks (supervisor/network-record.h) */
#define PATHS_SHARES "shares" /* below state: copies of directories that pods share */
#define PATHS_SCRATCH "scratch" /* below state: disks that machines lose with their end */
#define PATHS_EVENTS "events"   /* below state: the log file "events" */
