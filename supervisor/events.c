/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/strings.h"
#include "supervisor/events.h"
#include "supervisor/pod.h"

const OperatorEventRow operator_events[OPERATOR_EVENT_MAX] = {
    [EVENT_STARTED] = { "started", "4f8839440a4343ae8a5e2f98cf65ff55", LOG_INFO,
                        "a machine was launched for the pod", "Nothing is to be done." },
    [EVENT_READY] = { "ready", "e68592ba4cf249ceb6c97acd16dcaae9", LOG_INFO,
                      "every container of the pod does what it should", "Nothing is to be done." },
    [EVENT_ENDED] = { "ended", "2da711faa7ed4d569d5d1b6477330f72", LOG_INFO,
                      "the pod's machine ended as it should", "Nothing is to be done." },
    [EVENT_FAILED] = { "failed", "5bcd489fb266496ead046f585fb41b95", LOG_WARNING,
                       "the pod's machine ended as it should not",
                       "`podvisor status POD` shows the cause and the last lines of the guest's console." },
    [EVENT_ADOPTED] = { "adopted", "3b8d27b411794788a6e936ac44388bac", LOG_INFO,
                        "podvisord was restarted and found the pod's runner", "Nothing is to be done." },
    [EVENT_RUNNER_LOST] = { "runner-lost", "a634e85dd2524794827dde0156f59fd1", LOG_WARNING,
                            "the pod's runner ended, while its machine may live; a new one is launched",
                            "Nothing is to be done, unless it happens again and again." },
    [EVENT_INDETERMINATE] = { "indeterminate", "66ba83975e6442ceae21c3797559147e", LOG_ERR,
                              "it cannot be told what runs; nothing is started and nothing is killed",
                              "Look at `podvisor status POD`; then `podvisor adopt POD` or `podvisor forget "
                              "POD`." },
    [EVENT_DEFINITION_BAD] = { "definition-bad", "bcd417703ef04ca29e683b154d8c5914", LOG_ERR,
                               "the pod's file cannot be used; the definition read before goes on",
                               "Correct the file; `podvisor check FILE` tells all that is wrong with it." },
    [EVENT_DEFINITION_CHANGED] = { "definition-changed", "758b3b6d0d1848908ee5bc550b348f76", LOG_INFO,
                                   "a new definition of the pod is taken over", "Nothing is to be done." },
    [EVENT_REMOVED] = { "removed", "87b000ffc4f649fdb87585f89a563d97", LOG_INFO,
                        "the pod's file is gone, and nothing is left of the pod", "Nothing is to be done." },
    [EVENT_DEGRADED] = { "degraded", "cc9b7d04a28d4ff58a10848c921103cb", LOG_ERR,
                         "what podvisord must remember of the pod could not be written",
                         "Make room below the run directory; it is written as soon as that works." },
    [EVENT_HELD] = { "held", "761a9aac6b984792891d106b3c116b9e", LOG_INFO, "an operator stopped the pod",
                     "`podvisor start POD` starts it again." },
};

enum { FIELDS_MAX = 8 };

typedef struct PodFields {
    char uuid[ID128_TEXT_SIZE];
    char generation[24];
    LogField fields[FIELDS_MAX];
} PodFields;

static void fields_fill(PodFields *f, const Pod *pod, const OperatorEventRow *event)
{
    const PodRecord *record = &pod->record;
    const LogField rows[] = {
        { "PODVISOR_POD", pod->name },
        { "PODVISOR_POD_UUID", id128_is_null(record->uuid) ? NULL : id128_format(record->uuid, f->uuid) },
        { "PODVISOR_GENERATION", f->generation },
        { "PODVISOR_STATE", enum_to_string(&pod_state_table, (int)pod->state) },
        { "PODVISOR_REASON", record->reason ? enum_to_string(&end_reason_table, (int)record->reason) : NULL },
        { "PODVISOR_EVENT", event ? event->name : NULL },
        { "MESSAGE_ID", event ? event->message_id : NULL },
        { NULL, NULL },
    };
    _Static_assert(sizeof rows == sizeof f->fields, "all rows have their place");

    snprintf(f->generation, sizeof f->generation, "%llu", (unsigned long long)record->generation);
    memcpy(f->fields, rows, sizeof rows);
}

int pod_log(const Pod *pod, int level, int error, const char *format, ...)
{
    PodFields f;
    va_list args;

    fields_fill(&f, pod, NULL);
    va_start(args, format);
    log_full_va(level, error, f.fields, format, args);
    va_end(args);
    return error;
}

void pod_log_event(const Pod *pod, OperatorEvent event, int error, const char *format, ...)
{
    PodFields f;
    va_list args;

    fields_fill(&f, pod, &operator_events[event]);
    va_start(args, format);
    log_full_va(operator_events[event].level, error, f.fields, format, args);
    va_end(args);
}
