/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the agent's glue share; runner/agent-glue.h tells how they work together. */
#include "runner/agent-client.h"
#include "runner/agent-glue.h"
#include "runner/exec-streams.h"
#include "runner/guest-clock.h"
#include "runner/runner-state.h"

enum { AGENT_TEXT_MAX = 200 }; /* bytes of what a guest says that are shown */

struct AgentGlue {
    Runner *runner;
    AgentClient *client; /* NULL: between two channels */
    ExecStreams *execs;  /* as client */
    bool welcome;
    bool has_clock;  /* the agent speaks of its clock */
    bool has_files;  /* it takes secrets and config files */
    bool configured; /* the agent has containers */
    /* Of the definition whose limits the agent was given: by configure, or last, with limits_asked while it has not answered. */
    uint64_t limits_generation;
    bool limits_asked;
    bool hosts_asked, hosts_again; /* the agent has not answered yet; and is to be told more */
    uint64_t version;              /* that the agent speaks */
    bool configure_due;            /* when the clock has been seen to */
    bool files_due;                /* it is configured when it has got all files */
    bool
        report_due; /* it was configured by an earlier runner or session: its pod is what its first report says */
    bool stop_sent;
    bool age_told; /* that the agent is older than what the definition may ask */
    GuestClock clock;
    unsigned garbage; /* channels in a row that ended by it */
    usec_t retry_delay;
    sd_event_source *retry;
    /* An agent that was configured, and is silent: until when it may be (CLOCK_MONOTONIC; 0: it is not), and how long the next
     * connection waits for it; doubled each time, for guests that are slow. */
    usec_t return_due, patience;
    uint64_t log_safe; /* to be acknowledged, and remembered */
};

/* runner/agent-handshake.c */
void agent_glue_on_welcome(void *userdata, void *body);
void agent_glue_on_clock(void *userdata, void *body);
/* True when the agent will answer; a clock that cannot be seen to is logged. */
bool agent_glue_clock_begin(AgentGlue *g, bool tell);
/* There is room for more of the secrets and config files, or more of them. */
void agent_glue_files_go_on(AgentGlue *g);

/* runner/agent-limits.c */
/* There are containers: their limits are told where they are others than those by which they were made. */
void agent_glue_limits_begin(AgentGlue *g);

/* runner/agent-hosts.c */
/* There are containers: the names of other pods are told, where podvisord has said them. */
void agent_glue_hosts_begin(AgentGlue *g);

/* runner/agent-reports.c */
void agent_glue_on_report(void *userdata, void *body);

/* runner/agent-glue.c */
int agent_glue_stop_send(AgentGlue *g, usec_t timeout);
void agent_glue_log_ack(AgentGlue *g, uint64_t seq);
