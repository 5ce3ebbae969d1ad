/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What containers and their machine have used, as the agent reads it from the guest's kernel when somebody asks. Hostile like all that
 * comes from a guest: whoever reads it escapes the names, and believes the numbers as far as the guest can be believed.
 */
#include "schemas/schema.h"

enum {
    STATISTICS_SIZE_MAX = 4 * 1024 * 1024, /* of an answer, packed */
    STATISTICS_PROCESSES_MAX = 4096,
    STATISTICS_INTERFACES_MAX = 32,
    STATISTICS_COMMAND_MAX = 512, /* bytes of a command line */
};
extern const PackLimits statistics_limits;

typedef struct ContainerStatistics {
    char *name;
    bool runs;
    usec_t running_for; /* its present run; 0: it does not run */
    usec_t cpu_time, cpu_user, cpu_system;
    usec_t cpu_throttled;                       /* how long its limit held it up */
    uint64_t memory, memory_peak, memory_limit; /* SIZE_INFINITY: no limit of its own */
    uint64_t swap;
    uint64_t pids, pids_limit; /* SIZE_INFINITY: none */
    uint64_t io_read, io_written;
    uint64_t oom_kills; /* processes, since the machine's start */
} ContainerStatistics;
extern const Schema container_statistics_schema;

typedef struct InterfaceStatistics {
    char *name;
    uint64_t received, received_packets, received_errors, received_dropped;
    uint64_t sent, sent_packets, sent_errors, sent_dropped;
} InterfaceStatistics;
extern const Schema interface_statistics_schema;

typedef struct Statistics {
    usec_t uptime;
    uint64_t processors;
    uint64_t memory_total, memory_available; /* of the guest */
    uint64_t agent_memory;                   /* resident */
    usec_t cpu_time;                         /* of all containers */
    uint64_t memory;
    uint64_t pids;
    ContainerStatistics *containers;
    size_t n_containers;
    InterfaceStatistics *interfaces; /* but for the loopback */
    size_t n_interfaces;
} Statistics;
extern const Schema statistics_schema;

typedef struct ProcessReport {
    uint64_t pid;    /* inside of the container */
    uint64_t parent; /* 0: it is not in the container */
    uint64_t uid;
    char *user;  /* its name in the container's image; NULL: it has none there */
    char *state; /* the letter of ps(1) */
    usec_t cpu_time;
    uint64_t memory; /* resident */
    usec_t age;
    char *command; /* arguments with blanks between, cut short; a name in brackets where there are none */
} ProcessReport;
extern const Schema process_report_schema;

typedef struct ProcessList {
    ProcessReport *processes; /* by pid */
    size_t n_processes;
    uint64_t left_out; /* beyond STATISTICS_PROCESSES_MAX */
} ProcessList;
extern const Schema process_list_schema;

typedef struct AgentPong {
    char *version; /* of podvisor */
    uint64_t protocol;
    char *kernel;
    Id128 boot;
    usec_t time; /* CLOCK_REALTIME of the guest */
    usec_t uptime;
} AgentPong;
extern const Schema agent_pong_schema;
