/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which records are asked for, by the options that `logs` and `events` share. */
#include "cli/log-source.h"
#include "cli/verb.h"

extern const EnumTable log_query_stream_table;

/* word: POD or POD/CONTAINER, which is cut at the slash and must outlive the query; NULL: all pods. An exit status; complained about. */
int log_query_read(const Context *c, char *word, LogQuery *ret);
/* It leaves out some of what may be recorded, so that nothing found means little. */
bool log_query_is_narrow(const LogQuery *query);
