/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/runner-record.h"

static const Field fields[] = {
    { F_UNSIGNED(RunnerRecord, attempt), .doc = "The attempt that this is about." },
    { F_BOOL(RunnerRecord, configured), .doc = "Whether the agent has started the containers." },
    { F_BOOL(RunnerRecord, completed), .doc = "Whether every container has ended for good." },
    { F_BOOL(RunnerRecord, power_button), .doc = "Whether its power button was pressed." },
    { F_BOOL(RunnerRecord, stop_asked), .doc = "Whether the machine was asked to end." },
    { F_ENUM(RunnerRecord, kill_reason, end_reason_table), .doc = "Why the runner killed it." },
    { F_STRING(RunnerRecord, kill_message), .doc = "The same in words." },
    { F_ID128(RunnerRecord, guest_boot), .doc = "The guest's boot that log_seq counts in." },
    { F_UNSIGNED(RunnerRecord, log_seq), .doc = "The last log record known to be safe." },
    { F_GROUP(RunnerRecord, report, runner_report_schema), .doc = "What is told to podvisord." },
};
DEFINE_SCHEMA_EXTRA(runner_record_schema, RunnerRecord, "runner", "What a runner remembers.", fields);

const CheckpointKind runner_checkpoint = { .name = "runner", .version = 1, .schema = &runner_record_schema };
