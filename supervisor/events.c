/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/log-fields.h"
#include "supervisor/events.h"
#include "supervisor/supervisor.h"

static void fields_fill(LogFields *f, const Pod *pod, const OperatorEventRow *event)
{
    const PodRecord *record = &pod->record;

    log_fields_init(f);
    log_fields_set(f, LOG_FIELD_POD, pod->name);
    if (!id128_is_null(record->uuid))
        log_fields_set_id(f, LOG_FIELD_POD_UUID, record->uuid);
    if (pod->wanted.defined)
        log_fields_set(f, LOG_FIELD_BACKEND,
                       enum_to_string(&backend_kind_table, (int)pod->definition.backend));
    log_fields_set_number(f, LOG_FIELD_GENERATION, record->generation);
    log_fields_set(f, LOG_FIELD_STATE, enum_to_string(&pod_state_table, (int)pod->state));
    if (record->reason != END_NONE)
        log_fields_set(f, LOG_FIELD_REASON, enum_to_string(&end_reason_table, (int)record->reason));
    if (event)
        log_fields_set_event(f, event);
    log_fields_set_unit(f, pod->name, pod->supervisor->paths->mode);
}

int pod_log(const Pod *pod, int level, int error, const char *format, ...)
{
    LogFields f;
    va_list args;

    fields_fill(&f, pod, NULL);
    va_start(args, format);
    log_full_va(level, error, f.rows, format, args);
    va_end(args);
    return error;
}

void pod_log_event(const Pod *pod, OperatorEvent event, int error, const char *format, ...)
{
    LogFields f;
    va_list args;

    fields_fill(&f, pod, &operator_events[event]);
    va_start(args, format);
    log_full_va(operator_events[event].level, error, f.rows, format, args);
    va_end(args);
}
