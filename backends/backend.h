/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The contract between a runner and what runs the machine: a const vtable, and a closed set of events.
 *
 * Theory of operation
 * -------------------
 * One process, one pod, one Vm. The runner owns the sd_event and the pod's state machine; the backend owns the VMM (the
 * process that is the machine), the way to talk to it, and its own checkpoint RUN/vm/<kind>.msgpack. An operation
 * only begins something and returns at once; what comes of it is told by an event, later, from the event loop and never from
 * inside of the operation. The backend has a deadline of its own for everything that it waits for from the VMM.
 *
 *     check -> new -> inspect -+-> start -+-> STARTED -> agent_connect ... stop, kill, pause, resume ... -> ENDED -> clean -> free
 *                              +-> adopt -+-> DOUBTFUL (adopt only)
 *                              +-> (the end is known or certain) -------------------------------------> clean -> free
 *
 * Invariants that every backend keeps, and tests/contract proves
 * - Each operation can be repeated, and the runner can be killed at any instruction in any of them: the next runner
 *   comes to the same result from the checkpoint, by `inspect` and then `start`, `adopt` or nothing.
 * - Intent before deed: the checkpoint says what is about to be done before it is done, and what was done right after.
 * - The VMM outlives the runner, and holds the machine lock (backends/vmm.h) from before the guest's first instruction until its end. So
 *   there is never a second VMM on one run path, and a free lock proves that none runs a guest.
 * - A process is touched only through a pidfd of exactly that process, and believed to be the machine only after it has
 *   told RunDefinition.uuid itself. What cannot be proved is never signalled.
 * - No key of a pod file becomes a program's path or a raw argument of the VMM.
 * - What comes from the VMM is taken for hostile: bounded, checked, escaped in messages, believed about its own machine only.
 *
 * Files: the backend reads nothing of run_dir but what it is given here, and writes only in vm_dir:
 *     machine.lock      the machine lock; its name is VMM_LOCK_FILE
 *     <kind>.msgpack    its checkpoint
 *     console.log       the guest's console, at most BACKEND_CONSOLE_MAX bytes, the newest; raw bytes of the guest
 *     and sockets of its own. runner.msgpack and runner.lock are the runner's.
 *
 * Images: RunDefinition.images[i] is the image of one container. The machine gets one read-only disk per *different* digest:
 * for every i with run_definition_disk(d, i) == i (schemas/run-definition.h), images[i].path becomes the disk with SCSI
 * id i, LUN 0, on host 0, channel 0. The runner tells the agent run_definition_disk(d, i) as the disk of container i.
 *
 * Volumes: RunDefinition.disks[i] is the disk of one volume. It is opened by backends/disk-file.h, has the SCSI id of
 * run_disk_volume(), and is writable unless volume_is_read_only().
 */
#include <systemd/sd-event.h>

#include "schemas/backend-description.h"
#include "schemas/checkpoint.h"
#include "schemas/report.h"
#include "schemas/run-definition.h"

#define BACKEND_CONSOLE_FILE "console.log"
enum { BACKEND_CONSOLE_MAX = 64 * 1024 };

typedef struct Backend Backend;
typedef struct BackendContext BackendContext;
typedef struct BackendEvent BackendEvent;

/* A backend's object begins with this; the backend finds its own struct by CONTAINER_OF(). */
typedef struct Vm {
    const Backend *backend;
    const BackendContext *context; /* outlives the Vm */
} Vm;

/* The runner is told; everything that the event points to is valid during the call only, but see `fd`. The runner may
 * call operations of this Vm from inside, except free. */
typedef void (*BackendEventFunc)(void *userdata, const BackendEvent *event);

/* A file that was opened for a runner which may not open it by itself. */
typedef struct BackendImage {
    char *name; /* the digits of an image's digest, "kernel", "initrd", "volume-NAME" */
    int fd;
} BackendImage;

struct BackendContext {
    sd_event *event; /* the runner's; the backend adds sources to it and never runs it */
    int run_dir;     /* of the run path; owned by the runner */
    int vm_dir;      /* of RUN/vm; owned by the runner */
    const RunDefinition *definition;
    const BackendImage *images; /* owned by the runner; those that are not here are opened by their path */
    size_t n_images;
    StartTimes *
        start; /* the backend marks CHOSEN, NETWORK, SPAWNED, GREETED and RESTORED in it, where it has such steps; never NULL */
    BackendEventFunc on_event;
    void *userdata;
};

/* The image, opened for reading by whoever may; the caller closes. Negative errno. */
int backend_image_open(const BackendContext *context, const RunImage *image) _warn_unused_;
/* The same of what the machine boots from: RUN_KERNEL and its path, ... */
int backend_boot_file_open(const BackendContext *context, const char *name, const char *path) _warn_unused_;

/* How the machine's process ended, or why there is none. Strings owned by whoever fills the struct. */
typedef struct BackendEnd {
    /* What was *seen*: the runner knows what had been asked for, and says END_STOPPED, END_KILLED, ... */
    EndReason reason;
    int64_t exit_code;    /* of the VMM; -1: unknown or by signal */
    uint64_t exit_signal; /* of the VMM; 0: none or unknown */
    /* One sentence with the cause, escaped; never NULL when reason says that something went wrong. */
    char *message;
} BackendEnd;
extern const Schema backend_end_schema;

/* How far the last life of a machine on this run path had come, by the backend's checkpoint. */
typedef enum BackendStep {
    BACKEND_STEP_NONE,     /* nothing was begun, or all of it is cleaned up */
    BACKEND_STEP_STARTING, /* a VMM was about to be spawned, or is, and does not run the guest yet */
    BACKEND_STEP_RUNNING,  /* the VMM was told to run the guest */
    BACKEND_STEP_ENDED, /* the VMM's end is recorded; its process was gone, or its last threads are about to be */
    BACKEND_STEP_MAX,
} BackendStep;
extern const EnumTable backend_step_table;

/* What `inspect` finds; the runner's recovery table makes a verdict of it. */
typedef struct BackendFacts {
    CheckpointOutcome checkpoint;
    char *detail; /* what is wrong with the checkpoint, in words; NULL when it is good or absent. malloc'ed */
    /* The rest of the checkpoint's word, only when it is good: */
    bool same_machine; /* it is about RunDefinition.uuid */
    bool same_boot;    /* it was written in this boot of the host */
    BackendStep step;
    BackendEnd end; /* when step is BACKEND_STEP_ENDED; malloc'ed */
    bool process;   /* exactly the recorded process (pid, start time, boot) still runs */
    /* Independent of the checkpoint: */
    bool locked; /* somebody holds the machine lock */
} BackendFacts;
void backend_facts_done(BackendFacts *f);

typedef enum BackendEventType {
    /* The VMM runs the guest (or holds it paused) and proved to be RunDefinition.uuid. Once per start or adopt. Uses `vmm`. */
    BACKEND_STARTED,
    /* adopt only: the process cannot be proved to be ours. Uses `foreign` and `message`. The backend has let go of it. */
    BACKEND_DOUBTFUL,
    /* The guest's processors have stopped / go on; also when nobody asked for it. */
    BACKEND_PAUSED,
    BACKEND_RESUMED,
    /* The guest has begun to end by itself: a panic, a power-off. ENDED follows without further doing. Uses `message`. */
    BACKEND_GUEST_ENDING,
    /* The guest's console or the VMM itself has said something, from the start of the VMM on until ENDED. Uses `output`. */
    BACKEND_OUTPUT,
    /* Containers of a backend without an agent have changed. Uses `containers`. */
    BACKEND_CONTAINERS,
    /* The pod's network has come, or is gone while the machine goes on; `message` says why, and is NULL when it is there. Only of pods
     * that have one, and only of what is not as it was at STARTED, when it is there. */
    BACKEND_NETWORK,
    /* A process serves the machine from now on, beside the VMM; one of HELPER_UPLINK instead of that before. Uses `helper`. Not told
     * again when the machine is adopted: the runner has it in its checkpoint. */
    BACKEND_HELPER,
    /* An operation (pause, resume, stop) that had been accepted did not work; the machine goes on. Uses `message`. */
    BACKEND_REFUSED,
    /* The VMM is gone (its process is seen dead), or could not be started. Exactly once, and the last event. The checkpoint
     * says the same already, and console.log holds the newest output. Uses `end`. */
    BACKEND_ENDED,
    BACKEND_EVENT_MAX,
} BackendEventType;
extern const EnumTable backend_event_table;

typedef struct BackendVmm {
    pid_t pid;
    usec_t started;          /* CLOCK_REALTIME */
    const char *accelerator; /* "kvm", "tcg", NULL: none; static */
    bool isolated;           /* by hardware */
    bool paused;
    bool copy; /* it goes on from a template: its guest has booted already */
    const char *
        started_by; /* how it came to run, where that is not as always: one clause; NULL: by a boot, as wanted */
} BackendVmm;

/* Bytes as they were said, not split into lines. */
typedef struct BackendOutput {
    LogStream stream; /* LOG_STREAM_CONSOLE or LOG_STREAM_VMM */
    const uint8_t *data;
    size_t size;
    bool gap; /* some was lost before this: it came faster than it was taken */
} BackendOutput;

struct BackendEvent {
    BackendEventType type;
    BackendVmm vmm;       /* BACKEND_STARTED */
    bool foreign;         /* BACKEND_DOUBTFUL: it proved to be something else; else it proved nothing */
    const char *message;  /* one escaped sentence; NULL where there is nothing to say */
    BackendOutput output; /* BACKEND_OUTPUT */
    const ContainerReport *containers; /* BACKEND_CONTAINERS: all of them */
    size_t n_containers;
    HelperReport helper;   /* BACKEND_HELPER */
    const BackendEnd *end; /* BACKEND_ENDED */
};

struct Backend {
    const char *name; /* the word of backend_kind_table */
    BackendKind kind;
    const CheckpointKind *checkpoint; /* its name is the backend's, or what says it best */
    bool has_agent; /* false: the guest has no agent; the backend tells of the containers itself */

    /*
     * What does this host give this backend? Called in a process of its own, where nothing else is. Blocks, for 15 s at most; no side
     * effects. program: QEMU, by podvisord.conf. *ret comes with its defaults, name, version and usable set; 0 or
     * negative errno: it is the caller's to free either way.
     */
    int (*describe)(const char *program, BackendDescription *ret);

    /*
     * Is this definition acceptable on this host? Called before start, never before adopt. No side effects, no waiting.
     * 0, or negative errno with *ret_message (one sentence, malloc'ed): END_START_FAILED then.
     */
    int (*check)(const RunDefinition *definition, char **ret_message);

    /* Makes the object; touches neither file nor process. Called once, first. The context lives longer than the Vm. */
    int (*new)(const BackendContext *context, Vm **ret);

    /*
     * Lets go of everything that this process holds (sources, descriptors, memory) and leaves VMM and files as they
     * are. Called at any time, also in the middle of anything, but not from inside of an event. Returns NULL.
     */
    Vm *(*free)(Vm *vm);

    /*
     * What did earlier runners leave? Reads only: the checkpoint, /proc, the machine lock; talks to nobody. Called before
     * anything else and again for each `adopt` or `forget` of an operator. The caller owns *ret (backend_facts_done()).
     * 0, or negative errno when the facts cannot be had (then: indeterminate).
     */
    int (*inspect)(Vm *vm, BackendFacts *ret);

    /*
     * Begins the machine: checkpoint STARTING, spawn, checkpoint with the process, ..., STARTED or ENDED. Called when the lock is
     * free and the checkpoint is absent, of another machine that ended, or STARTING; what it left is replaced. Its own deadline
     * for the VMM to come up; how long the *guest* takes is the runner's to watch. Negative errno: nothing was
     * begun, and no event will come.
     */
    int (*start)(Vm *vm);

    /*
     * Takes over a machine that an earlier runner started: opens its pidfd, connects, lets it prove its identity, asks
     * for its state, and goes on with a start that was cut off in the middle. Called when inspect saw the process or the
     * lock held. Then STARTED, DOUBTFUL, or ENDED (it had ended, or ends now; the reason is as exact as can be had). A
     * VMM that does not answer within the deadline is DOUBTFUL, not killed. Negative errno: as DOUBTFUL, no event will come.
     */
    int (*adopt)(Vm *vm);

    /*
     * A new byte stream to the agent: a non-blocking descriptor that the caller owns, or negative errno (-EAGAIN: not now, the caller
     * asks again later). Called after STARTED, and again whenever the runner has closed the one before; at most one
     * is open. NULL when has_agent is false. The runner sees by itself when the stream breaks.
     */
    int (*agent_connect)(Vm *vm);

    /*
     * Asks the machine to end, without the agent; no deadline, since the runner has one and then calls kill. Called after STARTED,
     * where there is no agent. NULL where the machine has no means (the runner then asks the agent, or kills).
     */
    int (*stop)(Vm *vm);

    /*
     * Ends the VMM for sure: by the pidfd, where this process may, else by whoever made it. Called at any time between start or adopt and ENDED, repeatedly too; ENDED follows. Brings
     * console.log up to date first, where the VMM gives it within a second. Never called after DOUBTFUL.
     */
    int (*kill)(Vm *vm);

    /* Stops the guest's processors, lets them go on. Called after STARTED. PAUSED, RESUMED or REFUSED follows. */
    int (*pause)(Vm *vm);
    int (*resume)(Vm *vm);

    /*
     * Removes all that the backend has put into vm_dir, its checkpoint last. Called after ENDED, or when the recovery
     * table found that there is no VMM, with the machine lock free (else -EBUSY, nothing is touched). Idempotent.
     */
    int (*clean)(Vm *vm);
};
