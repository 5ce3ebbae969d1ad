/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The log of a program in the journal. What journald does not take is kept, at most JOURNAL_LOG_MAX bytes of it, and
 * written when journald takes it again; what did not fit is counted, and the count is told in a record of its own.
 * Without an event loop (yet), each message is an occasion to write those that wait.
 */
#include "base/journal.h"

enum { JOURNAL_LOG_MAX = 256 * 1024 };

/*
 * From now on log.h writes to the journal, as program (not copied), and with echo to standard error too. lost_fields (not
 * copied): of the record that tells of lost ones.
 */
void journal_log_open(const char *program, const LogField *lost_fields, bool echo);
bool journal_log_is_open(void);
/* event is the loop that writes what waits. Nothing happens where the log is not in the journal. */
void journal_log_attach(sd_event *event);
/* A last try; what journald still does not take goes to standard error. Before the event loop is freed. */
void journal_log_close(void);
