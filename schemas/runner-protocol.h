/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * podvisord <-> runner: packets (SOCK_SEQPACKET), one message each. The runner connects, says hello with the token of its
 * frozen definition, gets a welcome, and sends a report whenever what it observes changes. Requests have an id and are
 * answered by one reply. The same socket kind carries exec streams between the CLI and the runner (schemas/stream.h).
 *
 * podvisord may be away: the runner goes on, and connects again. An end is reported until `bye` acknowledges it.
 *
 * A runner that a service manager started cannot read a definition yet. It introduces itself first, over a connection of
 * its own: podvisord proves it by its unit, makes the run path its, and sends what it may not open itself:
 *
 *     runner                       podvisord
 *     introduce{name}      ──▶
 *                          ◀──     image{digest} + descriptor     once for each image, for the kernel and the initrd
 *                          ◀──     admit{backend}                 the run path holds its definition: it begins
 *                          or ◀──  refuse{message}                it exits, and says why
 */
#include "schemas/message.h"
#include "schemas/pod-definition.h"
#include "schemas/report.h"
#include "schemas/task.h"

enum {
    RUNNER_PROTOCOL_VERSION = 1,
    RUNNER_PACKET_MAX = 192 * 1024,
};

typedef enum RunnerMessageType {
    /* runner -> podvisord */
    RUNNER_HELLO,
    RUNNER_REPORT,
    RUNNER_REPLY,
    /* podvisord -> runner */
    RUNNER_WELCOME,
    RUNNER_STOP,
    RUNNER_KILL,
    RUNNER_PAUSE,
    RUNNER_RESUME,
    RUNNER_EXEC, /* with the descriptor of a stream socket */
    RUNNER_ADOPT,
    RUNNER_FORGET,
    RUNNER_BYE,
    RUNNER_FILE,   /* with the descriptor of a sealed memfd; answers no request, and gets no reply */
    RUNNER_LIMITS, /* gets no reply: what came of it is in the report */
    /* the introduction */
    RUNNER_INTRODUCE, /* runner -> podvisord */
    RUNNER_IMAGE,     /* with the descriptor of an image, or of what the machine boots from */
    RUNNER_ADMIT,
    RUNNER_REFUSE,
    /* podvisord -> runner, since networks are managed */
    RUNNER_HOSTS, /* gets no reply: what came of it is in the report */
    RUNNER_MESSAGE_MAX,
} RunnerMessageType;
extern const MessageTable runner_protocol;

typedef struct RunnerHello {
    uint64_t protocol;
    char *name;
    Id128 uuid;
    uint64_t generation;
    uint64_t attempt;
    Id128 token;
    char *version; /* of podvisor */
    bool tasks;    /* it knows what an exec is for (schemas/task.h) */
    bool limits;   /* it takes limits of containers while they run */
    bool attach;   /* it knows the task of this name */
    bool hosts;    /* it takes names of other pods while they run */
} RunnerHello;
extern const Schema runner_hello_schema;

typedef struct RunnerReply {
    uint64_t error; /* 0, or a positive errno */
    char *message;  /* why not, in words */
} RunnerReply;
extern const Schema runner_reply_schema;

typedef struct RunnerWelcome {
    uint64_t protocol;
} RunnerWelcome;
extern const Schema runner_welcome_schema;

typedef struct RunnerStop {
    usec_t timeout; /* then the machine is killed */
    char *why;      /* for the log: "as asked", "the definition changed" */
} RunnerStop;
extern const Schema runner_stop_schema;

typedef struct ExecRequest {
    char *container;
    char **command;
    char **environment; /* added to the container's */
    char *working_dir;  /* NULL: the container's */
    char *user;         /* NULL: the container's */
    bool terminal;
    uint64_t rows, columns; /* of the terminal */
    Task task;              /* if it is no program, of the above only the container counts */
    Bytes path;             /* of a copy: in the container, any bytes but NUL */
    bool directory;         /* of a copy into it: the path has to be a directory that is there */
} ExecRequest;
extern const Schema exec_request_schema;

/* A secret or config file of the pod. Sent after the runner's first report of a connection, and whenever the source has changed. */
typedef struct RunnerFile {
    PodFileKind kind;
    char *name;
    char *error; /* why there is no content, in words; no descriptor then */
} RunnerFile;
extern const Schema runner_file_schema;

/* What a container may use from now on. */
typedef struct NewLimits {
    char *container;
    ContainerLimits limits;
} NewLimits;
extern const Schema new_limits_schema;

/* Limits of all containers of a pod, by a definition that differs in nothing else from the one that the machine was started with. The
 * same for runner and agent. */
typedef struct RunnerLimits {
    uint64_t generation; /* of the definition */
    NewLimits *containers;
    size_t n_containers;
} RunnerLimits;
extern const Schema runner_limits_schema;
/* Of all containers of a pod; for schema_done(). 0 or -ENOMEM. */
int runner_limits_fill(const PodDefinition *pod, uint64_t generation, RunnerLimits *ret);

/* The other pods of the pod's network, all of them. The same for runner and agent. */
typedef struct RunnerHosts {
    char **peers; /* as format_host */
} RunnerHosts;
extern const Schema runner_hosts_schema;

typedef struct RunnerIntroduction {
    uint64_t protocol;
    char *name;    /* of the pod */
    char *version; /* of podvisor */
} RunnerIntroduction;
extern const Schema runner_introduction_schema;

typedef struct RunnerImage {
    char *digest; /* "sha256:...", or RUN_KERNEL, RUN_INITRD */
} RunnerImage;
extern const Schema runner_image_schema;

typedef struct RunnerAdmission {
    char *backend;   /* which runner program it becomes */
    char *log_level; /* --log-level of that */
} RunnerAdmission;
extern const Schema runner_admission_schema;

typedef struct RunnerRefusal {
    char *message;
} RunnerRefusal;
extern const Schema runner_refusal_schema;
