/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/strings.h"
#include "schemas/log-fields.h"

DEFINE_ENUM_TABLE(log_stream, "stream",
                  LOG_STREAM_MAX, [LOG_STREAM_STDOUT] = { "stdout", "a container's standard output" },
                  [LOG_STREAM_STDERR] = { "stderr", "a container's standard error" },
                  [LOG_STREAM_CONSOLE] = { "console", "the guest's console: what its kernel says" },
                  [LOG_STREAM_VMM] = { "vmm", "what the machine's own process, QEMU, says" });

const LogFieldRow log_field_rows[LOG_FIELD_MAX] = {
    [LOG_FIELD_POD] = { "PODVISOR_POD", "The name of the pod." },
    [LOG_FIELD_POD_UUID] = { "PODVISOR_POD_UUID", "The identity of the machine, new for each attempt." },
    [LOG_FIELD_CONTAINER] = { "PODVISOR_CONTAINER", "The name of the container whose output it is." },
    [LOG_FIELD_STREAM] = { "PODVISOR_STREAM",
                           "Where a line of output comes from. What podvisor itself says has no stream." },
    [LOG_FIELD_BACKEND] = { "PODVISOR_BACKEND", "What runs the machine: qemu or null." },
    [LOG_FIELD_GENERATION] = { "PODVISOR_GENERATION", "The generation of the definition." },
    [LOG_FIELD_STATE] = { "PODVISOR_STATE", "The state of the pod, as podvisord knows it." },
    [LOG_FIELD_EVENT] = { "PODVISOR_EVENT", "The name of the event that an operator must see." },
    [LOG_FIELD_REASON] = { "PODVISOR_REASON", "How the pod's machine ended last." },
    [LOG_FIELD_MESSAGE_ID] = { "MESSAGE_ID", NULL },
    [LOG_FIELD_SEQ] = { "PODVISOR_SEQ", "The number of a container's record in this life of the machine." },
    [LOG_FIELD_TIME] = { "PODVISOR_TIME", "When a container wrote the line, by the guest's clock, in "
                                          "microseconds since 1970." },
    [LOG_FIELD_JSON] = { "PODVISOR_JSON", "The line as it was, where MESSAGE is only its text." },
    [LOG_FIELD_LOST] = { "PODVISOR_LOST", "How many lines were lost." },
    [LOG_FIELD_PARTIAL] = { "CONTAINER_PARTIAL_MESSAGE",
                            "true where the line goes on in the next record of the same stream." },
    [LOG_FIELD_IDENTIFIER] = { "SYSLOG_IDENTIFIER", NULL },
    [LOG_FIELD_OBJECT_UNIT] = { "OBJECT_SYSTEMD_UNIT",
                                "The unit of the pod, in what podvisord says about it." },
    [LOG_FIELD_UNIT] = { "UNIT", "The same." },
    [LOG_FIELD_OBJECT_USER_UNIT] = { "OBJECT_SYSTEMD_USER_UNIT", "The same of a user's own podvisord." },
    [LOG_FIELD_USER_UNIT] = { "USER_UNIT", "The same." },
};

/* Which fields name the unit, in each mode. */
static const struct {
    LogFieldId object, unit;
} unit_fields[PATHS_MODE_MAX] = {
    [PATHS_SYSTEM] = { LOG_FIELD_OBJECT_UNIT, LOG_FIELD_UNIT },
    [PATHS_USER] = { LOG_FIELD_OBJECT_USER_UNIT, LOG_FIELD_USER_UNIT },
};

void log_fields_init(LogFields *f)
{
    for (size_t i = 0; i < LOG_FIELD_MAX; i++)
        f->rows[i] = (LogField){ .key = log_field_rows[i].key };
    f->rows[LOG_FIELD_MAX] = (LogField){ 0 };
}

void log_fields_set(LogFields *f, LogFieldId id, const char *value)
{
    f->rows[id].value = value;
}

void log_fields_set_number(LogFields *f, LogFieldId id, uint64_t number)
{
    (void)snprintf(f->numbers[id], sizeof f->numbers[id], "%llu", (unsigned long long)number);
    f->rows[id].value = f->numbers[id];
}

void log_fields_set_id(LogFields *f, LogFieldId id, Id128 value)
{
    f->rows[id].value = id128_format(value, f->uuid);
}

void log_fields_set_event(LogFields *f, const OperatorEventRow *event)
{
    log_fields_set(f, LOG_FIELD_EVENT, event->name);
    log_fields_set(f, LOG_FIELD_MESSAGE_ID, event->message_id);
}

void log_fields_set_unit(LogFields *f, const char *pod, PathsMode mode)
{
    if (mode != PATHS_SYSTEM && mode != PATHS_USER)
        return;
    (void)snprintf(f->unit, sizeof f->unit, POD_UNIT_PREFIX "%s" POD_UNIT_SUFFIX, pod);
    log_fields_set(f, unit_fields[mode].object, f->unit);
    log_fields_set(f, unit_fields[mode].unit, f->unit);
}
