/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What an administrator declares: the pod file as a struct. The rows in pod-definition.c are its only list of keys.
 */
#include "schemas/confinement.h"
#include "schemas/diagnostics.h"
#include "schemas/probe-definition.h"
#include "schemas/schema-config.h"
#include "schemas/schema.h"

enum {
    POD_FILE_SIZE_MAX = 1024 * 1024,
    CONTAINERS_MAX = 32, /* of a pod, those of init among them */
    VOLUMES_MAX = 32,
    SHARES_LIVE_MAX = 16, /* of those: each is a device on a bus with room for 32 */
    SECRETS_MAX = 32,
    CONFIGS_MAX = 32,
    POD_FILES_MAX = SECRETS_MAX + CONFIGS_MAX,
    POD_FILE_CONTENT_MAX = 512 * 1024, /* of one secret or config file */
    CONFIG_TEXT_MAX = 64 * 1024,       /* of one that stands in the pod file */
    ORDER_MAX = 64,                    /* pods that one pod comes after */
    PUBLISH_MAX = 64,
    HOSTS_MAX = 64,
    NETWORK_PEERS_MAX = 250, /* pods of one network that run at once: their names go in one message */
    DNS_MAX = 3,             /* servers of names: what resolv.conf(5) takes */
};

typedef enum BackendKind {
    BACKEND_QEMU,
    BACKEND_LIBVIRT,
    BACKEND_NULL,
    BACKEND_KIND_MAX,
} BackendKind;
extern const EnumTable backend_kind_table;

typedef enum RestartPolicy {
    RESTART_ALWAYS,
    RESTART_ON_FAILURE,
    RESTART_NEVER,
    RESTART_POLICY_MAX,
} RestartPolicy;
extern const EnumTable restart_policy_table;

/* When podvisord has an image pulled. */
typedef enum PullPolicy {
    PULL_NEVER,
    PULL_MISSING,
    PULL_NEWER,
    PULL_POLICY_MAX,
} PullPolicy;
extern const EnumTable pull_policy_table;

typedef enum VolumeType {
    VOLUME_TMPFS,
    VOLUME_DISK,
    VOLUME_SHARE,
    VOLUME_SCRATCH,
    VOLUME_SWAP,
    VOLUME_TYPE_MAX,
} VolumeType;
extern const EnumTable volume_type_table;

typedef enum ShareMode {
    SHARE_COPY,
    SHARE_LIVE,
    SHARE_MODE_MAX,
} ShareMode;
extern const EnumTable share_mode_table;

/* What a disk's file is, seen from the host. */
typedef enum DiskFormat {
    DISK_RAW,
    DISK_QCOW2,
    DISK_FORMAT_MAX,
} DiskFormat;
extern const EnumTable disk_format_table;

/* What is on the disk, seen from the guest. */
typedef enum DiskFilesystem {
    DISK_EXT4,
    DISK_EROFS,
    DISK_FILESYSTEM_MAX,
} DiskFilesystem;
extern const EnumTable disk_filesystem_table;

/* A file that the guest gets over the agent's channel. */
typedef enum PodFileKind {
    POD_FILE_SECRET,
    POD_FILE_CONFIG,
    POD_FILE_KIND_MAX,
} PodFileKind;
extern const EnumTable pod_file_kind_table;

typedef enum Machine {
    MACHINE_MICROVM,
    MACHINE_Q35,
    MACHINE_MAX,
} Machine;
extern const EnumTable machine_table;

typedef enum Accelerator {
    ACCELERATOR_AUTO,
    ACCELERATOR_KVM,
    ACCELERATOR_TCG,
    ACCELERATOR_MAX,
} Accelerator;
extern const EnumTable accelerator_table;

/* The back-off of pods and containers: delay, doubled after each failure up to max_delay, forgotten after reset_after of good running. */
typedef struct RestartSettings {
    RestartPolicy policy;
    usec_t delay;
    usec_t max_delay;
    usec_t reset_after;
} RestartSettings;
extern const Schema restart_schema;

/* Of each disk that a container has, for itself. */
typedef struct IoLimits {
    uint64_t read_bps, write_bps;   /* bytes a second; SIZE_INFINITY: no limit */
    uint64_t read_iops, write_iops; /* requests a second; 0: no limit */
} IoLimits;
extern const Schema io_limits_schema;
bool io_limit_given(uint64_t limit);
bool io_limits_given(const IoLimits *io);

typedef struct ContainerLimits {
    uint64_t memory;      /* bytes; SIZE_INFINITY: no limit */
    uint64_t memory_high; /* bytes, above which it is slowed; SIZE_INFINITY: never */
    uint64_t swap;        /* bytes of swap space; SIZE_INFINITY: as there is */
    uint64_t memory_low;  /* bytes that are left to it when memory is short; 0: none */
    double cpu;           /* cores; 0: no limit */
    uint64_t pids;        /* 0: as the agent decides */
    uint64_t cpu_weight;  /* beside other containers, when there is too little for all */
    IoLimits io;
} ContainerLimits;
extern const Schema limits_schema;

typedef enum LogSyntax {
    LOG_SYNTAX_TEXT,
    LOG_SYNTAX_JSON,
    LOG_SYNTAX_RAW,
    LOG_SYNTAX_MAX,
} LogSyntax;
extern const EnumTable log_syntax_table;

/* How a container's output is read. */
typedef struct ContainerLog {
    LogSyntax format;
} ContainerLog;
extern const Schema container_log_schema;

/* Exactly one of volume, secret and config is set. */
typedef struct MountDefinition {
    char *volume;
    char *secret;
    char *config;
    char *path;
    char *mode;  /* of a secret or config: octal digits; NULL: POD_FILE_MODE_... */
    char *owner; /* of such: "1000:1000"; NULL: 0:0 */
    bool read_only;
} MountDefinition;
extern const Schema mount_schema;

typedef struct VolumeDefinition {
    char *name;
    VolumeType type;
    ShareMode mode; /* of a share */
    uint64_t size;  /* bytes: of a tmpfs, of a scratch or swap, and of a disk that is made */
    char *source;   /* of a disk or share; NULL of a disk: a file in podvisord's own directory */
    DiskFormat format;
    DiskFilesystem filesystem;
    bool read_only;
    bool make; /* the disk and its file system, where there is none yet */
} VolumeDefinition;
extern const Schema volume_schema;
/* Its file is made for one start of the pod, and removed when the machine has ended. */
bool volume_is_of_one_start(const VolumeDefinition *volume);
/* The machine gets a disk for it. */
bool volume_has_disk(const VolumeDefinition *volume);
/* The machine sees a directory of the host. */
bool volume_is_live(const VolumeDefinition *volume);
/* What is on its disk is the machine's alone, and lost with it. */
bool volume_is_of_machine(const VolumeDefinition *volume);
/* The pod's swap space; NULL: it has none. */
const VolumeDefinition *volume_find_swap(const VolumeDefinition *volumes, size_t n);
/* Nothing may be written to it. */
bool volume_is_read_only(const VolumeDefinition *volume);
/* What is on its disk. */
DiskFilesystem volume_filesystem(const VolumeDefinition *volume);

/* Exactly one of source and credential is set. */
typedef struct SecretDefinition {
    char *name;
    char *source;     /* a file of the host */
    char *credential; /* of podvisord's unit */
} SecretDefinition;
extern const Schema secret_schema;

/* Exactly one of source and content is set. */
typedef struct ConfigDefinition {
    char *name;
    char *source;
    char *content;
} ConfigDefinition;
extern const Schema config_schema;

typedef struct ContainerDefinition {
    char *name;
    char *image;
    PullPolicy pull;
    char **command;     /* NULL: the image's */
    char **environment; /* "KEY=value" */
    char *working_dir;  /* NULL: the image's */
    char *user;         /* NULL: the image's */
    char **groups;      /* supplementary, names or numbers */
    bool read_only;
    uint64_t writable_size; /* bytes; 0: a share, as the agent decides */
    char *writable_volume;  /* a scratch, which has the layer instead of memory; NULL: none */
    char **capabilities;
    char **devices; /* of the machine, as format_device */
    bool no_new_privs;
    SeccompProfile seccomp;
    char *umask; /* octal digits; NULL: 0022 */
    RlimitSettings rlimits;
    char *stop_signal; /* NULL: the image's */
    usec_t stop_timeout;
    RestartSettings restart;
    bool keep_stdin; /* the key is `stdin`, which is a macro of stdio.h */
    bool terminal;   /* implies what keep_stdin says */
    bool sidecar;
    ProbeDefinition startup, ready, alive;
    ContainerLimits limits;
    ContainerLog log;
    MountDefinition *mounts;
    size_t n_mounts;
} ContainerDefinition;
extern const Schema container_schema;

/* Whether its program can be given input while it runs. */
bool container_takes_input(const ContainerDefinition *d);
/* The probe of a kind, given or not. */
const ProbeDefinition *container_probe(const ContainerDefinition *d, ProbeKind kind);

/* What a container is in its pod. */
typedef enum ContainerRole {
    CONTAINER_MAIN,    /* the pod lives as long as one of these */
    CONTAINER_INIT,    /* runs to its end before the others start */
    CONTAINER_SIDECAR, /* starts before those and stops after them */
    CONTAINER_ROLE_MAX,
} ContainerRole;
extern const EnumTable container_role_table;

typedef enum NetworkMode {
    NETWORK_NONE,
    NETWORK_USER,
    NETWORK_BRIDGE,
    NETWORK_MODE_MAX,
} NetworkMode;
extern const EnumTable network_mode_table;

/* How the pod is on a network. */
typedef struct NetworkDefinition {
    NetworkMode mode;
    char **publish; /* as schemas/publish.h reads them */
    char *
        network; /* one that podvisor manages (schemas/managed-network.h); from here on for NETWORK_BRIDGE alone */
    char *bridge;  /* or a bridge of the host */
    char *address; /* "10.0.0.2/24"; of a managed network without bits, and NULL: allotted */
    char *gateway; /* NULL: none */
    char **dns;
    uint64_t mtu;         /* 0: BRIDGE_LINK_MTU */
    usec_t lease_timeout; /* of an address that is leased */
    char **hosts;         /* "name:address", for /etc/hosts; in every mode but none */
} NetworkDefinition;
extern const Schema network_schema;
#define NETWORK_ADDRESS_DHCP "dhcp"
/* Whether the machine leases its address. */
bool network_is_leased(const NetworkDefinition *n);

/* How a machine comes to run its agent. */
typedef enum StartKind {
    START_AUTO,     /* of a pod: as podvisord.conf says */
    START_TEMPLATE, /* as a copy of one that has booted before */
    START_COLD,     /* by a boot */
    START_MAX,
} StartKind;
extern const EnumTable start_kind_table;

typedef struct QemuOptions {
    Machine machine;
    StartKind start;
    Accelerator accelerator;
} QemuOptions;
extern const Schema qemu_options_schema;

/* Only daemons of this host: a machine elsewhere would be nobody's who could look after it. */
typedef enum LibvirtUri {
    LIBVIRT_URI_AUTO,
    LIBVIRT_URI_SYSTEM,
    LIBVIRT_URI_SESSION,
    LIBVIRT_URI_MAX,
} LibvirtUri;
extern const EnumTable libvirt_uri_table;

typedef enum LibvirtMachine {
    LIBVIRT_MACHINE_Q35,
    LIBVIRT_MACHINE_PC,
    LIBVIRT_MACHINE_MAX,
} LibvirtMachine;
extern const EnumTable libvirt_machine_table;

typedef struct LibvirtOptions {
    LibvirtUri uri;
    LibvirtMachine machine;
    Accelerator accelerator;
    char *cpu_model;      /* "auto", a mode of libvirt, or a model's name */
    char *security_label; /* "auto": libvirt's own; "none"; or a label */
    char *xml;            /* NULL: none */
} LibvirtOptions;
extern const Schema libvirt_options_schema;

/* How the null backend plays its part; all zero: it starts at once and runs until it is stopped. */
typedef struct NullOptions {
    usec_t start_delay;
    usec_t run_time; /* 0: for ever; then it ends with exit_code */
    uint64_t exit_code;
    bool ignore_stop;
    bool fail_start;
} NullOptions;
extern const Schema null_options_schema;

typedef struct PodDefinition {
    char *description;
    BackendKind backend;
    bool autostart;
    char **after;    /* names of pods */
    char **requires; /* names of pods; includes after */
    uint64_t cpus;
    uint64_t memory; /* bytes */
    usec_t start_timeout;
    usec_t stop_timeout;
    RestartSettings restart;
    bool share_pids;
    uint64_t shm_size; /* bytes; 0: as the agent decides */
    char **sysctls;    /* "name=value" */
    NetworkDefinition network;
    VolumeDefinition *volumes;
    size_t n_volumes;
    SecretDefinition *secrets;
    size_t n_secrets;
    ConfigDefinition *configs;
    size_t n_configs;
    ContainerDefinition *init; /* one after the other, before `containers` */
    size_t n_init;
    ContainerDefinition *containers;
    size_t n_containers;
    QemuOptions qemu;
    LibvirtOptions libvirt;
    NullOptions null;
} PodDefinition;
extern const Schema pod_schema;

/* All containers of a pod: those of init, then the others, each in the order of the file. That is their order everywhere. */
size_t pod_n_containers(const PodDefinition *pod);
ContainerDefinition *pod_container(const PodDefinition *pod, size_t i);
ContainerRole pod_container_role(const PodDefinition *pod, size_t i);
/* Its place among all, or -ENOENT; name may be NULL. */
int pod_container_find(const PodDefinition *pod, const char *name);

/* Where in its file a pod says something about others; 0: it does not. */
typedef struct PodLines {
    unsigned after, requires, publish, address, network;
} PodLines;
PodLines pod_lines(const Locations *locations);

/*
 * Reads a pod file's text into uninitialised pod: 0, 1 with diagnostics (pod is then valid to free and to look at, not to use), or
 * -ENOMEM (nothing to free). Checks across fields are included; what the pod's backend cannot do is not (backends/abilities.h).
 * *ret_locations (may be NULL): where each key stands; for locations_done(), unless -ENOMEM.
 */
int pod_definition_read(PodDefinition *pod, const char *name, const void *text, size_t size,
                        Diagnostics *diagnostics, Locations *ret_locations);
void pod_definition_done(PodDefinition *pod);

/* "web.pod" -> "web" (malloc'ed); NULL when the file name is no pod's, however it looks (backups, dotfiles, other endings). */
char *pod_name_from_file(const char *file_name);
