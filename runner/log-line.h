/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A line that a container wrote, read for how important it is and what it says. Pure. The line is a stranger's: what does not
 * look as it should is text of the usual importance, and every byte of it is kept.
 */
#include "schemas/pod-definition.h"

typedef struct LogLine {
    int level;   /* of <syslog.h> */
    size_t skip; /* bytes at the beginning that only said the level */
    char *text;  /* what the JSON object says it is about, malloc'ed; NULL: the line itself */
} LogLine;

/* level: of a line that says nothing about it. whole: the line does not go on, so that it can be JSON. */
LogLine log_line_read(LogSyntax format, int level, bool whole, const void *data, size_t size);
