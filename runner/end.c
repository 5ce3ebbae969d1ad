/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "base/strings.h"
#include "runner/end.h"

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

static bool was_stopped(const RunnerRecord *record)
{
    return record->stop_asked;
}

/* The first row that fits; none: what was seen stands. */
static const struct {
    bool (*asked)(const RunnerRecord *record);
    uint64_t seen;
    EndReason reason; /* END_NONE: the record's kill_reason */
} end_rows[] = {
    { was_killed, BY_FORCE, END_NONE },
    { was_completed, BY_ITSELF, END_COMPLETED },
    { was_stopped, BY_ITSELF | BIT(END_LOST),
      END_STOPPED }, /* a runner died between the end and its record */
};

EndReason end_reason_of(const RunnerRecord *record, EndReason seen)
{
    TABLE_FOREACH (row, end_rows)
        if (row->asked(record) && row->seen & BIT(seen))
            return row->reason == END_NONE ? record->kill_reason : row->reason;
    return seen;
}

int end_fill(RunnerRecord *record, EndReason seen, int64_t exit_code, uint64_t exit_signal,
             const char *message)
{
    RunnerReport *report = &record->report;
    EndReason reason = end_reason_of(record, seen);

    report->reason = reason;
    report->exit_code = exit_code;
    report->exit_signal = exit_signal;
    report->vmm_pid = 0;
    report->ready = false;
    report->ready_since = 0;
    return str_replace(&report->message, reason == seen ? message : record->kill_message);
}
