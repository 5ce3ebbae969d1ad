/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the agent asks of the machine that it is the init of. The guest's own is guest-platform.c; a test brings another, and
 * nothing else of the agent knows whether it is process 1.
 */
#include "guest/agent/failure.h"
#include "schemas/agent.h"

typedef struct Platform Platform;

typedef struct PlatformOps {
    /* Mounts the image on the disk, read-only, at the directory. -ENODEV: the disk is not there (yet). */
    int (*mount_image)(Platform *p, uint64_t disk, const char *target);
    /* Mounts the file system on the disk at the directory, and lets nothing on it be a device or give rights. -ENODEV as above. */
    int (*mount_disk)(Platform *p, uint64_t disk, const VolumeDefinition *volume, const char *target);
    /* The same with a directory of the host, by its tag. -EINVAL: the machine has none of this tag. */
    int (*mount_share)(Platform *p, const char *tag, const VolumeDefinition *volume, const char *target);
    /* The disk, encrypted by a key that nobody else ever has, is swap space from here on. -ENODEV as above. */
    int (*start_swap)(Platform *p, uint64_t disk, Failure *f);
    /* Moves this machine's CLOCK_REALTIME by so many microseconds: however long the order was under way, it is still right. */
    void (*step_clock)(Platform *p, int64_t step);
    int (*set_hostname)(Platform *p, const char *name);
    /* path as sysctl_path(). */
    int (*set_sysctl)(Platform *p, const char *path, const char *value);
    /* A device that not every pod has is there from here on, for every user: -ENOENT where there is none. */
    int (*bring_device)(Platform *p, const char *path);
    /* What start_swap() will need is there from here on, if there is such. */
    void (*bring_swap)(Platform *p);
    /* ... and what mount_share() will. */
    void (*bring_shares)(Platform *p);
    /* Nothing of the kernel is asked for any more that it has not got yet. */
    void (*close_kernel)(Platform *p);
    /* Of a pod that has one. Can be repeated. */
    int (*set_network)(Platform *p, const AgentNetwork *network, Failure *f);
    int (*add_entropy)(Platform *p, const void *data, size_t size);
    /* Of a template: finds and opens what the first pod of any copy will need. */
    void (*prepare)(Platform *p);
    /* The kernel has done what it does after a boot, of itself and later than anything asks for. */
    bool (*has_settled)(Platform *p);
    /* Does not return on a real machine. All containers have ended. */
    void (*power_off)(Platform *p);
} PlatformOps;

/*
 * What a template has made and looked up ahead, for the first container of each copy: as one asks for it that says nothing of it itself,
 * and is alone. Where the processor is emulated, code of the kernel's that a start does without is time that it does not take.
 */
typedef struct Ahead {
    bool group;       /* the container's control group, with the devices that containers have */
    uint64_t pids;    /* its limit there */
    uint64_t threads; /* cgroup_threads_max() */
    uint64_t memory;  /* of all containers together, in bytes; 0: not looked up */
    uint64_t shm;     /* size of what is to be /dev/shm; 0: it is not mounted */
    uint64_t layer;   /* size of the container's writable layer, in memory; 0: there is none */
} Ahead;

struct Platform {
    const PlatformOps *ops;
    const char *run; /* directory for the agent's mounts and files; absolute, no comma or colon in it */
    bool template; /* it was, and this is a copy of it: its disks have come unheard, and its interface has another's address */
    bool swaps;        /* there is swap space */
    int cgroup;        /* directory under which containers get their control groups */
    Ahead ahead;       /* of a template, and its copies */
    const char *first; /* name of the container that has the layer of ahead; NULL: none */
};
