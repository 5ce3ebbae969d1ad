/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "base/strings.h"
#include "runner/end.h"
#include "schemas/formats.h"

#define BIT(x) (UINT64_C(1) << (x))

_Static_assert((int)END_REASON_MAX <= 64, "the sets below have a bit for each reason");

/* Ends that a kill, or an end while nobody watched, looks like. */
#define BY_FORCE                                                                                             \
    (BIT(END_VMM_SIGNAL) | BIT(END_VMM_EXIT) | BIT(END_KILLED) | BIT(END_LOST) | BIT(END_VMM_UNRESPONSIVE))
/* Ends in good order. */
#define BY_ITSELF (BIT(END_GUEST_SHUTDOWN) | BIT(END_COMPLETED) | BIT(END_STOPPED))

static bool was_killed(const RunnerRecord *record)
{
    return record->kill_reason != END_NONE;
}

static bool was_completed(const RunnerRecord *record)
{
    return record->completed && !record->stop_asked;
}

static bool was_pressed(const RunnerRecord *record)
{
    return record->power_button;
}

static bool was_stopped(const RunnerRecord *record)
{
    return record->stop_asked;
}

typedef struct EndRow {
    bool (*asked)(const RunnerRecord *record);
    uint64_t seen;
    EndReason reason;    /* END_NONE: the record's kill_reason */
    const char *message; /* NULL: the record's kill_message */
} EndRow;

/* The first row that fits; none: what was seen stands. END_LOST: a runner died between the end and its record. */
static const EndRow end_rows[] = {
    { was_killed, BY_FORCE, END_NONE, NULL },
    { was_completed, BY_ITSELF, END_COMPLETED, NULL },
    { was_stopped, BY_ITSELF | BIT(END_LOST), END_STOPPED, NULL },
    { was_pressed, BIT(END_GUEST_SHUTDOWN) | BIT(END_LOST), END_POWER_BUTTON,
      "the power button of the machine was pressed" },
};

static const EndRow *row_of(const RunnerRecord *record, EndReason seen)
{
    TABLE_FOREACH (row, end_rows)
        if (row->asked(record) && row->seen & BIT(seen))
            return row;
    return NULL;
}

static EndReason reason_of(const RunnerRecord *record, const EndRow *row, EndReason seen)
{
    if (!row)
        return seen;
    return row->reason == END_NONE ? record->kill_reason : row->reason;
}

EndReason end_reason_of(const RunnerRecord *record, EndReason seen)
{
    return reason_of(record, row_of(record, seen), seen);
}

/* What the first container did that it should not; NULL: each ended well, or there is no memory. */
static char *completed_message(const RunnerReport *report)
{
    const ContainerReport *c = NULL;

    for (size_t i = 0; i < report->n_containers && !c; i++)
        if (!container_ended_well(&report->containers[i]))
            c = &report->containers[i];
    if (!c)
        return NULL;
    if (c->state != CONTAINER_ENDED)
        return strf("container %s failed%s%s", c->name, c->message ? ": " : "", c->message ?: "");
    if (c->exit_signal == 0)
        return strf("container %s ended with exit status %d", c->name, (int)c->exit_code);
    _cleanup_(freep) char *name = signal_format((int)c->exit_signal);
    return strf("container %s was killed by %s", c->name, name ?: "a signal");
}

int end_fill(RunnerRecord *record, EndReason seen, int64_t exit_code, uint64_t exit_signal,
             const char *message)
{
    RunnerReport *report = &record->report;
    const EndRow *row = row_of(record, seen);
    EndReason reason = reason_of(record, row, seen);

    report->reason = reason;
    report->exit_code = exit_code;
    report->exit_signal = exit_signal;
    report->vmm_pid = 0;
    report->ready = false;
    report->ready_since = 0;
    _cleanup_(freep) char *completed = reason == END_COMPLETED ? completed_message(report) : NULL;
    if (completed)
        return str_replace(&report->message, completed);
    if (reason == seen)
        return str_replace(&report->message, message);
    return str_replace(&report->message, row->message ?: record->kill_message);
}
