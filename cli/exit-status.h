/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the program's exit status says, once for all verbs. `podvisor exec` hands on the status of the command that
 * it ran, so its own failures are numbers that programs rarely use, the same as those of other container tools.
 */
#include "base/macro.h"

enum {
    STATUS_OK = 0,
    STATUS_FAILURE = 1,
    STATUS_USAGE = 2,
    STATUS_NOT_RUNNING = 3,
    STATUS_NO_SUCH_POD = 4,
    STATUS_TIMEOUT = 5,
    STATUS_NO_DAEMON = 6,
    STATUS_EXEC_FAILED = 125,
    STATUS_EXEC_REFUSED = 126,
    STATUS_EXEC_NOT_FOUND = 127,
    STATUS_SIGNAL = 128,
};

typedef struct ExitStatus {
    int number;
    const char *doc; /* a sentence, for the manual and for `podvisor --help` */
} ExitStatus;

extern const ExitStatus exit_statuses[];
extern const size_t n_exit_statuses;
