/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the program's exit status says, once for all verbs: the same trouble gives the same number, whichever verb meets it.
 * `podvisor exec` hands on the status of the command that it ran, so its own failures, all of them, are numbers that
 * programs rarely use, the same as those of other container tools.
 */
#include "base/macro.h"

enum {
    STATUS_OK = 0,
    STATUS_FAILURE = 1,
    STATUS_USAGE = 2,
    STATUS_WRONG_STATE = 3,
    STATUS_NOT_FOUND = 4,
    STATUS_TIMEOUT = 5,
    STATUS_NO_DAEMON = 6,
    STATUS_EXEC_FAILED = 125,
    STATUS_EXEC_REFUSED = 126,
    STATUS_EXEC_NOT_FOUND = 127,
    STATUS_SIGNAL = 128,
};

typedef struct ExitStatus {
    int number;
    const char *doc; /* sentences, for the manual */
} ExitStatus;

extern const ExitStatus exit_statuses[];
extern const size_t n_exit_statuses;

/* Of an error of podvisord: the name behind "org.podvisor.Error."; STATUS_FAILURE for one that is not known. */
int exit_status_of_error(const char *name);
/* Of an error of the image store. */
int exit_status_of_image(int error);
