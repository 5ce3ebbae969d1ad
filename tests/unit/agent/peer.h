/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A runner that speaks to an agent in the same process: the agent has one end of a socket pair for its port, the Peer the other,
 * and each wait runs rounds of the agent's loop. The machine under the agent is a double: directories instead of disks.
 */
#include "guest/agent/agent.h"
#include "tests/unit/test.h"

enum { PEER_STREAM_MAX = 4 * 1024 * 1024, PEER_STREAMS = 32 };

typedef struct Peer {
    TestDir dir;
    bool privileged; /* mounts are possible: dir is one, in a mount namespace of the test */
    int cgroup_top;  /* the mounted hierarchy, where containers can be run; else -1 */
    Platform platform;
    Agent *agent;
    int fd;
    uint32_t session;
    Id128 token;
    uint64_t last_id;
    FrameDecoder decoder;
    bool timed_out;
    Timer deadline;
    /* What has come: */
    uint64_t reply_id, reply_error;
    char reply[512];
    unsigned welcomes;
    uint64_t welcome_version;
    bool welcome_configured;
    Id128 welcome_boot;
    AgentReport report;
    Bytes log; /* "container channel line\n" */
    uint64_t log_seq, log_dropped;
    bool acknowledges, grants;
    Bytes streams[STREAM_CHANNEL_MAX]; /* of all execs */
    size_t received[PEER_STREAMS];     /* bytes of output, by the stream's number */
    uint64_t miser;                    /* the stream that is granted nothing; 0: none */
    unsigned ends[STREAM_CHANNEL_MAX];
    uint64_t input_credit;
    unsigned exits;
    AgentExit exit;          /* the last one; its message is not kept */
    char exit_messages[256]; /* of all of them */
    AgentClock clock;
    /* What the machine was told: */
    const char *image; /* a directory, or NULL while no disk is there */
    int disk_error;    /* of a volume's disk: what becomes of its mount */
    uint64_t disk;     /* the last one that was mounted */
    unsigned disk_mounts, share_mounts;
    char share[32]; /* the tag of the last one */
    bool powered_off;
    int64_t step; /* of the clock */
    char hostname[64];
    char sysctl[128];           /* the last one */
    AgentNetwork network_asked; /* of peer_configure(); empty: none */
    char network[64];           /* the first address that the interface was given */
    size_t entropy;
    bool kernel_closed, swap_asked;
    unsigned looked,
        unsettled; /* how often it was asked whether the kernel has settled, and how often it has not */
} Peer;

/* An agent that nobody has spoken to. */
void peer_open(Peer *p);
void peer_close(Peer *p);
/* Ends the agent and what it runs, as it happens with the machine. */
void peer_end_agent(Peer *p);
/* False where this test is not allowed to make control groups and overlays. */
bool peer_can_run(const Peer *p);
/* Runs the agent until it is true; fails the test after some seconds. */
#define peer_until(p, condition)                                                                             \
    do {                                                                                                     \
        peer_deadline(p, 20 * USEC_PER_SEC);                                                                 \
        while (!(condition) && !(p)->timed_out)                                                              \
            peer_round(p);                                                                                   \
        if (!(condition))                                                                                    \
            fail_msg("%s never came true", #condition);                                                      \
        loop_timer_clear(&(p)->agent->loop, &(p)->deadline);                                                 \
    } while (0)
void peer_deadline(Peer *p, usec_t timeout);
void peer_round(Peer *p);
void peer_send(Peer *p, AgentMessageType type, const void *body);
/* Sends it and waits for the reply: its error (positive); the words are in p->reply. */
int peer_ask(Peer *p, AgentMessageType type, const void *body);
/* Begins a session of the number with the versions. Waits for a welcome or a refusal. */
void peer_hello(Peer *p, uint32_t session, Id128 token, uint64_t version_min, uint64_t version_max);
void peer_say_hello(Peer *p, uint32_t session, const AgentHello *hello);
/* Hello and configure with one container per element; each command is split at blanks. */
void peer_configure(Peer *p, const AgentContainer *containers, size_t n);
/* The container's report, or NULL. */
const ContainerReport *peer_container(const Peer *p, const char *name);
bool peer_state_is(const Peer *p, const char *name, ContainerState state);
bool peer_log_has(const Peer *p, const char *text);
