/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Output of containers as it is shown: what came on standard output goes to `out`, the rest to `err`. */
#include <stdio.h>

#include "cli/log-source.h"
#include "schemas/schema-json.h"

typedef enum LogFormat {
    LOG_FORMAT_TEXT, /* the bytes as they were */
    LOG_FORMAT_TIME, /* with the time before each line */
    LOG_FORMAT_JSON, /* an object a line, all to `out` */
    LOG_FORMAT_MAX,
} LogFormat;
extern const EnumTable log_format_table;

typedef struct LogView {
    LogFormat format;
    JsonStyle style; /* of LOG_FORMAT_JSON */
    bool events;     /* what is shown are events */
    FILE *out, *err;
    bool out_safe, err_safe; /* it is a terminal: control characters are escaped */
    bool prefix;             /* the container's name before each line */
    bool may_prefix;         /* from the second container on */
    char *first_container;   /* that was shown */
    char *open_container;    /* a line of this one is not ended yet */
    LogStream open_stream;
} LogView;

/* 0 or negative errno. */
int log_view_show(LogView *view, const LogItem *item);
void log_view_done(LogView *view);
