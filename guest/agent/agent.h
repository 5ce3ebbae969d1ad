/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The agent: one loop, one port, the containers and what was asked to run in them.
 *
 * Theory of operation
 * -------------------
 *     port --frame--> session --message--> dispatch.c --> containers, execs, ending
 *     containers --output--> ring --+
 *     execs, attachments --output---+--> agent_pump() --> port
 *     containers --state---> report-+
 *
 * Callbacks of descriptors, timers and children only change state; agent_pump(), after each round of the loop, moves
 * what can be moved. So everything that waits (for the port, for credit, for room in the ring) is looked at again
 * whenever anything has happened, and nothing needs to know what it waits for.
 *
 * The agent never ends by what the runner or a container sends.
 */
#include "guest/agent/attach.h"
#include "guest/agent/children.h"
#include "guest/agent/container.h"
#include "guest/agent/dhcp.h"
#include "guest/agent/ending.h"
#include "guest/agent/exec.h"
#include "guest/agent/files.h"
#include "guest/agent/log-ring.h"
#include "guest/agent/pid-namespace.h"
#include "guest/agent/platform.h"
#include "guest/agent/port.h"
#include "guest/agent/session.h"
#include "guest/agent/standby.h"
#include "guest/agent/template.h"

enum { AGENT_LOG_RING_SIZE = 1024 * 1024 };

/* How long a runner may hold up the containers' output by not acknowledging any; then the oldest of it is dropped. */
#define AGENT_LOG_PATIENCE (5 * USEC_PER_SEC)

typedef struct Agent Agent;

struct Agent {
    Platform *platform; /* not owned */
    Loop loop;
    Children children;
    Port port;
    Session session;
    LogRing ring;
    usec_t log_progress; /* when the runner last took or acknowledged a record, or began its session */
    Timer log_patience;
    bool configured;
    bool configuring;       /* `configure` stands, and waits for the machine's address */
    uint32_t asker_session; /* who is to be answered then */
    uint64_t asker;
    Dhcp dhcp;
    AgentConfigure configure; /* with the limits that are declared now, and the address that is leased now */
    Bytes configure_bytes;    /* as it came, without the entropy: for comparison */
    uint64_t pids_share;      /* how many processes a container may have that does not say; 0: any number */
    PidNamespace pids;        /* of all containers, where they share one */
    Standby standby;
    Container *containers;
    size_t n_containers;
    Exec *execs;
    Attachment *attachments;
    FileIntake intake;
    int task_cgroup; /* of what the agent does for others; negative: not made yet */
    Ending ending;
    Template template;
    bool report_due;
    Timer settled;    /* after a configuration: what can wait until containers have begun */
    StartTimes start; /* its marks, by this machine's clock; containers have theirs themselves */
};

/* clock NULL: CLOCK_MONOTONIC. Blocks all signals of the process. */
int agent_new(Agent **ret, Platform *platform, LoopClock clock);
Agent *agent_free(Agent *a);
DEFINE_CLEANUP(Agent *, agent_free)

/* One round of the loop, waiting for events if there is nothing to do; 0 or negative errno. */
int agent_round(Agent *a);
/* Moves what can be moved; true when there is more that can be moved at once. */
bool agent_pump(Agent *a);

/* To the runner of the present session; dropped when there is none. */
void agent_send(Agent *a, AgentMessageType type, uint64_t id, const void *body);
/* id 0: no answer is wanted. error is 0 or negative. */
void agent_reply(Agent *a, uint64_t id, int error, const char *message);
/* The containers' states are to be reported. */
void agent_report_due(Agent *a);
/* Whether there is anything to report: before a configuration there are no containers. */
bool agent_has_news(const Agent *a);
/* What is due is sent, unless the port is busy. */
void agent_report_now(Agent *a);
/* A disk came: containers that wait for theirs look again. */
void agent_disks_changed(Agent *a);
/* How many bytes of output may be read into the ring now: 0 when containers must wait for the runner. */
size_t agent_log_room(Agent *a);
Container *agent_container(Agent *a, const char *name);
/* Starts and ends the containers whose turn has come: true when there was one. turns.c */
bool agent_take_turns(Agent *a);

/* Of the present session. dispatch.c */
void agent_dispatch(Agent *a, const Message *m);
/* What to run, as the request of this number asks; 0, or negative errno with f, or AGENT_LATER: it is answered when there is an address.
 * configure.c */
enum { AGENT_LATER = 1 };
int agent_configure(Agent *a, uint64_t id, const AgentConfigure *configure, Failure *f);
/* The machine has its address now, or had none in time: what was configured begins, or is forgotten, and its request is answered. */
void agent_configure_leased(Agent *a);
void agent_configure_failed(Agent *a, const Failure *f);
/* How many processes a container may have that does not say; 0: any number. configure.c */
uint64_t agent_pids_share(const Platform *p, const AgentConfigure *configure);
/* What containers may use from now on; 0, or negative errno with f and nothing done. limits.c */
int agent_limit(Agent *a, const RunnerLimits *limits, Failure *f);
