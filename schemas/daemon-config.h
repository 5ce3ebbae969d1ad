/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* podvisord.conf: how the supervisor itself works on this host. Written by the administrator, trusted. */
#include "schemas/diagnostics.h"
#include "schemas/run-definition.h"

/* How a pod's runner comes to be (supervisor/launcher.h). */
typedef enum LauncherKind {
    LAUNCHER_AUTO, /* systemd for the system's own podvisord on a host that systemd runs, else direct */
    LAUNCHER_DIRECT,
    LAUNCHER_SYSTEMD,
    LAUNCHER_MAX,
} LauncherKind;
extern const EnumTable launcher_kind_table;

typedef enum MachinedUse {
    MACHINED_AUTO, /* where it is */
    MACHINED_YES,  /* and say so where it is not */
    MACHINED_NO,
    MACHINED_MAX,
} MachinedUse;
extern const EnumTable machined_use_table;

/* What becomes of pods while the host sleeps. */
typedef enum SuspendPolicy {
    SUSPEND_IGNORE,
    SUSPEND_PAUSE,
    SUSPEND_MAX,
} SuspendPolicy;
extern const EnumTable suspend_policy_table;

typedef struct DaemonConfig {
    uint64_t max_starts; /* machines being started at once */
    LauncherKind launcher;
    LogTarget log_target;
    uint64_t log_size;
    StartKind start; /* of pods that do not say */
    uint64_t spares; /* of each template; only of pods without units */
    char *kernel;    /* NULL: the one that came with podvisor */
    char *initrd;
    char *qemu;
    char *passt;
    char *virtiofsd;
    char *libvirt_user; /* whose processes libvirt's machines are */
    bool libvirt_xml;   /* pod files may add to their domains */
    char *log_level;
    char *bus; /* "auto", "no" or an address */
    MachinedUse machined;
    SuspendPolicy suspend;
    char **volume_sources; /* NULL: the default of its paths */
    char **file_sources;
    usec_t pull_timeout;
    char **insecure_registries; /* "HOST" or "HOST:PORT" */
} DaemonConfig;
extern const Schema daemon_config_schema;

/*
 * The file's settings, or their defaults where there is none; *ret for schema_done() unless -ENOMEM. 0; 1 when something is wrong with
 * what stands there, and *diagnostics (the caller's to free) says what; or negative errno: it cannot be read, and *ret has the defaults.
 */
int daemon_config_load(const char *path, DaemonConfig *ret, Diagnostics *diagnostics);
