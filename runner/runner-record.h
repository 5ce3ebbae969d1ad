/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a runner remembers: RUN/vm/runner.msgpack. The next runner of the same attempt goes on from it. */
#include "schemas/checkpoint.h"
#include "schemas/report.h"

typedef struct RunnerRecord {
    uint64_t attempt;
    /* The agent has started the containers: from then on silence is a lost agent, no slow boot. */
    bool configured;
    bool completed;        /* every container has ended and none is to be started again */
    bool power_button;     /* the agent ends it because somebody pressed its power button */
    bool stop_asked;       /* podvisord has asked for an end */
    EndReason kill_reason; /* why this runner kills, or killed, the machine; END_NONE: it does not */
    char *kill_message;
    Id128 guest_boot; /* log_seq counts in this boot of the guest */
    uint64_t log_seq; /* the last log record that is safe, or an earlier one */
    RunnerReport report;
    Bytes extra;
} RunnerRecord;
extern const Schema runner_record_schema;
extern const CheckpointKind runner_checkpoint;
