/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Runner <-> agent: messages in frames (schemas/frame.h) over virtio-serial.
 *
 * Theory of operation
 * -------------------
 * The port has no connection. A runner begins a session by a `hello` in a frame with a new random session number; the agent
 * answers `welcome` in the same session, and from then on both drop frames of any other session. The first hello after
 * a boot sets the token; later ones must show the same. `hello` names the range of protocol versions, `welcome` the one taken.
 *
 *     runner                                agent
 *     hello{token, versions, entropy} ----->
 *                <-------- welcome{version, boot, kernel, configured}
 *     template{} -------------------------->            from version 4 on, instead of all that follows: the machine is to be copied
 *                <-------- reply                        and the agent waits for its first hello again (backends/qemu/template.h)
 *     clock{round, step} ------------------>            from version 2 on; also when a paused guest goes on
 *                <-------- clock{round, time}           after the step: see runner/guest-clock.h
 *     file{kind, name, offset, data, last} >            from version 3 on; in pieces, before configure, and whenever it changed
 *     configure{containers, ...} ---------->            once per boot; refused if it differs from the first
 *                <-------- reply
 *                <-------- report{containers}           now, and whenever it changes
 *                <-------- log{seq, ...}                up to LOG_WINDOW bytes beyond what is acknowledged
 *     limits{containers, ...} ------------->            from version 3 on; after configure, when they have changed
 *                <-------- reply
 *     hosts{peers} ------------------------>            from version 4 on; after configure, whenever others come and go
 *                <-------- reply
 *     log_ack{seq} ------------------------>            what is safe on the host; the ring forgets it
 *     exec{stream, task, ...} ------------->            a program, or what the agent does itself: schemas/task.h
 *                <-------- reply                        started, or why not
 *     data, credit, signal, resize <------->            by stream number, which the runner chose
 *                <-------- exit{stream, code, signal}   after the last data
 *
 * Credits: each side may send, per stream and channel, as many bytes as the other has granted; STREAM_CREDIT is granted
 * silently at the start. So neither a loud program nor a slow reader holds up the port.
 *
 * The host takes every byte from the agent for hostile: the limits of the table, unknown streams and ids dropped and
 * counted, names shown only after escaping, never used as names of anything on the host.
 */
#include "schemas/frame.h"
#include "schemas/message.h"
#include "schemas/pod-definition.h"
#include "schemas/report.h"
#include "schemas/runner-protocol.h"
#include "schemas/stream.h"

#define AGENT_PORT_NAME "org.podvisor.agent.0"
/* The interface of a machine that a template is made of: its copies get their own address. */
#define AGENT_TEMPLATE_MAC "02:00:00:00:00:02"

enum {
    AGENT_PROTOCOL_MIN = 1,
    AGENT_PROTOCOL_MAX = 5,
    AGENT_PROTOCOL_CLOCK = 2,       /* the first version with `clock` */
    AGENT_PROTOCOL_STORAGE = 3,     /* the first with `file`, and with disks in `configure` */
    AGENT_PROTOCOL_NETWORK = 3,     /* the first version with `network` in `configure` */
    AGENT_PROTOCOL_CONFINEMENT = 3, /* the first that knows what schemas/confinement.h has, share_pids, ... */
    AGENT_PROTOCOL_LIMITS = 3,      /* the first with `limits` */
    AGENT_PROTOCOL_TASKS = 3,       /* the first with other tasks in `exec` than programs */
    AGENT_PROTOCOL_LIFE = 3,        /* the first one that knows roles and probes of containers */
    AGENT_PROTOCOL_TEMPLATE = 4,    /* the first with `template`, and with entropy in `hello` */
    AGENT_PROTOCOL_ATTACH = 4, /* the first that attaches to containers, and gives them input and terminals */
    AGENT_PROTOCOL_SHARES = 4, /* the first with `shares` in `configure` */
    AGENT_PROTOCOL_RESOURCES = 4, /* the first with devices, umask, limits of io, and swap */
    AGENT_PROTOCOL_DHCP = 4,      /* the first that leases the machine's address, where `network` says so */
    AGENT_PROTOCOL_HOSTS = 4,     /* the first with `hosts`, and with peers in `configure` */
    AGENT_PROTOCOL_TIME = 5,      /* the first that is told the time by `clock` */
    AGENT_MESSAGE_SIZE_MAX = FRAME_PAYLOAD_MAX,
    AGENT_STREAM_CREDIT = 128 * 1024,
    AGENT_LOG_WINDOW = 256 * 1024,
    AGENT_LOG_RECORD_MAX =
        16 * 1024, /* data of one record; longer lines are split, `partial` set on all but the last */
    AGENT_STREAMS_MAX = 64,
    AGENT_FILE_PIECE_MAX = 32 * 1024, /* data of one `file` */
};

typedef enum AgentMessageType {
    /* runner -> agent */
    AGENT_HELLO,
    AGENT_CONFIGURE,
    AGENT_STOP,
    AGENT_PING,
    AGENT_LOG_ACK,
    AGENT_EXEC,
    AGENT_SIGNAL,
    AGENT_RESIZE,
    AGENT_HANGUP,
    AGENT_FILE,
    AGENT_TEMPLATE,
    AGENT_LIMITS, /* RunnerLimits; the reply says that they are known, the report what a container makes of them */
    /* both ways */
    AGENT_DATA,
    AGENT_CREDIT,
    AGENT_CLOCK,
    /* agent -> runner */
    AGENT_WELCOME,
    AGENT_REPLY,
    AGENT_REPORT,
    AGENT_LOG,
    AGENT_EXIT,
    /* runner -> agent, of version 4 */
    AGENT_HOSTS, /* RunnerHosts */
    AGENT_MESSAGE_MAX,
} AgentMessageType;
extern const MessageTable agent_protocol;

typedef struct AgentHello {
    Id128 token;
    uint64_t version_min, version_max;
    bool template; /* who speaks makes a template: nothing may be made of the guest's randomness yet */
    Bytes entropy; /* before anything is made of the guest's own, which a copy shares with others */
} AgentHello;
extern const Schema agent_hello_schema;

typedef struct AgentClock {
    uint64_t round; /* an answer has that of its question */
    int64_t step;   /* of a question: microseconds by which the guest's clock is to be moved first */
    usec_t
        time; /* of an answer: CLOCK_REALTIME of the guest; of a question: the host's, for a guest that is off by seconds; 0: no such word */
    usec_t uptime; /* of an answer: CLOCK_MONOTONIC of the guest; 0: an agent that does not tell */
    usec_t
        tick; /* of an answer: what that goes forward by at once, as a guest's does that has only its timer's ticks */
} AgentClock;
extern const Schema agent_clock_schema;

typedef struct AgentWelcome {
    uint64_t version; /* 0: none in common, the agent's range is min..max */
    uint64_t version_min, version_max;
    Id128 boot;
    char *kernel;
    char *agent; /* version of podvisor it was built from */
    bool configured;
    uint64_t log_first, log_next; /* sequence numbers that the ring still has: first <= seq < next */
} AgentWelcome;
extern const Schema agent_welcome_schema;

typedef struct AgentContainer {
    ContainerDefinition definition;
    /* what definition and image declare together: */
    char **command;
    char **environment;
    char *working_dir;
    char *user;
    char *stop_signal;
    ContainerRole role;
    uint64_t disk; /* SCSI id of the image's disk, on host 0, channel 0, LUN 0 */
} AgentContainer;
extern const Schema agent_container_schema;

typedef struct AgentDisk {
    char *volume;
    uint64_t disk; /* SCSI id, as an image's */
} AgentDisk;
extern const Schema agent_disk_schema;

typedef struct AgentShare {
    char *volume;
    char *tag; /* of the virtiofs device */
} AgentShare;
extern const Schema agent_share_schema;

/* Of the one network interface that the machine has; addresses of IPv4 and IPv6 alike. All empty: it has none. */
typedef struct AgentNetwork {
    char *mac;        /* "02:...": which interface */
    char **addresses; /* "10.0.2.15/24" */
    char **gateways;  /* of the default routes: "10.0.2.2" */
    char **nameservers;
    char **hosts;         /* "name:address" */
    char **peers;         /* the same, of other pods, until the first `hosts` */
    uint64_t mtu;         /* 0: the interface's own */
    bool dhcp;            /* addresses and gateways come from a DHCP server, and what is not said here else */
    usec_t lease_timeout; /* how long the answer to `configure` waits for that */
    char *domain;         /* in which names are looked up, too; NULL: none */
} AgentNetwork;
extern const Schema agent_network_schema;

typedef struct AgentConfigure {
    char *hostname;
    Bytes entropy;
    bool share_pids;
    uint64_t shm_size;
    char **sysctls; /* as format_sysctl */
    VolumeDefinition *volumes;
    size_t n_volumes;
    AgentDisk *disks; /* one for each volume that is one */
    size_t n_disks;
    AgentShare *shares; /* one for each volume that is live */
    size_t n_shares;
    AgentContainer *containers; /* those of init first, in the order in which they run */
    size_t n_containers;
    usec_t stop_timeout; /* the pod's: of an end that the machine's power button asks for */
    AgentNetwork
        network; /* an agent of a version before AGENT_PROTOCOL_NETWORK passes it over: its machine has no interface */
} AgentConfigure;
extern const Schema agent_configure_schema;

/* A piece of a secret or config file. The pieces of one file come in order and with no other file's between them. */
typedef struct AgentFile {
    PodFileKind kind;
    char *name;
    uint64_t offset; /* 0 begins the file anew */
    bool last;       /* it is whole now, and takes the place of what was there */
    Bytes data;
} AgentFile;
extern const Schema agent_file_schema;

typedef struct AgentStop {
    usec_t timeout; /* for all containers together; then they are killed and the machine powers off */
} AgentStop;
extern const Schema agent_stop_schema;

typedef struct AgentLogAck {
    uint64_t seq; /* all records up to and with this one are safe */
} AgentLogAck;
extern const Schema agent_log_ack_schema;

typedef struct AgentExec {
    uint64_t stream;
    ExecRequest request;
} AgentExec;
extern const Schema agent_exec_schema;

typedef struct AgentStreamSignal {
    uint64_t stream;
    uint64_t signal;
} AgentStreamSignal;
extern const Schema agent_stream_signal_schema;

typedef struct AgentStreamResize {
    uint64_t stream;
    uint64_t rows, columns;
} AgentStreamResize;
extern const Schema agent_stream_resize_schema;

typedef struct AgentStream {
    uint64_t stream;
} AgentStream;
extern const Schema agent_stream_schema;

typedef struct AgentData {
    uint64_t stream;
    StreamChannel channel;
    Bytes data; /* empty: this channel is at its end */
} AgentData;
extern const Schema agent_data_schema;

typedef struct AgentCredit {
    uint64_t stream;
    StreamChannel channel;
    uint64_t bytes; /* granted in addition */
} AgentCredit;
extern const Schema agent_credit_schema;

typedef struct AgentReport {
    /* Every container ended and none is to be started again; the machine powers off after this. */
    bool completed;
    /* The machine's power button was pressed: the containers are asked to end; the machine powers off after that. May come before
     * anything is configured. */
    bool power_button;
    LeaseReport lease; /* from version 4 on */
    ContainerReport *containers;
    size_t n_containers;
    StartTimes start; /* the rows that are the guest's */
} AgentReport;
extern const Schema agent_report_schema;

typedef struct LogRecord {
    uint64_t seq; /* 1, 2, ... over all containers of a boot */
    usec_t time;  /* CLOCK_REALTIME of the guest */
    char *container;
    StreamChannel channel;
    bool partial;     /* the line goes on in the next record of this container and channel */
    uint64_t dropped; /* records lost just before this one, because the ring ran over */
    Bytes data;       /* without the line end */
} LogRecord;
extern const Schema log_record_schema;

typedef struct AgentExit {
    uint64_t stream;
    int64_t code;
    uint64_t signal;
    char *message;
} AgentExit;
extern const Schema agent_exit_schema;
