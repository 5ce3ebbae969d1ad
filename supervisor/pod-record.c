/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/pod-record.h"

static const Field fields[] = {
    { F_STRING(PodRecord, name), .doc = "The pod's name." },
    { F_ID128(PodRecord, boot), .doc = "The boot of the host in which it was written." },
    { F_STRING(PodRecord, file), .doc = "Where its definition stands." },
    { F_STRING(PodRecord, definition), .doc = "SHA-256 of the definition." },
    { F_UNSIGNED(PodRecord, generation), .doc = "The generation of that definition." },
    { F_ENUM(PodRecord, phase, machine_phase_table), .doc = "What was done, or was about to be done." },
    { F_UNSIGNED(PodRecord, attempt), .doc = "Which machine that is about." },
    { F_ENUM(PodRecord, backend, backend_kind_table), .doc = "Its backend." },
    { F_GROUP(PodRecord, network, network_schema), .doc = "Its network." },
    { F_STRING(PodRecord, passt), .doc = "The program that makes it." },
    { F_GROUP(PodRecord, link, bridge_link_schema), .doc = "How it is on a bridge." },
    { F_ID128(PodRecord, uuid), .doc = "Its identity." },
    { F_ID128(PodRecord, token), .doc = "What its runner proves itself with." },
    { F_UNSIGNED(PodRecord, runner_pid), .doc = "The runner's process." },
    { F_UNSIGNED(PodRecord, runner_start_time), .doc = "When that was started, in clock ticks after boot." },
    { F_BOOL(PodRecord, hold), .doc = "Whether an operator stopped the pod." },
    { F_BOOL(PodRecord, asked), .doc = "Whether an operator started the pod." },
    { F_BOOL(PodRecord, asleep), .doc = "Whether it was paused for the sleep of the host." },
    { F_UNSIGNED(PodRecord, restarts), .doc = "Restarts that nobody asked for." },
    { F_UNSIGNED(PodRecord, failures), .doc = "Failures in a row." },
    { F_DURATION(PodRecord, next_start), .doc = "When the next start is due, after boot." },
    { F_DURATION(PodRecord, running_since), .doc = "Since when its containers run, after boot." },
    { F_BOOL(PodRecord, as_asked), .doc = "Whether podvisord had asked for the last end." },
    { F_STRING(PodRecord, stop_rule), .doc = "The rule by which its end was asked for." },
    { F_STRING(PodRecord, end_rule), .doc = "The rule by which the last end was asked for." },
    { F_BOOL(PodRecord, succeeded), .doc = "Whether all containers had ended as they should." },
    { F_ENUM(PodRecord, verdict, verdict_table), .doc = "What the last runner had found." },
    { F_ENUM(PodRecord, reason, end_reason_table), .doc = "Why the machine ended last." },
    { F_SIGNED(PodRecord, exit_code), .fallback = "-1", .doc = "The exit code of the machine's process." },
    { F_UNSIGNED(PodRecord, exit_signal), .doc = "The signal that ended the machine's process." },
    { F_STRING(PodRecord, message), .doc = "The cause in words." },
    { F_BOOL(PodRecord, unwoken),
      .doc = "Whether it ended as a copy of a template that never came to run its containers." },
    { F_STRV(PodRecord, console_tail), .doc = "The last lines of the guest's console." },
    { F_LIST(PodRecord, containers, container_report_schema), .max = CONTAINERS_MAX,
      .doc = "How its containers had ended." },
    { F_GROUP(PodRecord, start, start_times_schema), .doc = "When each step of its start was done." },
    { F_ENUM(PodRecord, state, pod_state_table), .doc = "What the pod was doing." },
    { F_DURATION(PodRecord, since), .doc = "Since when, in microseconds since 1970." },
};
DEFINE_SCHEMA_EXTRA(pod_record_schema, PodRecord, "supervisor record", "What podvisord remembers of a pod.",
                    fields);

const CheckpointKind pod_record_kind = { .name = "supervisor", .version = 1, .schema = &pod_record_schema };

void pod_record_take_containers(PodRecord *record, const RunnerReport *report)
{
    const RunnerReport told = { .containers = report->containers, .n_containers = report->n_containers };
    RunnerReport old = { .containers = record->containers, .n_containers = record->n_containers }, copy;

    schema_done(&runner_report_schema, &old);
    record->containers = NULL;
    record->n_containers = 0;
    if (schema_copy(&runner_report_schema, &told, &copy) < 0)
        return;
    record->containers = take_ptr(copy.containers);
    record->n_containers = copy.n_containers;
    copy.n_containers = 0;
    schema_done(&runner_report_schema, &copy);
}

void pod_record_take_start(PodRecord *record, const RunnerReport *report)
{
    StartTimes copy;

    schema_done(&start_times_schema, &record->start);
    if (schema_copy(&start_times_schema, &report->start, &copy) >= 0)
        record->start = copy;
}
