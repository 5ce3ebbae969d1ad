/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Values as people read them. All memory is malloc'ed and the caller's; NULL means out of memory unless said otherwise. */
#include "base/units.h"

/* Text of a stranger (a guest, a file, a peer) with nothing in it that a terminal would obey. NULL becomes "". */
char *text_safe(const char *s);

/* "58M", "1.5G", "512B": rounded, for tables. */
char *text_memory(uint64_t bytes);

/* Processor time over the life of a process as ps has it: "0.1%"; "-" when it has no life yet. */
char *text_cpu(usec_t used, usec_t started, usec_t now);

/* "0.05s", "3:07", "1:02:03": processor time as ps(1) has it, with hundredths while it is short. */
char *text_processor_time(usec_t time);

/* "2h ago"; "-" for 0, which is no time. */
char *text_age(usec_t then, usec_t now);
/* "in 3s", "now". */
char *text_until(usec_t then, usec_t now);
/* "Mon 2026-11-23 18:00:01 UTC", in the local time zone. */
char *text_time(usec_t then);

/* "exit status 3", "killed by SIGKILL", or NULL's place "-" when neither is known (code -1, signal 0). */
char *text_exit(int64_t code, uint64_t signal);

/* "1 restart", "2 restarts". */
char *text_count(uint64_t n, const char *one, const char *many);

/* Columns on a terminal; the number of bytes where the locale cannot tell. */
int text_width(const char *s);
