/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/log-fields.h"
#include "supervisor/events.h"
#include "supervisor/supervisor.h"

#define OOM_INTERVAL (10 * USEC_PER_SEC)

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

/* For `podvisor events` where there is no journal. */
static void event_store(const Pod *pod, const OperatorEventRow *event, const char *text, int error)
{
    const PodRecord *record = &pod->record;
    _cleanup_(freep) char *cause = error ? strf("%s: %s", text, strerror(abs(error))) : NULL;
    const char *line = cause ?: text;
    /* Nothing of it is changed or kept. */
    LogEntry entry = {
        .machine = record->uuid,
        .attempt = record->attempt,
        .level = (uint64_t)event->level,
        .record = { .time = now_usec(CLOCK_REALTIME),
                    .channel = STREAM_STDOUT,
                    .data = { .data = (uint8_t *)(uintptr_t)line, .size = strlen(line) } },
        .pod = pod->name,
        .event = (char *)(uintptr_t)event->name,
        .state = (char *)(uintptr_t)enum_to_string(&pod_state_table, (int)pod->state),
        .reason = record->reason != END_NONE
                      ? (char *)(uintptr_t)enum_to_string(&end_reason_table, (int)record->reason)
                      : NULL,
        .generation = record->generation,
    };
    LogFile *file = pod->supervisor->events;

    int r = file ? log_file_append(file, &entry) : 0;
    if (r < 0)
        (void)pod_log(pod, LOG_WARNING, r, "%s: an event cannot be recorded", pod->name);
}

void pod_log_event(const Pod *pod, OperatorEvent event, int error, const char *format, ...)
{
    const OperatorEventRow *row = &operator_events[event];
    LogFields f;
    va_list args;

    fields_fill(&f, pod, row);
    va_start(args, format);
    _cleanup_(freep) char *text = strf_va(format, args);
    va_end(args);
    log_full(row->level, error, f.rows, "%s", text ?: row->doc);
    event_store(pod, row, text ?: row->doc, error);
}

static const ContainerReport *find_container(const RunnerReport *report, const char *name)
{
    for (size_t i = 0; i < report->n_containers; i++)
        if (streq_ptr(report->containers[i].name, name))
            return &report->containers[i];
    return NULL;
}

/* A guest may say it without end. */
void pod_tell_oom(Pod *pod, const RunnerReport *before, const RunnerReport *after)
{
    usec_t now = now_usec(CLOCK_BOOTTIME);

    for (size_t i = 0; i < after->n_containers; i++) {
        const ContainerReport *c = &after->containers[i], *old = find_container(before, c->name);
        bool known = old && old->oom_killed && old->ended == c->ended;
        if (!c->oom_killed || known || (pod->oom_told > 0 && usec_sub(now, pod->oom_told) < OOM_INTERVAL))
            continue;
        pod->oom_told = now;
        pod_log_event(pod, EVENT_CONTAINER_OOM, 0, "%s: container %s was %s", pod->name, c->name ?: "?",
                      c->message ?: "killed for want of memory");
    }
}
