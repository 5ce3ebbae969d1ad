/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The door to journald for writing: a log sink, and records with binary-safe fields. */
#include "base/log.h"

/* True when a journald listens on this host. */
bool journal_is_there(void);

/* A LogSink that sends to journald with the fields; falls back to standard error when journald does not take it. */
void journal_sink(int level, const LogField *fields, const char *message);

/* One record: MESSAGE is `size` raw bytes; 0 or negative errno (-EAGAIN: journald is not taking it now). */
int journal_send(int level, const LogField *fields, const void *message, size_t size);
