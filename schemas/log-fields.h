/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The fields that podvisor's records have in the journal, each with its row: what writes them (podvisord, runners), what
 * reads them (podvisor logs, podvisor events) and the manual work by these rows.
 *
 * `journalctl -u podvisor-pod@NAME` shows all records of a pod: those of its runner because it runs in that unit, those of
 * podvisord because of OBJECT_SYSTEMD_UNIT, which journalctl believes of root (OBJECT_SYSTEMD_USER_UNIT: of the same user).
 */
#include "base/enum-table.h"
#include "base/id128.h"
#include "base/log.h"
#include "schemas/operator-events.h"
#include "schemas/paths.h"

#define POD_UNIT_PREFIX "podvisor-pod@"
#define POD_UNIT_SUFFIX ".service"

/* Where a line of the log comes from. */
typedef enum LogStream {
    LOG_STREAM_STDOUT,
    LOG_STREAM_STDERR,
    LOG_STREAM_CONSOLE,
    LOG_STREAM_VMM,
    LOG_STREAM_MAX,
} LogStream;
extern const EnumTable log_stream_table;

typedef enum LogFieldId {
    LOG_FIELD_POD,
    LOG_FIELD_POD_UUID,
    LOG_FIELD_CONTAINER,
    LOG_FIELD_STREAM,
    LOG_FIELD_BACKEND,
    LOG_FIELD_GENERATION,
    LOG_FIELD_STATE,
    LOG_FIELD_EVENT,
    LOG_FIELD_REASON,
    LOG_FIELD_MESSAGE_ID,
    LOG_FIELD_SEQ,
    LOG_FIELD_TIME,
    LOG_FIELD_JSON,
    LOG_FIELD_LOST,
    LOG_FIELD_PARTIAL,
    LOG_FIELD_IDENTIFIER,
    LOG_FIELD_OBJECT_UNIT,
    LOG_FIELD_UNIT,
    LOG_FIELD_OBJECT_USER_UNIT,
    LOG_FIELD_USER_UNIT,
    LOG_FIELD_MAX,
} LogFieldId;

typedef struct LogFieldRow {
    const char *key;
    const char *doc; /* what the value is; NULL: of the journal itself, see systemd.journal-fields(7) */
} LogFieldRow;
extern const LogFieldRow log_field_rows[LOG_FIELD_MAX];

enum {
    LOG_FIELD_NUMBER_SIZE = 24,
    LOG_FIELD_UNIT_SIZE = 96, /* a pod's name has at most 63 characters */
};

/* One record's fields: rows is a list as log_full() wants it. Not to be copied, since rows point into it. */
typedef struct LogFields {
    LogField rows[LOG_FIELD_MAX + 1];
    char numbers[LOG_FIELD_MAX][LOG_FIELD_NUMBER_SIZE];
    char uuid[ID128_TEXT_SIZE];
    char unit[LOG_FIELD_UNIT_SIZE];
} LogFields;

/* No field is set. */
void log_fields_init(LogFields *f);
/* value is not copied; NULL: not set. */
void log_fields_set(LogFields *f, LogFieldId id, const char *value);
void log_fields_set_number(LogFields *f, LogFieldId id, uint64_t number);
/* One identity a record. */
void log_fields_set_id(LogFields *f, LogFieldId id, Id128 value);
void log_fields_set_event(LogFields *f, const OperatorEventRow *event);
/* The unit of the pod, by which journalctl -u finds the record. Below --root there are no units, and no field is set. */
void log_fields_set_unit(LogFields *f, const char *pod, PathsMode mode);
