/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The frozen definition: all that a runner and its backend are told, in one file of the run path, written by podvisord
 * before the runner is launched. Identity (uuid, generation, attempt) is fixed here, before anything is started.
 *
 *     RUN/definition.msgpack     this, in a checkpoint envelope; written by podvisord only, replaced for each attempt
 *     RUN/supervisor.msgpack     podvisord's own record of the pod
 *     RUN/vm/                    the runner's and the backend's: lock, runner.msgpack, <backend>.msgpack, sockets, console.log
 *
 * One attempt is one life of one virtual machine. A runner that finds a record of the same attempt continues that life;
 * a new attempt is only written after the runner of the one before has reported its end.
 */
#include "schemas/bridge-link.h"
#include "schemas/checkpoint.h"
#include "schemas/log-fields.h"
#include "schemas/paths.h"
#include "schemas/pod-definition.h"
#include "schemas/start-times.h"

/* What a machine boots from, where files are handed over by name; images go by their digest. */
#define RUN_KERNEL "kernel"
#define RUN_INITRD "initrd"
enum { RUN_FILES_MAX = CONTAINERS_MAX + VOLUMES_MAX + 2 };
/* Disks of volumes have SCSI ids above those of images: that of pod.volumes[i] is RUN_VOLUME_DISK + i. */
enum { RUN_VOLUME_DISK = CONTAINERS_MAX };

#define RUN_DEFINITION_FILE "definition.msgpack"
#define RUN_SUPERVISOR_FILE "supervisor.msgpack"
#define RUN_VM_DIR "vm"
/* In vm/, locked by flock(2) or by record locks (file_has_record_lock()), and never removed but with the whole run path: a free lock proves that there is none. */
#define RUN_MACHINE_LOCK_FILE "machine.lock" /* held by the machine's process itself, as long as it lives */
#define RUN_RUNNER_LOCK_FILE "runner.lock"   /* held by the runner, as a record lock (fcntl(2)) */

/* An image as one container uses it: the file, and the process that pod file and image together declare. */
typedef struct RunImage {
    char *container; /* name of the container */
    char *digest;    /* "sha256:..." */
    char *path;      /* of the erofs file, absolute */
    char **command;
    char **environment;
    char *working_dir;
    char *user;
    char *stop_signal;
} RunImage;
extern const Schema run_image_schema;

/* Where the disk of a volume is: a file of this name in this directory, which podvisord.conf allows. No symbolic link below that is followed. */
typedef struct RunDisk {
    char *volume;
    char *directory; /* absolute */
    char *file;      /* relative to it */
} RunDisk;
extern const Schema run_disk_schema;

typedef enum LogTarget {
    LOG_TARGET_AUTO, /* only in podvisord.conf: the journal where it is, else files */
    LOG_TARGET_JOURNAL,
    LOG_TARGET_FILES,
    LOG_TARGET_MAX,
} LogTarget;
extern const EnumTable log_target_table;

/* Where podvisord of such paths sends what pods say, and what it says about them. configured: by podvisord.conf. Never AUTO. */
LogTarget log_target_choose(LogTarget configured, PathsMode mode, bool journal);

typedef struct RunDefinition {
    char *name;
    Id128 uuid;              /* of the pod's machine; new for each attempt */
    uint64_t generation;     /* of the definition: 1, 2, ... */
    uint64_t attempt;        /* 1, 2, ... over all generations */
    Id128 token;             /* proves the runner to podvisord */
    Id128 agent_token;       /* proves the runner to the agent */
    char *supervisor_socket; /* absolute path of podvisord's socket for runners */
    char *kernel;            /* absolute paths */
    char *initrd;
    char *qemu;             /* the QEMU program, from podvisord.conf */
    char *templates_socket; /* absolute path of podvisor-templates'; NULL: the machine boots */
    uint64_t spares;        /* how many spares are to be kept of its template */
    char *boot_why;         /* why that is NULL, where a template was wanted; NULL: none was */
    char *passt;            /* the program for network.mode = "user" */
    char *virtiofsd;        /* the program for shares that are live */
    char *uplink;           /* podvisor-uplink, for the runner to start; NULL: it asks at uplink_socket */
    char *
        uplink_socket; /* absolute path of whoever starts one, where the runner may not; NULL: the runner does */
    BridgeLink link;      /* for network.mode = "bridge" */
    char **peers;         /* the other pods of its network when it was launched, as format_host has them */
    char *libvirt_socket; /* absolute path of the way to libvirt; NULL: libvirt's own */
    bool libvirt_xml;     /* the pod may add to its domain */
    PathsMode mode;       /* of podvisord's paths */
    LogTarget log_target;
    char *log_dir;     /* for LOG_TARGET_FILES: absolute; the runner writes NAME.log, NAME.log.1 in there */
    uint64_t log_size; /* bytes that those may take together */
    PodDefinition pod;
    RunImage *images;
    size_t n_images;
    RunDisk *disks; /* one for each volume that is a disk */
    size_t n_disks;
    RunDisk *shares; /* one for each volume that is live: of the same shape, and a directory */
    size_t n_shares;
    StartTimes start; /* podvisord's marks, which the runner goes on from */
    Bytes extra;
} RunDefinition;
extern const Schema run_definition_schema;

/* RUN/definition.msgpack. */
extern const CheckpointKind run_definition_kind;

/* The SCSI id of the disk that images[i] is on: the index of the first image with the same digest. */
size_t run_definition_disk(const RunDefinition *d, size_t i);
/* The fields that every record of this machine's runner has; the definition outlives them. */
void log_fields_of_machine(LogFields *f, const RunDefinition *d);
/* The image of a container; NULL when there is none. */
const RunImage *run_definition_image(const RunDefinition *d, const char *container);
/* The volume of a disk; NULL when there is none. *ret_id (may be NULL): its SCSI id. */
const VolumeDefinition *run_disk_volume(const RunDefinition *d, const RunDisk *disk, uint64_t *ret_id);
/* The same of a share; *ret_index: its place in pod.volumes. */
const VolumeDefinition *run_share_volume(const RunDefinition *d, const RunDisk *share, size_t *ret_index);
/* The tag by which the guest knows it (malloc'ed; NULL = no memory). */
char *run_share_tag(size_t index);
/* The disk, opened for reading, or for both: the descriptor or negative errno; -ELOOP, -EXDEV: a link is in the way. Never waits. */
int run_disk_open(const RunDisk *disk, bool read_only) _warn_unused_;
/* The name by which its descriptor is handed over, and by which messages name its file (both malloc'ed; NULL = no memory). */
char *run_disk_name(const RunDisk *disk);
char *run_disk_path(const RunDisk *disk);
